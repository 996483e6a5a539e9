// SPDX-License-Identifier: GPL-2.0

//! Notes of what this process made and has to take away again: disks, views, directories, changed
//! settings. A killed process leaves them in /run/powercut, where [`crate::stale`] finds them.
//!
//! A process has a directory there. Its file `owner` is locked as long as the process lives: a lock
//! goes with its holder, whatever ends it, and no other process can take its number for it. Every
//! other file there is an item.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{flock, FlockOperation};
use serde::{Deserialize, Serialize};

/// Where processes have their directories.
pub const DIR: &str = "/run/powercut";
/// The file in a process's directory that says whose it is.
pub const OWNER: &str = "owner";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Whose notes they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    pub pid: u32,
    /// Of the boot that it runs in.
    pub boot: String,
}

/// What is to be taken away, or put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Item {
    /// A disk or a view: its directory in configfs.
    Disk { dir: PathBuf, inode: u64 },
    /// A directory for temporary files, with mounts in it.
    Scratch { dir: PathBuf, inode: u64 },
    /// A device of the device mapper.
    Mapper { name: String },
    /// A file with a kernel setting, what was in it before, and what was written to it.
    Setting {
        file: PathBuf,
        before: String,
        set: String,
    },
}

impl Item {
    /// A disk or a view that was just made.
    pub fn disk(dir: &Path) -> Option<Self> {
        let dir = dir.to_path_buf();
        inode(&dir).map(|inode| Self::Disk { dir, inode })
    }

    /// A directory that was just made.
    pub fn scratch(dir: &Path) -> Option<Self> {
        let dir = dir.to_path_buf();
        inode(&dir).map(|inode| Self::Scratch { dir, inode })
    }
}

/// What tells a directory from a later one of the same name.
pub fn inode(dir: &Path) -> Option<u64> {
    fs::symlink_metadata(dir).ok().map(|meta| meta.ino())
}

/// The id of this boot.
pub fn boot() -> Option<String> {
    let id = fs::read_to_string(BOOT_ID).ok()?;
    Some(id.trim_end().to_string())
}

/// A note, taken away when dropped.
#[derive(Debug)]
pub struct Note {
    file: Option<PathBuf>,
}

impl Note {
    /// Leaves it where it is: what it is of could not be taken away.
    pub fn keep(mut self) {
        self.file = None;
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            let _ = fs::remove_file(file);
        }
    }
}

/// The directory of a process.
#[derive(Debug)]
pub struct Notebook {
    dir: PathBuf,
    /// Locked.
    _owner: File,
    next: AtomicU64,
}

impl Notebook {
    /// A new one in a directory of many.
    pub fn create(root: &Path) -> Option<Self> {
        let boot = boot()?;
        let pid = std::process::id();
        let _ = fs::DirBuilder::new().mode(0o700).create(root);
        // It gets its name once it is locked: a command that looks before does not see it.
        let new = tempfile::Builder::new()
            .prefix(".new-")
            .tempdir_in(root)
            .ok()?;
        let mut owner = File::create(new.path().join(OWNER)).ok()?;
        flock(&owner, FlockOperation::NonBlockingLockExclusive).ok()?;
        serde_json::to_writer(&mut owner, &Owner { pid, boot }).ok()?;
        let suffix = new.path().file_name()?.to_str()?.trim_start_matches(".new");
        let dir = root.join(format!("{pid}{suffix}"));
        fs::rename(new.path(), &dir).ok()?;
        Some(Self {
            dir,
            _owner: owner,
            next: AtomicU64::new(0),
        })
    }

    pub fn note(&self, item: &Item) -> Note {
        let nr = self.next.fetch_add(1, Ordering::Relaxed);
        let file = self.dir.join(nr.to_string());
        let written = serde_json::to_vec(item)
            .map_err(std::io::Error::from)
            .and_then(|text| File::create(&file)?.write_all(&text));
        Note {
            file: written.ok().map(|()| file),
        }
    }
}

impl Drop for Notebook {
    fn drop(&mut self) {
        // What was not taken away stays, and its owner with it.
        let is_note = |entry: &fs::DirEntry| entry.file_name() != OWNER;
        let mut entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        if !entries.any(|entry| is_note(&entry)) {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

/// Of this process, from its first note on.
static NOTEBOOK: Mutex<Option<Notebook>> = Mutex::new(None);

/// Notes what this process made. Where that can't be written, it goes on without.
pub fn note(item: Option<Item>) -> Option<Note> {
    let item = item?;
    let mut notebook = NOTEBOOK.lock().unwrap_or_else(PoisonError::into_inner);
    if notebook.is_none() {
        *notebook = Notebook::create(Path::new(DIR));
    }
    notebook.as_ref().map(|notebook| notebook.note(&item))
}

/// Closes the notebook, at the end of the process.
pub fn close() {
    let mut notebook = NOTEBOOK.lock().unwrap_or_else(PoisonError::into_inner);
    notebook.take();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(dir: &Path) -> usize {
        fs::read_dir(dir).unwrap().count()
    }

    #[test]
    fn a_note_is_there_until_it_is_dropped_and_a_book_until_it_is_empty() {
        let root = tempfile::tempdir().unwrap();
        let item = Item::scratch(root.path());
        let book = Notebook::create(&root.path().join("deep")).unwrap();
        let dir = book.dir.clone();
        let (first, second) = (
            book.note(item.as_ref().unwrap()),
            book.note(item.as_ref().unwrap()),
        );
        assert_eq!(files(&dir), 3);
        let text = fs::read(dir.join("0")).unwrap();
        assert_eq!(serde_json::from_slice::<Item>(&text).ok(), item);
        drop(first);
        assert_eq!(files(&dir), 2);
        second.keep();
        drop(book);
        assert_eq!(files(&dir), 2);
        drop(Notebook::create(root.path()).unwrap());
        assert_eq!(files(root.path()), 1);
    }

    #[test]
    fn where_nothing_can_be_written_there_are_no_notes() {
        assert!(Notebook::create(Path::new("/proc/none")).is_none());
    }
}
