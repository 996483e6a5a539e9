// SPDX-License-Identifier: GPL-2.0

//! What a filesystem is held to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which promises count. Each level has those of the level before it, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// What POSIX and the manual pages promise: fsync of a file covers its data and attributes,
    /// fsync of a directory its names.
    Posix,
    /// What Linux filesystems with a journal or copy-on-write do besides: fsync of a file covers its
    /// names, a rename is atomic across a power cut, no file shows what it never held.
    Linux,
    /// Changes of names become durable in the order in which they were made.
    Ordered,
}

/// The levels, with their names.
pub const LEVELS: [(Level, &str); 3] = [
    (Level::Posix, "posix"),
    (Level::Linux, "linux"),
    (Level::Ordered, "ordered"),
];

impl Level {
    /// The level of a filesystem at its defaults, by the kernel's name, with these options of mkfs
    /// and mount.
    pub fn of(fs: &str, mkfs_options: &str, mount_options: &str) -> Self {
        let has = |text: &str, word: &str| text.contains(word);
        match fs {
            "ext4" | "ext3"
                if has(mkfs_options, "^has_journal") || has(mount_options, "noload") =>
            {
                Self::Posix
            }
            "ext4" if has(mkfs_options, "fast_commit") => Self::Linux,
            // Data may show up late, or be stale: only what was made durable counts.
            "ext4" | "ext3" if has(mount_options, "data=writeback") => Self::Posix,
            "ext4" | "ext3" | "xfs" => Self::Ordered,
            "btrfs" | "bcachefs" => Self::Linux,
            // By default fsync follows POSIX there, and no more (Documentation/filesystems/f2fs.rst).
            "f2fs" if has(mount_options, "fsync_mode=strict") => Self::Linux,
            _ => Self::Posix,
        }
    }

    pub fn name(self) -> &'static str {
        let found = LEVELS.iter().find(|(level, _)| *level == self);
        found.map_or("", |(_, name)| name)
    }

    /// fsync of a file makes its names durable, and that it has no others.
    pub fn fsync_covers_names(self) -> bool {
        self >= Self::Linux
    }

    /// A file that has a name at all times keeps one; none has more names than it ever had.
    pub fn renames_are_atomic(self) -> bool {
        self >= Self::Linux
    }

    /// Space that was allocated stays.
    pub fn keeps_space(self) -> bool {
        self >= Self::Linux
    }

    /// Data is old, new or zeroes.
    pub fn hides_stale_data(self) -> bool {
        self >= Self::Linux
    }

    /// All names are those of one moment.
    pub fn names_are_ordered(self) -> bool {
        self == Self::Ordered
    }
}

/// Whether what is known of a file is in its directory entry. Then it has another inode number with each
/// mount; its new entry says nothing of its data until it is fsynced itself; and Linux sends no
/// flush for sync(2) and syncfs(2).
pub fn has_fat(fs: &str) -> bool {
    matches!(fs, "vfat" | "msdos" | "exfat")
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = LEVELS.iter().find(|(_, name)| *name == text);
        found
            .map(|(level, _)| *level)
            .ok_or_else(|| format!("{text:?} is no level: give posix, linux or ordered"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filesystems_have_the_level_that_they_keep() {
        for (fs, mkfs, mount, level) in [
            ("ext4", "", "", Level::Ordered),
            ("ext4", "-O fast_commit", "", Level::Linux),
            ("ext4", "-O ^has_journal", "", Level::Posix),
            ("ext4", "", "data=writeback", Level::Posix),
            ("xfs", "", "", Level::Ordered),
            ("btrfs", "", "compress=zstd", Level::Linux),
            ("f2fs", "", "", Level::Posix),
            ("f2fs", "", "fsync_mode=strict", Level::Linux),
            ("vfat", "", "", Level::Posix),
            ("mine", "", "", Level::Posix),
        ] {
            assert_eq!(Level::of(fs, mkfs, mount), level, "{fs} {mkfs} {mount}");
        }
        for (level, name) in LEVELS {
            assert_eq!(name.parse(), Ok(level));
        }
    }
}
