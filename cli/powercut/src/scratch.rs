// SPDX-License-Identifier: GPL-2.0

//! Directories for temporary files and mount points.

use std::path::Path;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::notes::{note, Item, Note};

/// A directory that goes when this is dropped.
#[derive(Debug)]
pub struct ScratchDir {
    dir: Option<TempDir>,
    path: Box<Path>,
    note: Option<Note>,
}

impl ScratchDir {
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        let closed = self.dir.take().map_or(Ok(()), TempDir::close);
        if let (Err(_), Some(note)) = (closed, self.note.take()) {
            note.keep();
        }
    }
}

/// A directory for mounts and files of this run.
pub fn scratch_dir() -> Result<ScratchDir> {
    let dir = tempfile::Builder::new()
        .prefix("powercut-")
        .tempdir()
        .context("cannot make a directory for temporary files")?;
    Ok(ScratchDir {
        path: dir.path().into(),
        note: note(Item::scratch(dir.path())),
        dir: Some(dir),
    })
}
