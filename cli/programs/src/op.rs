// SPDX-License-Identifier: GPL-2.0

//! Operations of a program, as a line of text each: `write A/foo 0 4096 dsync`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One operation. Paths are relative to the root of the filesystem.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Op {
    /// open(2) with O_CREAT and O_EXCL.
    Creat(String),
    /// O_TMPFILE in the directory of the path, a page of data, linkat(2) to the path.
    Tmpfile(String),
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

/// Why a text is no operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadOp {
    #[error("{0:?} is no operation; `powercut fuzz --help` tells where they are listed")]
    Verb(String),
    #[error("{0:?}: a word is missing, or there is one too many")]
    Words(String),
    #[error("{word:?} is no {what}")]
    Word { what: &'static str, word: String },
    #[error("{0:?} is no number")]
    Number(String),
    #[error("{0:?} is no path within the filesystem: give names joined by slashes, without `.` and `..`")]
    Path(String),
}

impl Op {
    /// The first word.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Creat(_) => "creat",
            Self::Tmpfile(_) => "tmpfile",
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
            Self::Copy { .. } => "copy",
            Self::Reflink { .. } => "reflink",
            Self::SetXattr { .. } => "setxattr",
            Self::RemoveXattr { .. } => "removexattr",
            Self::Chmod { .. } => "chmod",
            Self::Utimens { .. } => "utimens",
            Self::Fsync(_) => "fsync",
            Self::Fdatasync(_) => "fdatasync",
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
            | Self::Reflink { from, to } => vec![from, to],
            Self::Syncfs | Self::Sync => Vec::new(),
        }
    }

    /// Whether it makes anything durable.
    pub fn is_persistence(&self) -> bool {
        match self {
            Self::Fsync(_) | Self::Fdatasync(_) | Self::Syncfs | Self::Sync => true,
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
            Self::Sync | Self::Dsync | Self::RwfDsync | Self::Msync
        )
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb())?;
        match self {
            Self::Symlink { target, path } => write!(f, " {target} {path}"),
            Self::Link { from, to } | Self::Copy { from, to } | Self::Reflink { from, to } => {
                write!(f, " {from} {to}")
            }
            Self::Rename { from, to, how } => write!(f, " {from} {to} {}", how.word()),
            Self::Write { path, at, len, how } => write!(f, " {path} {at} {len} {}", how.word()),
            Self::Truncate { path, size } => write!(f, " {path} {size}"),
            Self::Fallocate {
                path,
                mode,
                at,
                len,
            } => {
                write!(f, " {path} {} {at} {len}", mode.word())
            }
            Self::SetXattr { path, name, value } => write!(f, " {path} {name} {value}"),
            Self::RemoveXattr { path, name } => write!(f, " {path} {name}"),
            Self::Chmod { path, mode } => write!(f, " {path} {mode:o}"),
            Self::Utimens { path, seconds } => write!(f, " {path} {seconds}"),
            _ => self
                .paths()
                .iter()
                .try_for_each(|path| write!(f, " {path}")),
        }
    }
}

impl FromStr for Op {
    type Err = BadOp;

    fn from_str(line: &str) -> Result<Self, BadOp> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some((&verb, rest)) = words.split_first() else {
            return Err(BadOp::Verb(line.into()));
        };
        let op = match (verb, rest) {
            ("creat", [p]) => Self::Creat(path(p)?),
            ("tmpfile", [p]) => Self::Tmpfile(path(p)?),
            ("mkdir", [p]) => Self::Mkdir(path(p)?),
            ("mkfifo", [p]) => Self::Mkfifo(path(p)?),
            ("symlink", [target, p]) => Self::Symlink {
                target: path(target)?,
                path: path(p)?,
            },
            ("link", [from, to]) => Self::Link {
                from: path(from)?,
                to: path(to)?,
            },
            ("rename", [from, to, how @ ..]) if how.len() < 2 => Self::Rename {
                from: path(from)?,
                to: path(to)?,
                how: how.first().map_or(Ok(RenameHow::Plain), |h| h.parse())?,
            },
            ("unlink", [p]) => Self::Unlink(path(p)?),
            ("rmdir", [p]) => Self::Rmdir(path(p)?),
            ("write", [p, at, len, how @ ..]) if how.len() < 2 => Self::Write {
                path: path(p)?,
                at: offset(at)?,
                len: offset(len)?,
                how: how.first().map_or(Ok(WriteHow::Plain), |h| h.parse())?,
            },
            ("truncate", [p, size]) => Self::Truncate {
                path: path(p)?,
                size: offset(size)?,
            },
            ("fallocate", [p, mode, at, len]) => Self::Fallocate {
                path: path(p)?,
                mode: mode.parse()?,
                at: offset(at)?,
                len: offset(len)?,
            },
            ("copy", [from, to]) => Self::Copy {
                from: path(from)?,
                to: path(to)?,
            },
            ("reflink", [from, to]) => Self::Reflink {
                from: path(from)?,
                to: path(to)?,
            },
            ("setxattr", [p, name, value]) => Self::SetXattr {
                path: path(p)?,
                name: attribute(name)?,
                value: (*value).into(),
            },
            ("removexattr", [p, name]) => Self::RemoveXattr {
                path: path(p)?,
                name: attribute(name)?,
            },
            ("chmod", [p, mode]) => Self::Chmod {
                path: path(p)?,
                mode: u32::from_str_radix(mode, 8)
                    .ok()
                    .filter(|mode| *mode <= 0o777)
                    .ok_or_else(|| BadOp::Number((*mode).into()))?,
            },
            ("utimens", [p, seconds]) => Self::Utimens {
                path: path(p)?,
                seconds: number(seconds)?,
            },
            ("fsync", [p]) => Self::Fsync(path(p)?),
            ("fdatasync", [p]) => Self::Fdatasync(path(p)?),
            ("sync_file_range", [p]) => Self::SyncFileRange(path(p)?),
            ("syncfs", []) => Self::Syncfs,
            ("sync", []) => Self::Sync,
            _ if VERBS.contains(&verb) => return Err(BadOp::Words(line.into())),
            _ => return Err(BadOp::Verb(verb.into())),
        };
        Ok(op)
    }
}

/// All first words.
pub const VERBS: [&str; 23] = [
    "creat",
    "tmpfile",
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
    "sync_file_range",
    "syncfs",
    "sync",
];

/// The root of the filesystem, as a path.
pub const ROOT: &str = "/";

/// Files are small, so that all of one can be compared.
pub const MAX_SIZE: u64 = 1 << 20;

fn path(text: &str) -> Result<String, BadOp> {
    let is_name = |name: &str| !matches!(name, "" | "." | "..") && name.len() <= 255;
    if text == ROOT || text.split('/').all(is_name) {
        Ok(text.into())
    } else {
        Err(BadOp::Path(text.into()))
    }
}

fn attribute(text: &str) -> Result<String, BadOp> {
    match text.strip_prefix("user.") {
        Some(name) if !name.is_empty() => Ok(text.into()),
        _ => Err(BadOp::Word {
            what: "name of an attribute, which begins with `user.`",
            word: text.into(),
        }),
    }
}

fn number<T: FromStr>(text: &str) -> Result<T, BadOp> {
    text.parse().map_err(|_| BadOp::Number(text.into()))
}

fn offset(text: &str) -> Result<u64, BadOp> {
    let offset = number(text)?;
    if offset > MAX_SIZE {
        return Err(BadOp::Word {
            what: "offset or length: 1 MiB at most",
            word: text.into(),
        });
    }
    Ok(offset)
}

impl TryFrom<String> for Op {
    type Error = BadOp;

    fn try_from(text: String) -> Result<Self, BadOp> {
        text.parse()
    }
}

impl From<Op> for String {
    fn from(op: Op) -> Self {
        op.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_a_line() {
        for line in [
            "creat foo",
            "tmpfile A/foo",
            "mkdir A",
            "mkfifo A/pipe",
            "symlink foo A/bar",
            "link foo bar",
            "rename foo bar plain",
            "rename foo bar exchange",
            "unlink foo",
            "rmdir A",
            "write foo 0 4096 plain",
            "write foo 100 5 rwf-dsync",
            "truncate foo 0",
            "fallocate foo zero-keep-size 4096 4096",
            "copy foo bar",
            "reflink foo bar",
            "setxattr foo user.a 1",
            "removexattr foo user.a",
            "chmod foo 600",
            "utimens foo 1000000000",
            "fsync /",
            "fdatasync foo",
            "sync_file_range foo",
            "syncfs",
            "sync",
        ] {
            let op: Op = line.parse().unwrap();
            assert_eq!(op.to_string(), line);
            assert!(VERBS.contains(&op.verb()));
        }
        assert_eq!("write foo 0 1".parse(), "write foo 0 1 plain".parse::<Op>());
    }

    #[test]
    fn what_is_no_operation_is_refused() {
        for line in [
            "",
            "format foo",
            "creat",
            "creat foo bar",
            "creat ../foo",
            "creat /foo",
            "creat A//foo",
            "write foo -1 4 plain",
            "write foo 0 99999999 plain",
            "write foo 0 4 fast",
            "chmod foo 9",
            "chmod foo 7777",
            "setxattr foo trusted.a 1",
            "sync foo",
        ] {
            assert!(line.parse::<Op>().is_err(), "{line}");
        }
    }
}
