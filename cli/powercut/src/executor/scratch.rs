// SPDX-License-Identifier: GPL-2.0

//! Directories for the files of a run.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::keeper::{Copies, Keep, MarksTo};
use crate::scratch::{scratch_dir, ScratchDir};

/// Where filesystems are mounted. It is the same for the workload and for all states, on all machines: software
/// keeps absolute paths in its files. Nobody sees a mount but the sandbox that it is made in, so that
/// all of them have this directory; therefore nobody removes it, either.
const MOUNT_POINT: &str = "/run/powercut-mnt";

/// A directory for the files of sandboxes, one after the other, and one for what is mounted.
#[derive(Debug)]
pub struct Scratch {
    dir: ScratchDir,
    mnt: PathBuf,
}

impl Scratch {
    pub fn new() -> Result<Self> {
        let dir = scratch_dir()?;
        // Commands may become other users.
        fs::set_permissions(dir.path(), Permissions::from_mode(0o711))?;
        let mnt = match fs::create_dir(MOUNT_POINT) {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => {
                // Who is not root can't make it.
                let own = dir.path().join("mnt");
                fs::create_dir(&own)?;
                own
            }
            _ => MOUNT_POINT.into(),
        };
        Ok(Self { dir, mnt })
    }

    /// Where filesystems are mounted.
    pub fn mnt(&self) -> PathBuf {
        self.mnt.clone()
    }

    /// The directory for temporary files of a sandbox, while there is one.
    pub fn tmp(&self) -> PathBuf {
        self.dir.path().join("tmp")
    }

    /// The file of acknowledgements.
    pub fn marks(&self) -> PathBuf {
        self.dir.path().join("marks")
    }

    /// What a command printed on standard output alone.
    pub fn observed(&self) -> PathBuf {
        self.dir.path().join("observed")
    }

    /// A file for the marks of a workload, which go there, and places for what is in its files at each of them, if
    /// that is to be kept.
    pub fn keep(&self, marks: MarksTo, copies: bool) -> Result<Keep> {
        let place = |name| self.dir.path().join(name);
        let keep = Keep {
            file: place("mark"),
            marks,
            copies: copies.then(|| Copies {
                files: self.mnt(),
                shown: place("shown"),
                to: place("moments"),
            }),
        };
        fs::write(&keep.file, "")?;
        if let Some(copies) = &keep.copies {
            fs::create_dir(&copies.shown)?;
            fs::create_dir(&copies.to)?;
            // Commands may become other users.
            fs::set_permissions(&copies.to, Permissions::from_mode(0o711))?;
        }
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
