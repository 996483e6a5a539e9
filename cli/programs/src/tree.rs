// SPDX-License-Identifier: GPL-2.0

//! What a filesystem holds at a moment: names, and the files that they stand for.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// All that a filesystem holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// The inode number of the root.
    pub root: u64,
    pub files: BTreeMap<u64, File>,
    pub names: Vec<Name>,
    /// How many names an inode has below `lost+found`, where a checker puts what it finds nowhere else.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lost: BTreeMap<u64, usize>,
}

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Name {
    /// The inode number of the directory.
    pub dir: u64,
    pub name: String,
    /// The inode number of what has the name.
    pub inode: u64,
}

/// A file of any kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    pub kind: Kind,
    pub links: u32,
    /// The permissions.
    pub mode: u32,
    /// Seconds and nanoseconds.
    pub modified: (i64, u32),
    /// Those of the name space `user`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub xattrs: BTreeMap<String, String>,
    /// Why nothing is known of it: it can't be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    /// How many bytes of space a regular file has.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub space: u64,
    /// Of a regular file; of a symbolic link what it points to.
    #[serde(default, skip_serializing_if = "Content::is_empty")]
    pub content: Content,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Regular,
    Directory,
    Symlink,
    Fifo,
    /// What RENAME_WHITEOUT leaves.
    Device,
    Other,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Regular => "regular file",
            Self::Directory => "directory",
            Self::Symlink => "symbolic link",
            Self::Fifo => "fifo",
            Self::Device => "device",
            Self::Other => "file of another kind",
        })
    }
}

/// The bytes of a file, as runs of equal bytes: how many, and which.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Content(Vec<(u64, u8)>);

impl Content {
    /// Adds bytes at the end.
    pub fn push(&mut self, bytes: &[u8]) {
        for run in bytes.chunk_by(|a, b| a == b) {
            self.push_run(run.len() as u64, run[0]);
        }
    }

    /// Adds equal bytes at the end.
    pub fn push_run(&mut self, len: u64, byte: u8) {
        match self.0.last_mut() {
            Some((before, last)) if *last == byte => *before += len,
            _ => self.0.push((len, byte)),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In bytes.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|(len, _)| len).sum()
    }

    /// Runs of equal bytes with the offset of each.
    pub fn runs(&self) -> impl Iterator<Item = (u64, u64, u8)> + '_ {
        self.0.iter().scan(0, |at, (len, byte)| {
            let run = (*at, *len, *byte);
            *at += len;
            Some(run)
        })
    }

    /// The byte at an offset; 0 beyond the end.
    pub fn byte(&self, offset: u64) -> u8 {
        let found = self.runs().find(|(at, len, _)| offset < at + len);
        found.map_or(0, |(_, _, byte)| byte)
    }

    /// All bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let bytes = self.0.iter();
        bytes
            .flat_map(|(len, byte)| std::iter::repeat_n(*byte, *len as usize))
            .collect()
    }
}

impl File {
    /// What is first found to differ between this file and what it is later.
    fn difference(&self, later: &Self) -> Option<String> {
        let (old, new) = (self, later);
        let (size, new_size) = (old.content.len(), new.content.len());
        if old.kind != new.kind {
            return Some(format!("it was a {}, and is a {}", old.kind, new.kind));
        }
        if old.unreadable != new.unreadable {
            let why = new.unreadable.as_ref().or(old.unreadable.as_ref());
            let when = if new.unreadable.is_some() {
                ""
            } else {
                " before"
            };
            return why.map(|why| format!("it cannot be read{when}: {why}"));
        }
        if size != new_size {
            return Some(format!("its size was {size}, and is {new_size}"));
        }
        if old.links != new.links {
            let (links, new_links) = (old.links, new.links);
            return Some(format!("its link count was {links}, and is {new_links}"));
        }
        if old.mode != new.mode {
            let (mode, new_mode) = (old.mode, new.mode);
            return Some(format!(
                "its permissions were {mode:o}, and are {new_mode:o}"
            ));
        }
        if old.xattrs != new.xattrs {
            let names = |file: &Self| file.xattrs.keys().cloned().collect::<Vec<_>>().join(" ");
            let (names, new_names) = (names(old), names(new));
            return Some(format!(
                "its attributes were [{names}], and are [{new_names}], or have other values"
            ));
        }
        let starts = || {
            old.content
                .runs()
                .chain(new.content.runs())
                .map(|run| run.0)
        };
        let at = starts()
            .filter(|at| old.content.byte(*at) != new.content.byte(*at))
            .min()?;
        let (byte, new_byte) = (old.content.byte(at), new.content.byte(at));
        Some(format!("byte {at} was {byte:#04x}, and is {new_byte:#04x}"))
    }
}

impl Tree {
    /// What has a path; the paths of symbolic links are not followed.
    pub fn find(&self, path: &str) -> Option<u64> {
        if path == crate::op::ROOT {
            return Some(self.root);
        }
        path.split('/').try_fold(self.root, |dir, name| {
            let found = self.names.iter().find(|n| n.dir == dir && n.name == name);
            found.map(|n| n.inode)
        })
    }

    /// What is first found to differ between this tree and a later one, in their names and in what they stand for.
    /// Inode numbers and times do not count, nor does space, which a
    /// filesystem may take and give back.
    pub fn difference(&self, later: &Self) -> Option<String> {
        let (before, after) = (self.by_path(), later.by_path());
        let paths: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for path in paths {
            let what = match (before.get(path), after.get(path)) {
                (Some(_), None) => Some("it was there, and is not any more".into()),
                (None, Some(_)) => Some("it was not there, and is now".into()),
                (Some(Some(old)), Some(Some(new))) => old.difference(new),
                _ => None,
            };
            if let Some(what) = what {
                return Some(format!("{path}: {what}"));
            }
        }
        None
    }

    fn by_path(&self) -> BTreeMap<String, Option<&File>> {
        let names = self.names.iter();
        names
            .map(|name| {
                let path = match self.path(name.dir).as_str() {
                    crate::op::ROOT => name.name.clone(),
                    dir => format!("{dir}/{}", name.name),
                };
                (path, self.files.get(&name.inode))
            })
            .collect()
    }

    /// A path of what has an inode number, for messages.
    pub fn path(&self, inode: u64) -> String {
        let mut path = String::new();
        let mut at = inode;
        for _ in 0..self.names.len() {
            let Some(name) = self.names.iter().find(|n| n.inode == at) else {
                break;
            };
            path = if path.is_empty() {
                name.name.clone()
            } else {
                format!("{}/{path}", name.name)
            };
            at = name.dir;
        }
        if path.is_empty() {
            crate::op::ROOT.into()
        } else {
            path
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_runs_of_bytes() {
        let mut content = Content::default();
        for bytes in [&b"aab"[..], b"", b"bb", b"\0\0"] {
            content.push(bytes);
        }
        assert_eq!(content.bytes(), b"aabbb\0\0");
        assert_eq!(content.len(), 7);
        let bytes: Vec<u8> = (0..9).map(|offset| content.byte(offset)).collect();
        assert_eq!(bytes, b"aabbb\0\0\0\0");
        assert_eq!(content.runs().count(), 3);
    }

    #[test]
    fn the_first_difference_of_two_trees_is_told() {
        let file = |bytes: &[u8]| {
            let mut content = Content::default();
            content.push(bytes);
            File {
                kind: Kind::Regular,
                links: 1,
                mode: 0o644,
                modified: (5, 0),
                xattrs: BTreeMap::new(),
                unreadable: None,
                space: 4096,
                content,
            }
        };
        let tree = |name: &str, file: File| Tree {
            root: 1,
            files: BTreeMap::from([(2, file)]),
            names: vec![Name {
                dir: 1,
                name: name.into(),
                inode: 2,
            }],
            lost: BTreeMap::new(),
        };
        let old = tree("foo", file(b"aab"));
        for (new, what) in [
            (
                tree(
                    "foo",
                    File {
                        space: 0,
                        modified: (6, 0),
                        ..file(b"aab")
                    },
                ),
                None,
            ),
            (
                tree("bar", file(b"aab")),
                Some("bar: it was not there, and is now"),
            ),
            (
                tree("foo", file(b"aa")),
                Some("foo: its size was 3, and is 2"),
            ),
            (
                tree("foo", file(b"aac")),
                Some("foo: byte 2 was 0x62, and is 0x63"),
            ),
            (
                tree("foo", file(b"abb")),
                Some("foo: byte 1 was 0x61, and is 0x62"),
            ),
            (
                tree(
                    "foo",
                    File {
                        links: 2,
                        ..file(b"aab")
                    },
                ),
                Some("foo: its link count was 1, and is 2"),
            ),
            (
                tree(
                    "foo",
                    File {
                        mode: 0o600,
                        ..file(b"aab")
                    },
                ),
                Some("foo: its permissions were 644, and are 600"),
            ),
            (
                tree(
                    "foo",
                    File {
                        kind: Kind::Fifo,
                        ..file(b"aab")
                    },
                ),
                Some("foo: it was a regular file, and is a fifo"),
            ),
            (
                tree(
                    "foo",
                    File {
                        unreadable: Some("EIO".into()),
                        ..file(b"")
                    },
                ),
                Some("foo: it cannot be read: EIO"),
            ),
        ] {
            assert_eq!(old.difference(&new).as_deref(), what);
        }
    }
}
