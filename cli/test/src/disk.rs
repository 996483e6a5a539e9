// SPDX-License-Identifier: GPL-2.0

//! What a workload and a check see of the disk.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The disk that a workload writes to.
#[derive(Debug)]
pub struct Recorded(());

/// A state that the disk may be in after a power failure.
#[derive(Debug)]
pub struct Checked(());

impl Recorded {
    pub(crate) fn of_this_process() -> Self {
        Self(())
    }

    /// Where the filesystem is mounted.
    pub fn mount(&self) -> PathBuf {
        variable("POWERCUT_MNT")
    }

    /// A path below the mount.
    pub fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.mount().join(below)
    }

    /// Promises something to the user: from here on, what it stands for has to survive. It is in
    /// the record when this returns. A promise is one line.
    pub fn promise(&self, what: impl AsRef<str>) -> Result<()> {
        let path = variable("POWERCUT_MARK");
        let mut file = OpenOptions::new().append(true).open(path)?;
        let line = format!("{}\n", what.as_ref());
        // In one write: a line is a mark.
        file.write_all(line.as_bytes()).context("cannot promise")
    }
}

impl Checked {
    pub(crate) fn of_this_process() -> Self {
        Self(())
    }

    /// Where the state is mounted.
    pub fn mount(&self) -> PathBuf {
        variable("POWERCUT_MNT")
    }

    /// A path below the mount.
    pub fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.mount().join(below)
    }

    /// What was promised before the power failed, in order.
    pub fn promises(&self) -> Result<Vec<String>> {
        let path = variable("POWERCUT_MARKS");
        let text = fs::read_to_string(path).context("cannot read the promises")?;
        Ok(text.lines().map(String::from).collect())
    }

    /// A number that no other check has at the same time: for ports.
    pub fn slot(&self) -> usize {
        let slot = env::var("POWERCUT_SLOT").ok();
        slot.and_then(|slot| slot.parse().ok()).unwrap_or(0)
    }
}

fn variable(name: &str) -> PathBuf {
    env::var_os(name).unwrap_or_default().into()
}
