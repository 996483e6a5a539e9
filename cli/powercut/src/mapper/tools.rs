// SPDX-License-Identifier: GPL-2.0

//! `dmsetup` and `losetup`.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{bail, Context, Result};

use crate::modprobe;

/// What it prints. Devices of the command are its own: udev has nothing to do with them, and is not waited for.
pub fn dmsetup(words: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<String> {
    let words = words
        .into_iter()
        .map(|word| OsStr::from_bytes(word.as_ref()).to_os_string());
    let all: Vec<OsString> = ["--noudevrules", "--noudevsync"]
        .into_iter()
        .map(OsString::from)
        .chain(words)
        .collect();
    run("dmsetup", "dmsetup", &all)
}

/// A file as a block device, and its path.
pub fn loop_device(file: &Path, block_size: u32) -> Result<String> {
    let size = block_size.to_string();
    let words = ["--find", "--show", "--sector-size", &size];
    let mut words: Vec<OsString> = words.iter().map(OsString::from).collect();
    words.push(file.into());
    let printed = run("losetup", "mount", &words)?;
    Ok(printed.trim_end().into())
}

/// Has a loop device go once nobody uses it.
pub fn detach(device: &str) -> Result<()> {
    run("losetup", "mount", &["--detach".into(), device.into()]).map(drop)
}

/// Has modules loaded that the kernel does not load by itself. Whether they are there is seen afterwards.
pub fn load_modules() {
    for module in ["loop", "dm-mod", "dm-log-writes", "fuse"] {
        modprobe::load(module);
    }
}

fn run(program: &str, package: &str, words: &[OsString]) -> Result<String> {
    let done = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .output();
    let done = match done {
        Err(e) if e.kind() == io::ErrorKind::NotFound => bail!(
            "there is no {program}, which a record without the powercut module takes (Debian has it in the package {package})"
        ),
        done => done.with_context(|| format!("cannot run {program}"))?,
    };
    if !done.status.success() {
        let line: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        bail!(
            "{program} {} failed: {}",
            line.join(" "),
            String::from_utf8_lossy(&done.stderr).trim_end()
        );
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// A text as one word of a message to a device. The kernel ends words at what it takes for a blank, of Latin-1
/// too, unless there is a backslash before.
pub fn word_of(text: &str) -> Vec<u8> {
    let mut word = Vec::new();
    for byte in text.bytes() {
        if matches!(byte, b'\t'..=b'\r' | b' ' | b'\\' | 0xa0) {
            word.push(b'\\');
        }
        word.push(byte);
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_backslashes_of_a_mark_are_kept_apart_from_those_between_words() {
        for (text, expected) in [
            ("saved-1", &b"saved-1"[..]),
            ("a b", b"a\\ b"),
            ("a\\b\t", b"a\\\\b\\\t"),
            // U+00E0 has a byte that is a blank of Latin-1.
            ("\u{e0}", b"\xc3\\\xa0"),
            ("\u{e9}", b"\xc3\xa9"),
        ] {
            assert_eq!(word_of(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_not_there_is_named_with_its_package() {
        let none = run("powercut-has-no-such-tool", "some-package", &[]).unwrap_err();
        let text = none.to_string();
        assert!(
            text.contains("powercut-has-no-such-tool") && text.contains("some-package"),
            "{text}"
        );
        let failed = run("false", "coreutils", &["x".into()]).unwrap_err();
        assert!(failed.to_string().starts_with("false x failed"), "{failed}");
        assert_eq!(run("echo", "coreutils", &["x".into()]).unwrap(), "x\n");
    }
}
