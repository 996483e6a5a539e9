// SPDX-License-Identifier: GPL-2.0

//! Filesystems: how to make and mount them.

mod btrfs;
mod kernel;
mod known;

use std::ffi::{CString, OsStr};
use std::path::Path;
use std::str::FromStr;

use anyhow::{bail, Result};
use rustix::io::Errno;
use rustix::mount::{mount, MountFlags};
use serde::{Deserialize, Serialize};

use crate::child::Program;
use crate::device::Nodes;
use known::known;

pub use btrfs::mounted_twin;
pub use kernel::{lack, need};

/// A filesystem by the kernel's name of it, or `none`: the commands get the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fs(String);

impl FromStr for Fs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if is_name(text) {
            Ok(Self(text.into()))
        } else {
            Err("no name of a filesystem: give one such as ext4, or none; options go to --mount-opts".into())
        }
    }
}

/// Whether the kernel may call a filesystem so.
fn is_name(text: &str) -> bool {
    let is_good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    text.chars().all(is_good) && text.starts_with(|c: char| c.is_ascii_alphanumeric())
}

impl Fs {
    /// Those that something is known of, and `none`.
    pub fn names() -> impl Iterator<Item = &'static str> {
        known::KNOWN.iter().map(|fs| fs.name).chain(["none"])
    }

    pub fn name(&self) -> &str {
        &self.0
    }

    pub fn is_none(&self) -> bool {
        self.0 == "none"
    }

    /// The size of its disk unless told, in MiB.
    pub fn default_mib(&self) -> u64 {
        if self.is_none() {
            return 64;
        }
        known(&self.0).default_mib
    }

    /// The program that makes it.
    pub fn maker(&self) -> String {
        let maker = known(&self.0).mkfs.map(str::to_string);
        maker.unwrap_or_else(|| format!("mkfs.{}", self.0))
    }

    /// An error if there is nothing to make it with.
    pub fn need_maker(&self) -> Result<()> {
        let maker = self.maker();
        if self.is_none() || is_in_path(&maker) {
            return Ok(());
        }
        match known(&self.0).package {
            Some(package) => bail!(
                "there is no {maker} in PATH: is {package} installed? That is Debian's package of it; \
                 --mkfs CMD names another program"
            ),
            None => bail!(
                "there is no {maker} in PATH: install what makes {}, or name a program with --mkfs CMD",
                self.0
            ),
        }
    }

    /// What makes the filesystem on the first disk; `options` are split at blanks.
    pub fn mkfs(&self, nodes: &Nodes, options: &str) -> Option<Program> {
        if self.is_none() {
            return None;
        }
        let options = nodes.fill(options);
        let args = known(&self.0).args.iter().copied();
        let args = args.chain(options.split_whitespace()).map(OsStr::new);
        let args = args.chain([nodes.first().as_os_str()]);
        Some(Program::new(self.maker(), args))
    }
}

/// Whether there is such a program.
fn is_in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there =
        |dir: &Path| rustix::fs::access(dir.join(program), rustix::fs::Access::EXEC_OK).is_ok();
    std::env::split_paths(&path).any(|dir| is_there(&dir))
}

/// What to mount, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MountSpec {
    /// As the kernel calls it.
    pub fs: String,
    /// Joined by commas.
    pub options: String,
}

impl MountSpec {
    /// From FS[,OPTION]...; none for `none`.
    pub fn parse(text: &str) -> Result<Option<Self>> {
        let (fs, options) = text.split_once(',').unwrap_or((text, ""));
        if !is_name(fs) {
            bail!("{text:?} names no filesystem: give FS or FS,OPTIONS such as ext4,noatime");
        }
        Ok((fs != "none").then(|| Self {
            fs: fs.into(),
            options: options.into(),
        }))
    }

    /// Whether the kernel takes several filesystems with one id for one, so that a mount may need more than mount().
    pub fn is_known_by_id(&self) -> bool {
        self.fs == "btrfs"
    }

    /// Whether nothing is lost if the power fails while a mount recovers.
    pub fn recovers_again(&self) -> bool {
        known(&self.fs).recovers_again
    }

    /// Whether its fsync is known not to wait for all that it writes.
    pub fn misses_waits(&self) -> bool {
        known(&self.fs).misses_waits
    }

    /// Whether several states can be mounted at the same time.
    pub fn is_plural(&self) -> bool {
        known(&self.fs).is_plural
    }

    /// The checker that has to come before the mount, if one has to.
    pub fn recovered_by(&self) -> Option<&'static str> {
        known(&self.fs).recovered_by
    }

    /// A checker that is run before the mount, where the mount does not recover.
    pub fn repaired_by(&self) -> Option<&'static str> {
        let known = known(&self.fs);
        known.repaired_by.or(known.recovered_by)
    }

    /// A checker that changes nothing, for one that has recovered.
    pub fn checked_by(&self) -> Option<&'static str> {
        known(&self.fs).checked_by
    }

    /// A mount that neither writes nor recovers, where the filesystem has one.
    #[must_use]
    pub fn read_only(&self) -> Self {
        let own = match self.fs.as_str() {
            "ext2" | "ext3" | "ext4" => "ro,noload",
            "xfs" | "f2fs" => "ro,norecovery",
            "btrfs" => "ro,rescue=nologreplay",
            _ => "ro",
        };
        let options = match self.options.as_str() {
            "" => own.to_string(),
            options => format!("{options},{own}"),
        };
        Self {
            fs: self.fs.clone(),
            options,
        }
    }

    /// The same with one more option.
    #[must_use]
    pub fn with(&self, option: &str) -> Self {
        let options = match self.options.as_str() {
            "" => option.to_string(),
            options => format!("{options},{option}"),
        };
        Self {
            fs: self.fs.clone(),
            options,
        }
    }

    /// The same with the paths of a group's disks.
    #[must_use]
    pub fn fill(&self, nodes: &Nodes) -> Self {
        Self {
            fs: self.fs.clone(),
            options: nodes.fill(&self.options),
        }
    }

    /// Mounts a device on a directory.
    pub fn mount(&self, node: &Path, dir: &Path) -> rustix::io::Result<()> {
        let (flags, data) = flags_and_data(&self.options);
        let data = CString::new(data).map_err(|_| Errno::INVAL)?;
        let data = (!data.is_empty()).then_some(data.as_c_str());
        mount(node, dir, &self.fs, flags, data)
    }
}

/// Mount options as the system call takes them: flags, and the filesystem's own.
fn flags_and_data(options: &str) -> (MountFlags, String) {
    let mut flags = MountFlags::empty();
    let mut own: Vec<&str> = Vec::new();
    for option in options.split(',').filter(|o| !o.is_empty()) {
        let (on, off) = match option {
            "defaults" => (MountFlags::empty(), MountFlags::empty()),
            "ro" => (MountFlags::RDONLY, MountFlags::empty()),
            "rw" => (MountFlags::empty(), MountFlags::RDONLY),
            "sync" => (MountFlags::SYNCHRONOUS, MountFlags::empty()),
            "async" => (MountFlags::empty(), MountFlags::SYNCHRONOUS),
            "dirsync" => (MountFlags::DIRSYNC, MountFlags::empty()),
            "noatime" => (MountFlags::NOATIME, MountFlags::empty()),
            "atime" => (MountFlags::empty(), MountFlags::NOATIME),
            "nodiratime" => (MountFlags::NODIRATIME, MountFlags::empty()),
            "diratime" => (MountFlags::empty(), MountFlags::NODIRATIME),
            "relatime" => (MountFlags::RELATIME, MountFlags::empty()),
            "strictatime" => (MountFlags::STRICTATIME, MountFlags::empty()),
            "lazytime" => (MountFlags::LAZYTIME, MountFlags::empty()),
            "nosuid" => (MountFlags::NOSUID, MountFlags::empty()),
            "suid" => (MountFlags::empty(), MountFlags::NOSUID),
            "nodev" => (MountFlags::NODEV, MountFlags::empty()),
            "dev" => (MountFlags::empty(), MountFlags::NODEV),
            "noexec" => (MountFlags::NOEXEC, MountFlags::empty()),
            "exec" => (MountFlags::empty(), MountFlags::NOEXEC),
            "silent" => (MountFlags::SILENT, MountFlags::empty()),
            "loud" => (MountFlags::empty(), MountFlags::SILENT),
            _ => {
                own.push(option);
                continue;
            }
        };
        flags = (flags | on) - off;
    }
    (flags, own.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_told_apart() {
        let (flags, data) = flags_and_data("ro,noatime,barrier=0,rw,data=journal");
        assert_eq!(flags, MountFlags::NOATIME);
        assert_eq!(data, "barrier=0,data=journal");
        assert_eq!(flags_and_data(""), (MountFlags::empty(), String::new()));
    }

    #[test]
    fn read_only_recovers_nothing() {
        let spec = MountSpec::parse("ext4,noatime").unwrap().unwrap();
        assert_eq!(spec.read_only().options, "noatime,ro,noload");
        let spec = MountSpec::parse("vfat").unwrap().unwrap();
        assert_eq!(spec.read_only().options, "ro");
    }

    #[test]
    fn a_mount_is_a_name_and_options() {
        let spec = MountSpec::parse("ext4,ro,barrier=0").unwrap().unwrap();
        assert_eq!((&*spec.fs, &*spec.options), ("ext4", "ro,barrier=0"));
        assert!(MountSpec::parse("none").unwrap().is_none());
        for bad in ["", ",ro", "ext 4", "../x", "-o"] {
            assert!(MountSpec::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn any_name_is_a_filesystem() {
        for (name, maker, mib) in [
            ("ext4", "mkfs.ext4", 64),
            ("xfs", "mkfs.xfs", 320),
            ("ntfs3", "mkfs.ntfs", 64),
            ("mine", "mkfs.mine", 128),
        ] {
            let fs: Fs = name.parse().unwrap();
            assert_eq!((fs.maker().as_str(), fs.default_mib()), (maker, mib));
        }
        for bad in ["", "ext4,ro", "../x", "-t", "ext 4"] {
            assert!(bad.parse::<Fs>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_makes_it_is_looked_for() {
        let none: Fs = "none".parse().unwrap();
        assert!(none.need_maker().is_ok());
        let mine: Fs = "no-such-fs".parse().unwrap();
        let error = mine.need_maker().unwrap_err().to_string();
        assert!(error.contains("no mkfs.no-such-fs in PATH"), "{error}");
        assert!(is_in_path("sh") && !is_in_path("no-such-program"));
    }

    #[test]
    fn names_are_there_once() {
        let names: Vec<&str> = Fs::names().collect();
        let set: std::collections::BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(names.len(), set.len());
    }
}
