// SPDX-License-Identifier: GPL-2.0

//! Mounts that end when dropped, whatever happens.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{bail, Result};
use rustix::io::Errno;

use crate::fs::{detach, try_unmount};

/// How long a mount may stay in use by something that is about to end.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub struct Mounted {
    dir: PathBuf,
    active: bool,
}

impl Mounted {
    pub(crate) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.into(),
            active: true,
        }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Unmounts, or says that it can't; then it is detached.
    pub fn unmount(mut self) -> Result<()> {
        self.active = false;
        end(&self.dir)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if self.active {
            if let Err(e) = end(&self.dir) {
                eprintln!("powercut: warning: {e}");
            }
        }
    }
}

fn end(dir: &Path) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        match try_unmount(dir) {
            Ok(()) => return Ok(()),
            Err(Errno::BUSY) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(e) => {
                let detached = detach(dir).is_ok();
                bail!(
                    "cannot unmount {}: {e}{}; some process that the command started still uses it",
                    dir.display(),
                    if detached { ", detached it" } else { "" },
                );
            }
        }
    }
}
