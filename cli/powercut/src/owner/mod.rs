// SPDX-License-Identifier: GPL-2.0

//! Which file or metadata a sector belongs to, by the filesystem's own tools
//! run on a state. What can't be told stays untold.

pub mod layout;
pub mod parse;
pub mod superblock;

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::child::Program;
use crate::executor::{Executor, File, Sandbox, Scratch};
use crate::fs::MountSpec;
use crate::report::Belongs;

/// Files asked for their extents.
const MAX_FILES: usize = 2000;
/// Files a call of filefrag is given.
const FILES_A_CALL: usize = 100;
/// How long a tool may take.
const LIMIT: Duration = Duration::from_secs(60);

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
    pub fn of(nodes: &[&Path], mount: &MountSpec, executor: &mut Executor) -> Self {
        Self::told(nodes, mount, executor).unwrap_or_default()
    }

    fn told(nodes: &[&Path], mount: &MountSpec, executor: &mut Executor) -> Result<Self> {
        let Some((node, others)) = nodes.split_first() else {
            return Ok(Self::default());
        };
        let scratch = Scratch::new()?;
        let files = mounted(node, mount, executor, &scratch).unwrap_or_default();
        let mut sandbox = executor.sandbox(&scratch, 1)?;
        let mut extents = match mount.fs.as_str() {
            // It tells files by logical addresses: its layout translates them.
            "btrfs" => layout::btrfs(nodes, &mut sandbox, &files),
            _ => vec![files],
        };
        extents[0].extend(match mount.fs.as_str() {
            "ext4" => layout::ext4(node, &mut sandbox),
            "f2fs" => superblock::f2fs(node),
            "vfat" => superblock::vfat(node),
            _ => Vec::new(),
        });
        if mount.fs == "ext4" {
            extents.extend(others.iter().map(|node| layout::ext4_journal(node)));
        }
        sandbox.end()?;
        Ok(Self { extents })
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

/// What is told of the state while it is mounted.
fn mounted(
    node: &Path,
    mount: &MountSpec,
    executor: &mut Executor,
    scratch: &Scratch,
) -> Result<Vec<Extent>> {
    let mut sandbox = executor.sandbox(scratch, 1)?;
    let dir = scratch.mnt();
    if let Some(errno) = sandbox.mount(mount, node, &dir)? {
        return Err(errno).context("cannot mount the state");
    }
    let extents = files(&mount.fs, &dir, &mut sandbox)?;
    sandbox.end()?;
    Ok(extents)
}

/// What tools say of the mounted state: files by FIEMAP, or FIBMAP, metadata by GETFSMAP.
fn files(fs: &str, dir: &Path, sandbox: &mut Sandbox<'_>) -> Result<Vec<Extent>> {
    let how = match fs {
        "ext4" | "xfs" | "btrfs" | "f2fs" => "FIEMAP (filefrag) in the mounted state",
        "vfat" => "FIBMAP (filefrag) in the mounted state",
        _ => "filefrag in the mounted state",
    };
    let mut extents = Vec::new();
    let files = sandbox.files(dir, MAX_FILES)?;
    for files in files.chunks(FILES_A_CALL) {
        let args = ["-v", "-e", "-b512"].map(OsStr::new).into_iter();
        let args = args.chain(files.iter().map(|file| file.path.as_os_str()));
        // Some file systems have no extents to tell for directories: its
        // status says nothing about the others.
        let text = output("filefrag", args, sandbox);
        let root = dir.display().to_string();
        extents.extend(parse::filefrag(&text, &root, how));
    }
    if fs == "xfs" {
        let args = [OsStr::new("-c"), OsStr::new("fsmap"), dir.as_os_str()];
        let text = output("xfs_io", args.into_iter(), sandbox);
        let named = |inode: u64| path_of(&files, dir, inode);
        extents.extend(parse::fsmap(&text, named));
    }
    Ok(extents)
}

/// What a tool prints; nothing if it can't be run.
fn output<'w>(
    name: &str,
    args: impl Iterator<Item = &'w OsStr>,
    sandbox: &mut Sandbox<'_>,
) -> String {
    let program = Program::new(name, args).limit(Some(LIMIT));
    let finished = sandbox.run(program);
    finished.map_or_else(|_| String::new(), |finished| finished.output)
}

/// A file by its inode, as the filesystem's users see it.
fn path_of(files: &[File], dir: &Path, inode: u64) -> Option<String> {
    let file = files.iter().find(|file| file.inode == inode)?;
    let kind = if file.is_dir { "directory" } else { "file" };
    let inside = file.path.strip_prefix(dir).ok()?;
    Some(format!("{kind} /{}", inside.display()))
}
