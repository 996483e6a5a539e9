// SPDX-License-Identifier: GPL-2.0

//! Which file or metadata a sector belongs to, by the filesystem's own tools
//! run on a state. What can't be told stays untold.

mod layout;
mod parse;
mod superblock;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::child;
use crate::fs::MountSpec;
use crate::report::Belongs;
use crate::scratch::scratch_dir;
use crate::signals::Signals;

/// Files asked for their extents.
const MAX_FILES: usize = 2000;
/// Files a call of filefrag is given.
const FILES_A_CALL: usize = 100;

/// Some sectors and whose they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    pub first: u64,
    /// Included.
    pub last: u64,
    pub what: String,
    pub how: &'static str,
}

/// The owners of a state's sectors, disk by disk. What comes first counts.
#[derive(Debug, Default)]
pub struct Owners {
    extents: Vec<Vec<Extent>>,
}

impl Owners {
    /// Asks the filesystem on `nodes`, the first of which is mounted, but not now. It will be, and
    /// recovers: the state is changed. Nothing that goes wrong is an error: it
    /// tells less then.
    pub fn of(nodes: &[&Path], mount: &MountSpec, signals: &Signals) -> Self {
        let Some((node, others)) = nodes.split_first() else {
            return Self::default();
        };
        let files = files(node, mount, signals).unwrap_or_default();
        if mount.fs == "btrfs" {
            // It tells files by logical addresses: its layout translates them.
            let extents = layout::btrfs(nodes, signals, &files);
            return Self { extents };
        }
        let mut extents = vec![files];
        extents[0].extend(match mount.fs.as_str() {
            "ext4" => layout::ext4(node, signals),
            "f2fs" => superblock::f2fs(node),
            "vfat" => superblock::vfat(node),
            _ => Vec::new(),
        });
        if mount.fs == "ext4" {
            extents.extend(others.iter().map(|node| layout::ext4_journal(node)));
        }
        Self { extents }
    }

    /// Whose the first of some sectors of a disk is that is anybody's.
    pub fn find(&self, disk: usize, sector: u64, sectors: u32) -> Option<Belongs> {
        let end = sector + u64::from(sectors);
        let overlaps = |e: &&Extent| e.first < end && sector <= e.last;
        let holds = |e: &&Extent| e.first <= sector && sector <= e.last;
        let extents = || self.extents.get(disk).into_iter().flatten();
        let extent = extents().find(holds).or_else(|| extents().find(overlaps))?;
        Some(Belongs {
            what: extent.what.clone(),
            how: extent.how.into(),
        })
    }
}

/// What tools say of the mounted state: files by FIEMAP, or FIBMAP, metadata by GETFSMAP.
fn files(node: &Path, mount: &MountSpec, signals: &Signals) -> Result<Vec<Extent>> {
    let scratch = scratch_dir()?;
    let dir = scratch.path().join("mnt");
    std::fs::create_dir(&dir)?;
    let mounted = mount.mount(node, &dir)?;
    let how = match mount.fs.as_str() {
        "vfat" => "FIBMAP (filefrag) in the mounted state",
        _ => "FIEMAP (filefrag) in the mounted state",
    };
    let mut extents = Vec::new();
    let paths = walk(&dir);
    for paths in paths.chunks(FILES_A_CALL) {
        let args = ["-v", "-e", "-b512"].map(OsStr::new).into_iter();
        let args = args.chain(paths.iter().map(|path| path.as_os_str()));
        // Some file systems have no extents to tell for directories: its
        // status says nothing about the others.
        if let Ok(done) = child::program(OsStr::new("filefrag"), args, signals) {
            let root = dir.display().to_string();
            extents.extend(parse::filefrag(&done.output, &root, how));
        }
    }
    if mount.fs == "xfs" {
        let args = [OsStr::new("-c"), OsStr::new("fsmap"), dir.as_os_str()];
        if let Ok(done) = child::program(OsStr::new("xfs_io"), args, signals) {
            let named = |inode: u64| path_of(&paths, &dir, inode);
            extents.extend(parse::fsmap(&done.output, named));
        }
    }
    mounted.unmount()?;
    Ok(extents)
}

/// The files and directories below one, itself included, in order.
fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut found = vec![dir.to_path_buf()];
    let mut at = 0;
    while at < found.len() && found.len() < MAX_FILES {
        let mut inside: Vec<PathBuf> = std::fs::read_dir(&found[at])
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let kind = entry.file_type().ok()?;
                (kind.is_file() || kind.is_dir()).then(|| entry.path())
            })
            .collect();
        inside.sort();
        found.extend(inside);
        at += 1;
    }
    found.truncate(MAX_FILES);
    found
}

/// A file by its inode, as the filesystem's users see it.
fn path_of(paths: &[PathBuf], dir: &Path, inode: u64) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let is = |path: &&PathBuf| path.symlink_metadata().is_ok_and(|m| m.ino() == inode);
    let path = paths.iter().find(is)?;
    let kind = if path.is_dir() { "directory" } else { "file" };
    let inside = path.strip_prefix(dir).ok()?;
    Some(format!("{kind} /{}", inside.display()))
}
