// SPDX-License-Identifier: GPL-2.0

//! Takes down what a filesystem holds.

use std::fs::File as Handle;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{
    fgetxattr, flistxattr, openat, readlinkat, statx, AtFlags, Dir, FileType, Mode, OFlags, Statx,
    StatxFlags,
};
use rustix::io::Errno;

use crate::op::ROOT;
use crate::tree::{Content, File, Kind, Name, Tree};

/// Bytes of a file that are compared.
const MAX_READ: u64 = 4 << 20;
/// A tree with more names than that is none of ours.
const MAX_NAMES: usize = 4096;

/// What can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: cannot {what}: {errno}")]
pub struct Unreadable {
    pub path: String,
    pub what: &'static str,
    pub errno: Errno,
}

/// The directory of ext4 for what its checker finds nowhere else.
const LOST: &str = "lost+found";

/// Names that the filesystem or its checker makes: that of ext4 in the root, those of fsck.fat anywhere.
pub(crate) fn is_foreign(dir: &str, name: &str) -> bool {
    let is_fat = name.len() == 12 && name.starts_with("FSCK") && name.as_bytes()[8] == b'.';
    is_fat || (dir == ROOT && name == LOST)
}

/// The inode number of the first file that can't be read: no other has one like it.
const UNREADABLE: u64 = u64::MAX;

/// What a filesystem holds whose root is open. Access times stay as they are. What can't be read below
/// the root is noted as such.
pub fn walk(root: impl AsFd) -> Result<Tree, Unreadable> {
    let mut tree = Tree::default();
    let fd = open(root, ".", OFlags::DIRECTORY).map_err(failed(ROOT, "open"))?;
    tree.root = enter(&mut tree, &fd, ROOT)?;
    Ok(tree)
}

fn failed(path: &str, what: &'static str) -> impl Fn(Errno) -> Unreadable {
    let path = path.to_string();
    move |errno| Unreadable {
        path: path.clone(),
        what,
        errno,
    }
}

fn open(dir: impl AsFd, name: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    match openat(&dir, name, flags | OFlags::NOATIME, Mode::empty()) {
        // Of a file of another user.
        Err(Errno::PERM) => openat(&dir, name, flags, Mode::empty()),
        opened => opened,
    }
}

/// Takes down a directory and all below it; its inode number.
fn enter(tree: &mut Tree, fd: &OwnedFd, path: &str) -> Result<u64, Unreadable> {
    let stat = stat(fd, "", AtFlags::EMPTY_PATH).map_err(failed(path, "stat"))?;
    let inode = stat.stx_ino;
    if tree.files.contains_key(&inode) {
        // A directory in two places: the names tell.
        return Ok(inode);
    }
    let mut file = file_of(&stat);
    file.xattrs = xattrs(fd).map_err(failed(path, "read the attributes"))?;
    tree.files.insert(inode, file);
    let listed = list(tree, fd, path, inode);
    if listed.is_err() {
        tree.files.remove(&inode);
    }
    listed.map(|()| inode)
}

/// Takes down what is in a directory.
fn list(tree: &mut Tree, fd: &OwnedFd, path: &str, inode: u64) -> Result<(), Unreadable> {
    let mut names = Vec::new();
    let entries = Dir::read_from(fd).map_err(failed(path, "list the directory"))?;
    for entry in entries {
        let entry = entry.map_err(failed(path, "list the directory"))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if path == ROOT && name == LOST {
            let lost = open(fd, LOST, OFlags::DIRECTORY).and_then(|fd| count_lost(tree, &fd));
            lost.map_err(failed(LOST, "list the directory"))?;
        }
        if name != "." && name != ".." && !is_foreign(path, &name) {
            names.push(name);
        }
    }
    names.sort();
    for name in names {
        if tree.names.len() >= MAX_NAMES {
            return Err(failed(path, "list so many names")(Errno::TOOMANYREFS));
        }
        let below = if path == ROOT {
            name.clone()
        } else {
            format!("{path}/{name}")
        };
        let child = match child(tree, fd, &name, &below) {
            Ok(inode) => inode,
            Err(why) => {
                let inode = UNREADABLE - tree.names.len() as u64;
                tree.files.insert(inode, unreadable(&why));
                inode
            }
        };
        tree.names.push(Name {
            dir: inode,
            name,
            inode: child,
        });
    }
    Ok(())
}

/// Counts the names in a directory below `lost+found`, and in those below it.
fn count_lost(tree: &mut Tree, fd: &OwnedFd) -> rustix::io::Result<()> {
    for entry in Dir::read_from(fd)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "." || name == ".." {
            continue;
        }
        let is_first = !tree.lost.contains_key(&entry.ino());
        *tree.lost.entry(entry.ino()).or_default() += 1;
        if is_first && entry.file_type() == FileType::Directory {
            count_lost(tree, &open(fd, &name, OFlags::DIRECTORY)?)?;
        }
    }
    Ok(())
}

/// Takes down what has a name; its inode number.
fn child(tree: &mut Tree, dir: &OwnedFd, name: &str, path: &str) -> Result<u64, Unreadable> {
    let stat = stat(dir, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed(path, "stat"))?;
    let mut file = file_of(&stat);
    match file.kind {
        Kind::Directory => {
            let fd = open(dir, name, OFlags::DIRECTORY).map_err(failed(path, "open"))?;
            return enter(tree, &fd, path);
        }
        Kind::Regular if !tree.files.contains_key(&stat.stx_ino) => {
            let fd = open(dir, name, OFlags::empty()).map_err(failed(path, "open"))?;
            file.xattrs = xattrs(&fd).map_err(failed(path, "read the attributes"))?;
            file.content = content(fd, stat.stx_size).map_err(failed(path, "read"))?;
        }
        Kind::Symlink => {
            let target =
                readlinkat(dir, name, Vec::new()).map_err(failed(path, "read the link"))?;
            file.content.push(target.as_bytes());
        }
        _ => {}
    }
    tree.files.entry(stat.stx_ino).or_insert(file);
    Ok(stat.stx_ino)
}

fn stat(fd: impl AsFd, name: &str, flags: AtFlags) -> rustix::io::Result<Statx> {
    statx(fd, name, flags, StatxFlags::BASIC_STATS)
}

fn file_of(stat: &Statx) -> File {
    let kind = match FileType::from_raw_mode(stat.stx_mode.into()) {
        FileType::RegularFile => Kind::Regular,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        FileType::Fifo => Kind::Fifo,
        FileType::CharacterDevice | FileType::BlockDevice => Kind::Device,
        _ => Kind::Other,
    };
    File {
        kind,
        links: stat.stx_nlink,
        mode: u32::from(stat.stx_mode) & 0o7777,
        modified: (stat.stx_mtime.tv_sec, stat.stx_mtime.tv_nsec),
        xattrs: Default::default(),
        unreadable: None,
        space: match kind {
            Kind::Regular => stat.stx_blocks * 512,
            _ => 0,
        },
        content: Content::default(),
    }
}

/// A file that can't be read.
fn unreadable(why: &Unreadable) -> File {
    File {
        kind: Kind::Other,
        links: 0,
        mode: 0,
        modified: (0, 0),
        xattrs: Default::default(),
        unreadable: Some(why.to_string()),
        space: 0,
        content: Content::default(),
    }
}

fn content(fd: OwnedFd, size: u64) -> rustix::io::Result<Content> {
    let mut content = Content::default();
    let mut bytes = Vec::new();
    let read = Handle::from(fd).take(MAX_READ).read_to_end(&mut bytes);
    read.map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))?;
    content.push(&bytes);
    if size > MAX_READ {
        content.push_run(size - MAX_READ, 0);
    }
    Ok(content)
}

fn xattrs(fd: &OwnedFd) -> rustix::io::Result<std::collections::BTreeMap<String, String>> {
    let mut names = vec![0u8; 65536];
    let len = match flistxattr(fd, &mut names[..]) {
        Ok(len) => len,
        Err(Errno::NOTSUP) => 0,
        Err(e) => return Err(e),
    };
    let mut found = std::collections::BTreeMap::new();
    for name in names[..len].split(|byte| *byte == 0) {
        if !name.starts_with(b"user.") {
            continue;
        }
        let mut value = vec![0u8; 65536];
        let len = fgetxattr(fd, name, &mut value[..])?;
        found.insert(
            String::from_utf8_lossy(name).into_owned(),
            String::from_utf8_lossy(&value[..len]).into_owned(),
        );
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_a_checker_found_is_counted_and_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir_all(path("lost+found/#12")).unwrap();
        fs::write(path("baz"), "x").unwrap();
        for name in ["lost+found/#12/baz", "lost+found/#13"] {
            fs::hard_link(path("baz"), path(name)).unwrap();
        }
        let tree = walk(fs::File::open(dir.path()).unwrap()).unwrap();
        let baz = tree.find("baz").unwrap();
        assert_eq!(tree.names.len(), 1);
        assert_eq!(tree.lost.get(&baz), Some(&2));
        assert_eq!(tree.files[&baz].links, 3);
    }
}
