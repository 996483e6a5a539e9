// SPDX-License-Identifier: GPL-2.0

//! Which filesystems the kernel has.

use std::fs::read_to_string;
use std::process::{Command, Stdio};

use anyhow::{bail, Result};

use super::btrfs::need_several;

/// Filesystems that are registered: a line each, `nodev` first if they need no device.
const REGISTERED: &str = "/proc/filesystems";
/// The program that the kernel loads modules by.
const LOADER: &str = "/proc/sys/kernel/modprobe";

/// An error if the kernel can't mount that filesystem from a device, or not as many states of it at once as jobs were asked for.
pub fn need(fs: &str, jobs: Option<usize>) -> Result<()> {
    match (lack(fs), fs) {
        (Some(why), _) => bail!("{why}"),
        (None, "btrfs") => need_several(jobs.unwrap_or(1)),
        (None, _) => Ok(()),
    }
}

/// Why the kernel can't mount that filesystem from a device, if it can't.
pub fn lack(fs: &str) -> Option<String> {
    let registered = || read_to_string(REGISTERED).unwrap_or_default();
    let mut known = registered();
    if kind(&known, fs).is_none() {
        load(fs);
        known = registered();
    }
    match kind(&known, fs) {
        Some(Kind::OfDevice) => None,
        Some(Kind::NoDevice) => Some(format!("{fs} is no filesystem of a disk")),
        None => Some(format!(
            "this kernel has no filesystem {fs}: load its module (`modprobe {fs}`), or boot a \
             kernel with CONFIG_{}_FS",
            fs.to_ascii_uppercase()
        )),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    OfDevice,
    NoDevice,
}

fn kind(registered: &str, fs: &str) -> Option<Kind> {
    let mut lines = registered.lines().map(|line| line.split_whitespace());
    lines.find_map(|mut words| match (words.next(), words.next()) {
        (Some("nodev"), Some(name)) if name == fs => Some(Kind::NoDevice),
        (Some(name), None) if name == fs => Some(Kind::OfDevice),
        _ => None,
    })
}

/// Has its module loaded, as the kernel would at a mount.
fn load(fs: &str) {
    let loader = read_to_string(LOADER).unwrap_or_default();
    let loader = match loader.trim() {
        "" => "modprobe",
        loader => loader,
    };
    let mut command = Command::new(loader);
    command.args(["-q", "--"]).arg(format!("fs-{fs}"));
    command.stdin(Stdio::null()).stdout(Stdio::null());
    // What counts is whether the filesystem is there then.
    let _ = command.stderr(Stdio::null()).status();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filesystem_of_a_device_is_told_from_others() {
        let registered = "nodev\tproc\nnodev\ttmpfs\n\text4\n\tvfat\n";
        for (fs, is) in [
            ("ext4", Some(Kind::OfDevice)),
            ("vfat", Some(Kind::OfDevice)),
            ("tmpfs", Some(Kind::NoDevice)),
            ("nodev", None),
            ("ext", None),
        ] {
            assert_eq!(kind(registered, fs), is, "{fs}");
        }
    }

    #[test]
    fn what_the_kernel_lacks_is_said() {
        let why = |fs: &str| lack(fs).unwrap_or_default();
        assert!(why("proc").contains("no filesystem of a disk"));
        assert!(why("no-such").contains("CONFIG_NO-SUCH_FS"));
    }
}
