// SPDX-License-Identifier: GPL-2.0

//! What names there are at each point of a program that was not run: which operations can succeed,
//! and what is known of the files that they act on.

use std::collections::BTreeMap;

use crate::op::{Op, RenameHow, ROOT};
use crate::tree::Kind;

/// What happened to a file since everything was last made durable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    pub is_new: bool,
    pub is_renamed: bool,
    pub is_linked: bool,
    pub lost_a_name: bool,
    /// Of a directory: it has other names.
    pub is_written: bool,
    pub has_other_attributes: bool,
    pub is_fsynced: bool,
}

#[derive(Debug, Clone)]
struct Node {
    kind: Kind,
    state: State,
}

/// A file or directory, whatever names it has.
pub type NodeNr = usize;

#[derive(Debug, Clone)]
pub struct Namespace {
    nodes: Vec<Node>,
    names: BTreeMap<String, NodeNr>,
    /// Whether an operation was done.
    is_used: bool,
    /// Files that are held open.
    held: Vec<NodeNr>,
}

/// The directory that a path is in.
pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or(ROOT, |(dir, _)| dir)
}

impl Namespace {
    /// After operations that succeed, made durable.
    pub fn after(ops: &[Op]) -> Self {
        let mut namespace = Self {
            nodes: vec![Node {
                kind: Kind::Directory,
                state: State::default(),
            }],
            names: BTreeMap::from([(ROOT.to_string(), 0)]),
            is_used: false,
            held: Vec::new(),
        };
        for op in ops {
            namespace.apply(op);
        }
        namespace.apply(&Op::Sync);
        namespace.is_used = false;
        namespace
    }

    /// What has a path.
    pub fn node(&self, path: &str) -> Option<NodeNr> {
        self.names.get(path).copied()
    }

    /// What is held open.
    pub fn held(&self) -> &[NodeNr] {
        &self.held
    }

    fn kind(&self, path: &str) -> Option<Kind> {
        self.names.get(path).map(|node| self.nodes[*node].kind)
    }

    fn is_dir(&self, path: &str) -> bool {
        self.kind(path) == Some(Kind::Directory)
    }

    fn is_free(&self, path: &str) -> bool {
        self.kind(path).is_none() && self.is_dir(parent(path))
    }

    fn is_empty_dir(&self, path: &str) -> bool {
        let prefix = format!("{path}/");
        self.is_dir(path) && !self.names.keys().any(|name| name.starts_with(&prefix))
    }

    /// What is known of what has a path.
    pub fn state(&self, path: &str) -> Option<(Kind, State)> {
        let node = &self.nodes[*self.names.get(path)?];
        Some((node.kind, node.state))
    }

    /// Whether nothing was done to what has a path since everything was last made durable.
    pub fn is_clean(&self, path: &str) -> bool {
        self.state(path)
            .is_none_or(|(_, state)| state == State::default())
    }

    /// Whether an operation can succeed, by the names, and does something.
    pub fn allows(&self, op: &Op) -> bool {
        let is_regular = |path: &str| self.kind(path) == Some(Kind::Regular);
        match op {
            Op::Creat(path) | Op::Tmpfile(path) | Op::Mkdir(path) | Op::Mkfifo(path) => {
                self.is_free(path)
            }
            Op::Symlink { path, .. } => self.is_free(path),
            Op::Link { from, to } => {
                self.kind(from).is_some_and(|kind| kind != Kind::Directory) && self.is_free(to)
            }
            Op::Rename { from, to, how } => self.allows_rename(from, to, *how),
            Op::Unlink(path) => self.kind(path).is_some_and(|kind| kind != Kind::Directory),
            Op::Rmdir(path) => path != ROOT && self.is_empty_dir(path),
            Op::Write { path, .. }
            | Op::Truncate { path, .. }
            | Op::Fallocate { path, .. }
            | Op::Fdatasync(path)
            | Op::SyncFileRange(path) => is_regular(path),
            Op::Copy { from, to } | Op::Reflink { from, to } => {
                is_regular(from) && is_regular(to) && self.names[from] != self.names[to]
            }
            Op::CopyRange { from, to, .. } => is_regular(from) && is_regular(to),
            Op::SetXattr { path, .. }
            | Op::RemoveXattr { path, .. }
            | Op::Chmod { path, .. }
            | Op::Utimens { path, .. }
            | Op::Open(path)
            | Op::Fsync(path) => is_regular(path) || self.is_dir(path),
            Op::FsyncOpen => !self.held.is_empty(),
            // After nothing there is nothing of interest in the caches, and nothing to write back.
            Op::DropCaches | Op::Remount => self.is_used,
            Op::Syncfs | Op::Sync => true,
        }
    }

    fn allows_rename(&self, from: &str, to: &str, how: RenameHow) -> bool {
        let (Some(source), target) = (self.names.get(from), self.names.get(to)) else {
            return false;
        };
        let is_within = |inner: &str, outer: &str| inner.starts_with(&format!("{outer}/"));
        if target == Some(source) || is_within(to, from) || is_within(from, to) {
            return false;
        }
        match (how, target) {
            (RenameHow::Exchange, target) => target.is_some(),
            (_, None) => self.is_dir(parent(to)),
            (RenameHow::NoReplace, Some(_)) => false,
            (_, Some(_)) => match (self.is_dir(from), self.is_dir(to)) {
                (true, true) => self.is_empty_dir(to),
                (false, false) => true,
                _ => false,
            },
        }
    }

    /// Does an operation that is allowed.
    pub fn apply(&mut self, op: &Op) {
        self.is_used = true;
        match op {
            Op::Creat(path) => self.add(path, Kind::Regular),
            Op::Tmpfile(path) => {
                self.add(path, Kind::Regular);
                self.change(path, |state| state.is_written = true);
            }
            Op::Mkdir(path) => self.add(path, Kind::Directory),
            Op::Mkfifo(path) => self.add(path, Kind::Fifo),
            Op::Symlink { path, .. } => self.add(path, Kind::Symlink),
            Op::Link { from, to } => {
                if let Some(node) = self.names.get(from).copied() {
                    self.names.insert(to.clone(), node);
                    self.change(to, |state| state.is_linked = true);
                    self.change(parent(to), |state| state.is_written = true);
                }
            }
            Op::Rename { from, to, how } => self.rename(from, to, *how),
            Op::Unlink(path) | Op::Rmdir(path) => {
                self.change(path, |state| state.lost_a_name = true);
                self.change(parent(path), |state| state.is_written = true);
                self.names.remove(path);
            }
            Op::Write { path, .. } | Op::Truncate { path, .. } | Op::Fallocate { path, .. } => {
                self.change(path, |state| state.is_written = true);
            }
            Op::Copy { to, .. } | Op::CopyRange { to, .. } | Op::Reflink { to, .. } => {
                self.change(to, |state| state.is_written = true);
            }
            Op::Fsync(path) => self.change(path, |state| state.is_fsynced = true),
            Op::Sync | Op::Syncfs => {
                self.nodes
                    .iter_mut()
                    .for_each(|node| node.state = State::default());
            }
            Op::SetXattr { path, .. }
            | Op::RemoveXattr { path, .. }
            | Op::Chmod { path, .. }
            | Op::Utimens { path, .. } => {
                self.change(path, |state| state.has_other_attributes = true);
            }
            Op::Open(path) => self.held.extend(self.node(path)),
            Op::Remount => self.held.clear(),
            Op::Fdatasync(_) | Op::FsyncOpen | Op::DropCaches | Op::SyncFileRange(_) => {}
        }
    }

    fn add(&mut self, path: &str, kind: Kind) {
        let state = State {
            is_new: true,
            ..State::default()
        };
        self.nodes.push(Node { kind, state });
        self.names.insert(path.into(), self.nodes.len() - 1);
        self.change(parent(path), |state| state.is_written = true);
    }

    fn change(&mut self, path: &str, change: impl FnOnce(&mut State)) {
        if let Some(node) = self.names.get(path) {
            change(&mut self.nodes[*node].state);
        }
    }

    fn rename(&mut self, from: &str, to: &str, how: RenameHow) {
        let moved = self.take(from);
        let replaced = self.take(to);
        self.put(to, moved);
        self.change(to, |state| state.is_renamed = true);
        for dir in [parent(from), parent(to)] {
            self.change(dir, |state| state.is_written = true);
        }
        match how {
            RenameHow::Exchange => {
                self.put(from, replaced);
                self.change(from, |state| state.is_renamed = true);
            }
            RenameHow::Whiteout => self.add(from, Kind::Device),
            RenameHow::Plain | RenameHow::NoReplace => {}
        }
    }

    /// Takes away a name and those below it, as they are relative to it.
    fn take(&mut self, path: &str) -> Vec<(String, usize)> {
        let prefix = format!("{path}/");
        let is_it = |name: &str| name == path || name.starts_with(&prefix);
        let names: Vec<String> = self
            .names
            .keys()
            .filter(|name| is_it(name))
            .cloned()
            .collect();
        let taken = names.iter().filter_map(|name| {
            let node = self.names.remove(name)?;
            Some((name[path.len()..].to_string(), node))
        });
        taken.collect()
    }

    fn put(&mut self, path: &str, taken: Vec<(String, usize)>) {
        let names = taken
            .into_iter()
            .map(|(rest, node)| (format!("{path}{rest}"), node));
        self.names.extend(names);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::before;

    fn after(lines: &str) -> Namespace {
        let mut namespace = Namespace::after(&before());
        for line in lines.lines() {
            let op: Op = line.parse().unwrap();
            assert!(namespace.allows(&op), "{line}");
            namespace.apply(&op);
        }
        namespace
    }

    #[test]
    fn operations_are_allowed_that_can_succeed() {
        for (lines, next, is_allowed) in [
            ("", "creat foo", false),
            ("", "creat bar", true),
            ("", "creat C/bar", false),
            ("unlink foo", "creat foo", true),
            ("rename A C", "unlink C/foo", true),
            ("rename A C", "unlink A/foo", false),
            ("rename A B exchange", "unlink B/foo", true),
            ("", "rename A B", true),
            ("", "rename B A", false),
            ("", "rename A A/C", false),
            ("link foo bar", "rename foo bar", false),
            ("rename foo bar whiteout", "creat foo", false),
            ("symlink foo bar", "write bar 0 1", false),
            ("", "rmdir A", false),
            ("", "rmdir B", true),
            ("", "fsync /", true),
            ("", "reflink foo foo", false),
            ("", "copy foo foo 4096 0 4096", true),
            ("", "copy foo A 4096 0 4096", false),
            ("", "drop_caches", false),
            ("unlink foo", "drop_caches", true),
            ("", "fsync_open", false),
            ("open A", "fsync_open", true),
            ("open foo\nremount", "fsync_open", false),
        ] {
            let op: Op = next.parse().unwrap();
            assert_eq!(after(lines).allows(&op), is_allowed, "{lines}; {next}");
        }
    }

    #[test]
    fn what_happened_to_a_file_is_known_until_a_sync() {
        let namespace = after("creat bar\nlink bar A/bar\nrename bar B/bar");
        let (_, state) = namespace.state("A/bar").unwrap();
        assert!(state.is_new && state.is_linked && state.is_renamed);
        let (_, state) = after("creat bar\nsync").state("bar").unwrap();
        assert_eq!(state, State::default());
    }
}
