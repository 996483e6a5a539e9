// SPDX-License-Identifier: GPL-2.0

//! What a filesystem holds at a moment: names, and the files that they stand for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// All that a filesystem holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// The inode number of the root.
    pub root: u64,
    pub files: BTreeMap<u64, File>,
    pub names: Vec<Name>,
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

    /// Whether another tree has the same names, and what they stand for is the same but for inode
    /// numbers and space, which a filesystem may take and give back.
    pub fn shows_as(&self, other: &Self) -> bool {
        let shown = |tree: &Self| -> BTreeMap<String, Option<File>> {
            let names = tree.names.iter();
            names
                .map(|name| {
                    let path = format!("{}/{}", tree.path(name.dir), name.name);
                    let file = tree.files.get(&name.inode).cloned();
                    (path, file.map(|file| File { space: 0, ..file }))
                })
                .collect()
        };
        shown(self) == shown(other)
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
}
