// SPDX-License-Identifier: GPL-2.0

//! Disks and views with all that is in them, by their directories alone: for what is left of a
//! command that was killed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::attribute::{retry_busy, write};
use super::configfs::CONFIGFS;
use super::errno;

/// How a disk or a view went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    Idle,
    /// Some process had it open: it goes on as with a disk whose cable was pulled.
    InUse,
}

/// NAME, or NAME.VIEW.
pub fn name_of(dir: &Path) -> String {
    let root = Path::new(CONFIGFS).join("powercut");
    let name = dir.strip_prefix(root).unwrap_or(dir);
    name.display().to_string().replace('/', ".")
}

/// Removes a disk or a view, and the views within it.
pub fn remove_tree(dir: &Path) -> io::Result<Removed> {
    let mut how = Removed::Idle;
    for view in directories(dir)? {
        if remove_tree(&view)? == Removed::InUse {
            how = Removed::InUse;
        }
    }
    let off = retry_busy(|| write(&dir.join("power"), "0"));
    match off.as_ref().map_err(errno) {
        Ok(()) => {}
        Err(Some(Errno::BUSY)) => how = Removed::InUse,
        Err(_) => off?,
    }
    fs::remove_dir(dir)?;
    Ok(how)
}

fn directories(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries: Vec<_> = fs::read_dir(dir)?.collect::<io::Result<_>>()?;
    let is_dir = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    let dirs = entries.into_iter().filter(is_dir);
    Ok(dirs.map(|entry| entry.path()).collect())
}
