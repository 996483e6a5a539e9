// SPDX-License-Identifier: GPL-2.0

//! Directories for the files of a run.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::keeper::Keep;
use crate::scratch::{scratch_dir, ScratchDir};

/// A directory for what is mounted and for the files of sandboxes, one after the other.
#[derive(Debug)]
pub struct Scratch(ScratchDir);

impl Scratch {
    pub fn new() -> Result<Self> {
        let dir = scratch_dir()?;
        // Commands may become other users.
        fs::set_permissions(dir.path(), Permissions::from_mode(0o711))?;
        let scratch = Self(dir);
        fs::create_dir(scratch.mnt())?;
        Ok(scratch)
    }

    /// Where filesystems are mounted.
    pub fn mnt(&self) -> PathBuf {
        self.0.path().join("mnt")
    }

    /// The directory for temporary files of a sandbox, while there is one.
    pub fn tmp(&self) -> PathBuf {
        self.0.path().join("tmp")
    }

    /// The file of acknowledgements.
    pub fn marks(&self) -> PathBuf {
        self.0.path().join("marks")
    }

    /// What a command printed on standard output alone.
    pub fn observed(&self) -> PathBuf {
        self.0.path().join("observed")
    }

    /// Places for what is in the files of a workload at its marks, which go to this file of a disk.
    pub fn keep(&self, marks: PathBuf) -> Result<Keep> {
        let place = |name| self.0.path().join(name);
        let keep = Keep {
            file: place("mark"),
            marks,
            files: self.mnt(),
            shown: place("shown"),
            to: place("moments"),
        };
        fs::write(&keep.file, "")?;
        fs::create_dir(&keep.shown)?;
        fs::create_dir(&keep.to)?;
        // Commands may become other users.
        fs::set_permissions(&keep.to, Permissions::from_mode(0o711))?;
        Ok(keep)
    }

    /// Removes what the sandbox of an executor that died left.
    pub fn clear(&self) -> Result<()> {
        match fs::remove_dir_all(self.tmp()) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                Err(e).with_context(|| format!("cannot remove {}", self.tmp().display()))
            }
            _ => Ok(()),
        }
    }
}
