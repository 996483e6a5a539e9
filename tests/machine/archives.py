# SPDX-License-Identifier: GPL-2.0
"""Archives of roots and of container images, made for tests."""

import hashlib
import io
import json
import subprocess
import tarfile


def tar(*entries):
    """A tar of (name, content): a text; a dict of more that is said of the entry."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in entries:
            info = tarfile.TarInfo(name)
            info.mode = 0o755
            if isinstance(content, dict):
                for key, value in content.items():
                    setattr(info, key, value)
                content = ""
            data = content if isinstance(content, bytes) else content.encode()
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def directory(**more):
    return {"type": tarfile.DIRTYPE, **more}


def symlink(to):
    return {"type": tarfile.SYMTYPE, "linkname": to}


def hardlink(to):
    return {"type": tarfile.LNKTYPE, "linkname": to}


def docker(*images, variables=()):
    """What `docker save` writes of these images, each a list of layers."""
    entries, manifests = [], []
    for number, layers in enumerate(images):
        hashes = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Env": list(variables)},
                             "rootfs": {"type": "layers", "diff_ids": hashes}})
        names = [f"{number}-{layer}/layer.tar" for layer in range(len(layers))]
        entries += [(f"{number}.json", config), *zip(names, layers)]
        manifests.append({"Config": f"{number}.json", "RepoTags": None, "Layers": names})
    return tar(*entries, ("manifest.json", json.dumps(manifests)))


def oci(*layers, platforms=("amd64",), architecture="amd64", variables=()):
    """An OCI archive; with several platforms, with an index in the index."""
    blobs = []

    def blob(data):
        data = data if isinstance(data, bytes) else json.dumps(data).encode()
        digest = hashlib.sha256(data).hexdigest()
        blobs.append((f"blobs/sha256/{digest}", data))
        return {"digest": f"sha256:{digest}", "size": len(data)}

    config = blob({"architecture": architecture, "config": {"Env": list(variables)}})
    manifest = blob({"config": config, "layers": [blob(layer) for layer in layers]})
    manifests = [{**manifest, "platform": {"architecture": one}} for one in platforms]
    if len(platforms) > 1:
        manifests = [blob({"manifests": manifests})]
    return tar(("oci-layout", '{"imageLayoutVersion": "1.0.0"}'),
               ("index.json", json.dumps({"manifests": manifests})), *dict(blobs).items())


def zstd(data):
    return subprocess.run(["zstd", "-qc"], input=data, stdout=subprocess.PIPE, check=True).stdout
