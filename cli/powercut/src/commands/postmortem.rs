// SPDX-License-Identifier: GPL-2.0

//! A crash state to look at by hand: as a raw image, or in a shell.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::manage::print;
use crate::device::Nodes;
use crate::fs::MountSpec;
use crate::recording::Mark;
use crate::scratch::scratch_dir;

/// What is read and, if it is all zeroes, left out at a time.
const PIECE: usize = 64 << 10;

/// Copies a device to a file, those of a group to one file each: FILE.NAME.
pub fn images(nodes: &Nodes, file: &Path) -> Result<()> {
    for (name, node) in nodes.members() {
        let mut own = file.as_os_str().to_os_string();
        own.push(".");
        own.push(name);
        image(node, Path::new(&own))?;
    }
    match nodes.members().next() {
        Some(_) => Ok(()),
        None => image(nodes.whole(), file),
    }
}

/// Copies a device to a file, with holes where it is zeroes.
fn image(node: &Path, file: &Path) -> Result<()> {
    let failed = || format!("cannot copy {} to {}", node.display(), file.display());
    let mut device = File::open(node).with_context(failed)?;
    let mut out = File::create(file).with_context(failed)?;
    let mut piece = vec![0; PIECE];
    let mut length = 0;
    loop {
        let n = device.read(&mut piece).with_context(failed)?;
        if n == 0 {
            break;
        }
        if piece[..n].iter().any(|byte| *byte != 0) {
            out.seek(SeekFrom::Start(length)).with_context(failed)?;
            out.write_all(&piece[..n]).with_context(failed)?;
        }
        length += n as u64;
    }
    out.set_len(length).with_context(failed)
}

/// Mounts what the first of `nodes` shows and runs the user's shell there, or on the device
/// alone. All is taken down when the shell ends.
pub fn shell(nodes: &Nodes, mount: Option<&MountSpec>, marks: &[Mark]) -> Result<()> {
    let scratch = scratch_dir()?;
    let dir = scratch.path().join("mnt");
    let file = scratch.path().join("marks");
    fs::create_dir(&dir)?;
    let text: String = marks.iter().flat_map(|m| [&m.text, "\n"]).collect();
    fs::write(&file, text)?;
    let name = std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into());
    let mut command = Command::new(&name);
    command.envs(nodes.env()).env("POWERCUT_MARKS", &file);
    let mounted = match mount {
        None => None,
        Some(spec) => {
            let spec = spec.fill(nodes);
            let mounted = spec.mount(nodes.first(), &dir).with_context(|| {
                let node = nodes.first().display();
                format!(
                    "cannot mount {node} as {} {}; --mount none leaves that out",
                    spec.fs, spec.options
                )
            })?;
            command.env("POWERCUT_MNT", &dir).current_dir(&dir);
            Some(mounted)
        }
    };
    let at = match mounted {
        Some(_) => &dir,
        None => nodes.whole(),
    };
    let name = Path::new(&name).display().to_string();
    print(format_args!(
        "  shell   {name} at {}; its end ends all this\n",
        at.display()
    ))?;
    let status = command.status();
    if let Some(mounted) = mounted {
        mounted.unmount()?;
    }
    status.with_context(|| format!("cannot run {name}: set SHELL to another one"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_whole_and_has_holes() {
        use std::os::unix::fs::MetadataExt;
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let mut bytes = vec![0; 40 * PIECE + 512];
        bytes[3 * PIECE + 7] = 1;
        fs::write(&from, &bytes).unwrap();
        image(&from, &to).unwrap();
        assert_eq!(fs::read(&to).unwrap(), bytes);
        let meta = fs::metadata(&to).unwrap();
        assert!(meta.blocks() * 512 <= 4 * PIECE as u64, "{}", meta.blocks());
    }
}
