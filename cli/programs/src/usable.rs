// SPDX-License-Identifier: GPL-2.0

//! Uses what a power cut left as software would: makes files, then removes all there is.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{openat, unlinkat, AtFlags, Dir, Mode, OFlags};
use rustix::io::{write, Errno};

use crate::problem::{Problem, Rule};
use crate::tree::{Kind, Tree};
use crate::walk::is_foreign;

/// A name that no program has.
const NEW: &str = ".new";

/// Makes and removes a file in each directory, then removes everything, from the deepest on.
pub fn use_all(root: impl AsFd, tree: &Tree) -> Option<Problem> {
    let problem = |what: &str, path: &str, errno: Errno| {
        let path = if path.is_empty() { "/" } else { path };
        Some(Problem::new(
            Rule::Usable,
            format!("{path}: cannot {what}: {errno}"),
        ))
    };
    if tree.files.values().any(|file| file.unreadable.is_some()) {
        // It was judged as what it is.
        return None;
    }
    // The newest names first: what is in a directory is behind its name.
    let mut paths: Vec<(String, Kind)> = Vec::new();
    below(tree, tree.root, "", &mut paths);
    let dirs = paths.iter().filter(|(_, kind)| *kind == Kind::Directory);
    for dir in [""].into_iter().chain(dirs.map(|(path, _)| path.as_str())) {
        if let Err(errno) = make(root.as_fd(), dir) {
            return problem("make a file there", dir, errno);
        }
    }
    for (path, kind) in paths.iter().rev() {
        let flags = match kind {
            Kind::Directory => AtFlags::REMOVEDIR,
            _ => AtFlags::empty(),
        };
        match unlinkat(&root, path, flags) {
            Ok(()) => {}
            // What a checker put there stays.
            Err(Errno::NOTEMPTY) if has_foreign(root.as_fd(), path) => return None,
            Err(errno) => return problem("remove it", path, errno),
        }
    }
    None
}

fn has_foreign(root: impl AsFd, path: &str) -> bool {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let entries = openat(root, path, flags, Mode::empty()).and_then(Dir::read_from);
    let mut names = entries.into_iter().flatten().flatten();
    names.any(|entry| is_foreign(path, &entry.file_name().to_string_lossy()))
}

fn below(tree: &Tree, dir: u64, path: &str, paths: &mut Vec<(String, Kind)>) {
    // A directory that contains itself would never end.
    if path.len() > 1000 {
        return;
    }
    for name in tree.names.iter().filter(|name| name.dir == dir) {
        let path = match path {
            "" => name.name.clone(),
            path => format!("{path}/{}", name.name),
        };
        let kind = tree
            .files
            .get(&name.inode)
            .map_or(Kind::Other, |file| file.kind);
        paths.push((path.clone(), kind));
        if kind == Kind::Directory {
            below(tree, name.inode, &path, paths);
        }
    }
}

fn make(root: impl AsFd, dir: &str) -> rustix::io::Result<()> {
    let path = if dir.is_empty() {
        NEW.to_string()
    } else {
        format!("{dir}/{NEW}")
    };
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let fd: OwnedFd = openat(&root, &path, flags, Mode::from_raw_mode(0o644))?;
    match write(&fd, b"new") {
        // A full filesystem is no broken one.
        Ok(_) | Err(Errno::NOSPC) => unlinkat(&root, &path, AtFlags::empty()),
        Err(e) => Err(e),
    }
}
