// SPDX-License-Identifier: GPL-2.0

//! Filesystems: how to make and mount them.

use std::ffi::{CString, OsStr};
use std::path::Path;

use anyhow::{bail, Result};
use rustix::io::Errno;
use rustix::mount::{mount, MountFlags};
use serde::{Deserialize, Serialize};

use crate::child::Program;
use crate::device::Nodes;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Fs {
    Ext4,
    Xfs,
    Btrfs,
    F2fs,
    Vfat,
    /// No filesystem: the commands get the device
    None,
}

impl Fs {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
            Self::F2fs => "f2fs",
            Self::Vfat => "vfat",
            Self::None => "none",
        }
    }

    /// The size of its disk unless told, in MiB: what its mkfs accepts.
    pub fn default_mib(self) -> u64 {
        match self {
            Self::Xfs => 320,
            Self::Btrfs => 128,
            _ => 64,
        }
    }

    /// Arguments that its mkfs gets before the user's.
    fn mkfs_args(self) -> &'static [&'static str] {
        match self {
            // Without these the kernel would initialise in the background,
            // in the record, at its own pace.
            Self::Ext4 => &["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"],
            Self::Xfs | Self::Btrfs => &["-q", "-f"],
            Self::F2fs => &["-q", "-f"],
            Self::Vfat | Self::None => &[],
        }
    }

    /// The Debian package of its mkfs.
    pub fn package(self) -> &'static str {
        match self {
            Self::Ext4 => "e2fsprogs",
            Self::Xfs => "xfsprogs",
            Self::Btrfs => "btrfs-progs",
            Self::F2fs => "f2fs-tools",
            Self::Vfat => "dosfstools",
            Self::None => "",
        }
    }

    /// What makes the filesystem on the first disk; `options` are split at blanks.
    pub fn mkfs(self, nodes: &Nodes, options: &str) -> Option<Program> {
        if self == Self::None {
            return None;
        }
        let options = nodes.fill(options);
        let args = self.mkfs_args().iter().copied();
        let args = args.chain(options.split_whitespace()).map(OsStr::new);
        let args = args.chain([nodes.first().as_os_str()]);
        Some(Program::new(format!("mkfs.{}", self.name()), args))
    }
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
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if fs.is_empty() || !fs.chars().all(is_name) {
            bail!("{text:?} names no filesystem: give FS or FS,OPTIONS such as ext4,noatime");
        }
        Ok((fs != "none").then(|| Self {
            fs: fs.into(),
            options: options.into(),
        }))
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
        for bad in ["", ",ro", "ext 4", "../x"] {
            assert!(MountSpec::parse(bad).is_err(), "{bad}");
        }
    }
}
