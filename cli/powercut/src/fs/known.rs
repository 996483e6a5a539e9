// SPDX-License-Identifier: GPL-2.0

//! What is known of filesystems. Of any other one, what is safe for most is assumed.

/// A filesystem, how it is made and how it recovers.
#[derive(Debug)]
pub struct Known {
    /// As the kernel calls it.
    pub name: &'static str,
    /// What makes it, if that is not mkfs.NAME.
    pub mkfs: Option<&'static str>,
    /// Arguments that its mkfs gets before the user's.
    pub args: &'static [&'static str],
    /// The Debian package of its mkfs.
    pub package: Option<&'static str>,
    /// The size of its disk unless told, in MiB: what its mkfs accepts.
    pub default_mib: u64,
    /// Whether several states of one filesystem can be mounted at the same time.
    pub is_plural: bool,
    /// A checker without which what a crash leaves can't be mounted, or not to be written to.
    pub recovered_by: Option<&'static str>,
    /// A checker that Linux distributions run before the mount, where a mount does not recover.
    pub repaired_by: Option<&'static str>,
    /// A checker that changes nothing, of one that has recovered and is not mounted.
    pub checked_by: Option<&'static str>,
    /// Whether nothing is lost if the power fails while a mount recovers.
    pub recovers_again: bool,
    /// Whether its fsync is known not to wait for all that it writes.
    pub misses_waits: bool,
}

/// Of a filesystem that is not in the table.
const UNKNOWN: Known = Known {
    name: "",
    mkfs: None,
    args: &[],
    package: None,
    default_mib: 128,
    // It may know its filesystems by an id, which all states have.
    is_plural: false,
    recovered_by: None,
    repaired_by: None,
    checked_by: None,
    recovers_again: false,
    misses_waits: false,
};

/// Of most that are in it.
const COMMON: Known = Known {
    default_mib: 64,
    is_plural: true,
    ..UNKNOWN
};

/// Without these the kernel would initialise in the background, in the record, at its own pace.
const EXT4: &[&str] = &["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"];

/// Without looking for bad blocks, and on what is no partition.
const NTFS: &[&str] = &["-q", "-Q", "-F"];

pub static KNOWN: [Known; 18] = [
    Known {
        name: "ext4",
        args: EXT4,
        package: Some("e2fsprogs"),
        checked_by: Some("e2fsck -fn"),
        recovers_again: true,
        ..COMMON
    },
    Known {
        name: "xfs",
        args: &["-q", "-f"],
        package: Some("xfsprogs"),
        checked_by: Some("xfs_repair -n"),
        default_mib: 320,
        recovers_again: true,
        ..COMMON
    },
    Known {
        name: "btrfs",
        args: &["-q", "-f"],
        package: Some("btrfs-progs"),
        checked_by: Some("btrfs check --readonly"),
        default_mib: 128,
        is_plural: false,
        recovers_again: true,
        ..COMMON
    },
    Known {
        name: "f2fs",
        args: &["-q", "-f"],
        package: Some("f2fs-tools"),
        checked_by: Some("fsck.f2fs --dry-run"),
        misses_waits: true,
        ..COMMON
    },
    Known {
        name: "vfat",
        repaired_by: Some("fsck.fat -a"),
        package: Some("dosfstools"),
        ..COMMON
    },
    Known {
        name: "exfat",
        repaired_by: Some("fsck.exfat -y"),
        args: &["-q"],
        package: Some("exfatprogs"),
        ..COMMON
    },
    Known {
        name: "nilfs2",
        args: &["-q", "-f"],
        package: Some("nilfs-tools"),
        default_mib: 160,
        ..COMMON
    },
    Known {
        name: "jfs",
        args: &["-q"],
        package: Some("jfsutils"),
        recovered_by: Some("fsck.jfs -a"),
        ..COMMON
    },
    Known {
        name: "ntfs",
        args: NTFS,
        package: Some("ntfs-3g"),
        ..COMMON
    },
    Known {
        name: "ntfs3",
        mkfs: Some("mkfs.ntfs"),
        args: NTFS,
        package: Some("ntfs-3g"),
        ..COMMON
    },
    Known {
        name: "udf",
        package: Some("udftools"),
        ..COMMON
    },
    Known {
        name: "minix",
        package: Some("util-linux-extra"),
        ..COMMON
    },
    Known {
        name: "hfsplus",
        package: Some("hfsprogs"),
        recovered_by: Some("fsck.hfsplus -p"),
        ..COMMON
    },
    Known {
        name: "bcachefs",
        args: &["-q", "-f"],
        package: Some("bcachefs-tools"),
        default_mib: 256,
        is_plural: false,
        ..COMMON
    },
    Known {
        name: "ext3",
        args: EXT4,
        package: Some("e2fsprogs"),
        checked_by: Some("e2fsck -fn"),
        recovers_again: true,
        ..COMMON
    },
    Known {
        name: "ext2",
        args: &["-q", "-F"],
        package: Some("e2fsprogs"),
        checked_by: Some("e2fsck -fn"),
        ..COMMON
    },
    Known {
        name: "msdos",
        repaired_by: Some("fsck.fat -a"),
        package: Some("dosfstools"),
        ..COMMON
    },
    Known {
        name: "gfs2",
        // One host, without its cluster.
        args: &["-q", "-O", "-p", "lock_nolock"],
        package: Some("gfs2-utils"),
        default_mib: 256,
        is_plural: false,
        ..COMMON
    },
];

static OTHER: Known = UNKNOWN;

/// What is known of one, by the kernel's name of it.
pub fn known(name: &str) -> &'static Known {
    KNOWN.iter().find(|fs| fs.name == name).unwrap_or(&OTHER)
}
