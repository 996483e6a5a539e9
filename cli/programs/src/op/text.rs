// SPDX-License-Identifier: GPL-2.0

//! Operations as lines of text.

use std::fmt;
use std::str::FromStr;

use super::{Op, RenameHow, WriteHow, MAX_SIZE, ROOT, VERBS};

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

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verb())?;
        match self {
            Self::Symlink { target, path } => write!(f, " {target} {path}"),
            Self::Link { from, to } | Self::Copy { from, to } | Self::Reflink { from, to } => {
                write!(f, " {from} {to}")
            }
            Self::CopyRange {
                from,
                to,
                from_at,
                to_at,
                len,
            } => write!(f, " {from} {to} {from_at} {to_at} {len}"),
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
            ("open", [p]) => Self::Open(path(p)?),
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
            ("copy", [from, to, from_at, to_at, len]) => Self::CopyRange {
                from: path(from)?,
                to: path(to)?,
                from_at: offset(from_at)?,
                to_at: offset(to_at)?,
                len: offset(len)?,
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
            ("fsync_open", []) => Self::FsyncOpen,
            ("drop_caches", []) => Self::DropCaches,
            ("remount", []) => Self::Remount,
            ("syncfs", []) => Self::Syncfs,
            ("sync", []) => Self::Sync,
            _ if VERBS.contains(&verb) => return Err(BadOp::Words(line.into())),
            _ => return Err(BadOp::Verb(verb.into())),
        };
        Ok(op)
    }
}

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
            "copy foo foo 4096 0 8192",
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
