// SPDX-License-Identifier: GPL-2.0

//! Operations of a program, as a line of text each: `write A/foo 0 4096 dsync`.

mod text;

use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use text::BadOp;

/// One operation. Paths are relative to the root of the filesystem.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Op {
    /// open(2) with O_CREAT and O_EXCL.
    Creat(String),
    /// O_TMPFILE in the directory of the path, a page of data, linkat(2) to the path.
    Tmpfile(String),
    /// open(2) of a file or directory, and not closed before the program ends or the filesystem is unmounted: what is removed
    /// then stays until then.
    Open(String),
    Mkdir(String),
    Mkfifo(String),
    Symlink {
        target: String,
        path: String,
    },
    Link {
        from: String,
        to: String,
    },
    Rename {
        from: String,
        to: String,
        how: RenameHow,
    },
    Unlink(String),
    Rmdir(String),
    Write {
        path: String,
        at: u64,
        len: u64,
        how: WriteHow,
    },
    Truncate {
        path: String,
        size: u64,
    },
    Fallocate {
        path: String,
        mode: FallocateMode,
        at: u64,
        len: u64,
    },
    /// copy_file_range(2) of all of a file over the start of another.
    Copy {
        from: String,
        to: String,
    },
    /// copy_file_range(2) of a part of a file, which may be the same one. Filesystems that can share blocks do that.
    CopyRange {
        from: String,
        to: String,
        from_at: u64,
        to_at: u64,
        len: u64,
    },
    /// The ioctl FICLONE.
    Reflink {
        from: String,
        to: String,
    },
    SetXattr {
        path: String,
        name: String,
        value: String,
    },
    RemoveXattr {
        path: String,
        name: String,
    },
    /// In octal.
    Chmod {
        path: String,
        mode: u32,
    },
    /// The time of modification, in seconds since 1970.
    Utimens {
        path: String,
        seconds: u32,
    },
    Fsync(String),
    Fdatasync(String),
    /// fsync(2) of each file that `open` holds, by its descriptor: it may have no name any more.
    FsyncOpen,
    /// What is clean leaves the caches, inodes too: /proc/sys/vm/drop_caches.
    DropCaches,
    /// The filesystem is unmounted and mounted again: it writes back what it kept, and reads it anew.
    Remount,
    /// sync_file_range(2) of all of a file, waited for: it starts writeback and makes nothing durable.
    SyncFileRange(String),
    Syncfs,
    Sync,
}

/// Defines an enumeration with a word for each value.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $what:literal, $($(#[$d:meta])* $value:ident = $word:literal),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$d])* $value),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$value),+];

            pub fn word(self) -> &'static str {
                match self { $(Self::$value => $word),+ }
            }
        }

        impl FromStr for $name {
            type Err = BadOp;

            fn from_str(text: &str) -> Result<Self, BadOp> {
                let found = Self::ALL.iter().find(|value| value.word() == text);
                found.copied().ok_or_else(|| BadOp::Word { what: $what, word: text.into() })
            }
        }
    };
}

words!(
    /// The flags of renameat2(2).
    RenameHow, "way to rename",
    Plain = "plain",
    NoReplace = "noreplace",
    Exchange = "exchange",
    Whiteout = "whiteout",
);

words!(
    /// How data is written.
    WriteHow, "way to write",
    Plain = "plain",
    Append = "append",
    /// O_SYNC.
    Sync = "sync",
    /// O_DSYNC.
    Dsync = "dsync",
    /// O_DIRECT.
    Direct = "direct",
    /// RWF_DSYNC.
    RwfDsync = "rwf-dsync",
    /// RWF_ATOMIC, with O_DIRECT.
    Atomic = "atomic",
    /// By io_uring.
    Uring = "io_uring",
    /// By io_uring, with O_DIRECT and O_DSYNC: it ends in a worker of the kernel.
    UringDsync = "io_uring-dsync",
    /// Through a shared mapping.
    Mmap = "mmap",
    /// The same, then msync(2) with MS_SYNC.
    Msync = "msync",
);

words!(
    /// The modes of fallocate(2).
    FallocateMode, "mode of fallocate",
    Allocate = "allocate",
    KeepSize = "keep-size",
    Punch = "punch",
    Zero = "zero",
    ZeroKeepSize = "zero-keep-size",
    Collapse = "collapse",
    Insert = "insert",
    Unshare = "unshare",
);

impl Op {
    /// The first word.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Creat(_) => "creat",
            Self::Tmpfile(_) => "tmpfile",
            Self::Open(_) => "open",
            Self::Mkdir(_) => "mkdir",
            Self::Mkfifo(_) => "mkfifo",
            Self::Symlink { .. } => "symlink",
            Self::Link { .. } => "link",
            Self::Rename { .. } => "rename",
            Self::Unlink(_) => "unlink",
            Self::Rmdir(_) => "rmdir",
            Self::Write { .. } => "write",
            Self::Truncate { .. } => "truncate",
            Self::Fallocate { .. } => "fallocate",
            Self::Copy { .. } | Self::CopyRange { .. } => "copy",
            Self::Reflink { .. } => "reflink",
            Self::SetXattr { .. } => "setxattr",
            Self::RemoveXattr { .. } => "removexattr",
            Self::Chmod { .. } => "chmod",
            Self::Utimens { .. } => "utimens",
            Self::Fsync(_) => "fsync",
            Self::Fdatasync(_) => "fdatasync",
            Self::FsyncOpen => "fsync_open",
            Self::DropCaches => "drop_caches",
            Self::Remount => "remount",
            Self::SyncFileRange(_) => "sync_file_range",
            Self::Syncfs => "syncfs",
            Self::Sync => "sync",
        }
    }

    /// The first word, and the word that says in which way, where there are several.
    pub fn kind(&self) -> String {
        let how = match self {
            Self::Rename { how, .. } => how.word(),
            Self::Write { how, .. } => how.word(),
            Self::Fallocate { mode, .. } => mode.word(),
            _ => return self.verb().into(),
        };
        format!("{} {how}", self.verb())
    }

    /// The paths that it names: what it acts on first.
    pub fn paths(&self) -> Vec<&str> {
        match self {
            Self::Creat(path)
            | Self::Tmpfile(path)
            | Self::Open(path)
            | Self::Mkdir(path)
            | Self::Mkfifo(path)
            | Self::Symlink { path, .. }
            | Self::Unlink(path)
            | Self::Rmdir(path)
            | Self::Write { path, .. }
            | Self::Truncate { path, .. }
            | Self::Fallocate { path, .. }
            | Self::SetXattr { path, .. }
            | Self::RemoveXattr { path, .. }
            | Self::Chmod { path, .. }
            | Self::Utimens { path, .. }
            | Self::Fsync(path)
            | Self::Fdatasync(path)
            | Self::SyncFileRange(path) => vec![path],
            Self::Link { from, to }
            | Self::Rename { from, to, .. }
            | Self::Copy { from, to }
            | Self::CopyRange { from, to, .. }
            | Self::Reflink { from, to } => vec![from, to],
            Self::FsyncOpen | Self::DropCaches | Self::Remount | Self::Syncfs | Self::Sync => {
                Vec::new()
            }
        }
    }

    /// Whether there are filesystems that have nothing like it.
    pub fn is_optional(&self) -> bool {
        matches!(self, Self::Link { .. } | Self::SetXattr { .. })
    }

    /// Whether it changes what is in a file, or where that is.
    pub fn changes_data(&self) -> bool {
        matches!(
            self,
            Self::Write { .. }
                | Self::Truncate { .. }
                | Self::Fallocate { .. }
                | Self::Copy { .. }
                | Self::CopyRange { .. }
                | Self::Reflink { .. }
        )
    }

    /// Whether it is done by io_uring.
    pub fn is_uring(&self) -> bool {
        use WriteHow::{Uring, UringDsync};
        let how = match self {
            Self::Write { how, .. } => how,
            _ => return false,
        };
        matches!(how, Uring | UringDsync)
    }

    /// Whether it makes anything durable.
    pub fn is_persistence(&self) -> bool {
        match self {
            Self::Fsync(_) | Self::Fdatasync(_) | Self::FsyncOpen | Self::Syncfs | Self::Sync => {
                true
            }
            Self::Write { how, .. } => how.is_durable(),
            _ => false,
        }
    }
}

impl WriteHow {
    /// Whether the data is durable when the write returns.
    pub fn is_durable(self) -> bool {
        matches!(
            self,
            Self::Sync | Self::Dsync | Self::RwfDsync | Self::Msync | Self::UringDsync
        )
    }
}

/// All first words.
pub const VERBS: [&str; 27] = [
    "creat",
    "tmpfile",
    "open",
    "mkdir",
    "mkfifo",
    "symlink",
    "link",
    "rename",
    "unlink",
    "rmdir",
    "write",
    "truncate",
    "fallocate",
    "copy",
    "reflink",
    "setxattr",
    "removexattr",
    "chmod",
    "utimens",
    "fsync",
    "fdatasync",
    "fsync_open",
    "drop_caches",
    "remount",
    "sync_file_range",
    "syncfs",
    "sync",
];

/// The root of the filesystem, as a path.
pub const ROOT: &str = "/";

/// Files are small, so that all of one can be compared.
pub const MAX_SIZE: u64 = 1 << 20;
