// SPDX-License-Identifier: GPL-2.0

//! What a workload and a check see of the disk.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};

/// A filesystem, mounted.
#[derive(Debug)]
pub struct Mounted(PathBuf);

impl Mounted {
    fn of_this_process() -> Self {
        Self(variable("POWERCUT_MNT"))
    }

    /// Where it is mounted.
    pub fn mount(&self) -> &Path {
        &self.0
    }

    /// A path below the mount.
    pub fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.0.join(below)
    }
}

/// The disk that a workload writes to.
#[derive(Debug)]
pub struct Recorded(Mounted);

impl Deref for Recorded {
    type Target = Mounted;

    fn deref(&self) -> &Mounted {
        &self.0
    }
}

impl Recorded {
    pub(crate) fn of_this_process() -> Self {
        Self(Mounted::of_this_process())
    }

    /// Promises something to the user: from here on, what it stands for has to survive. It is in
    /// the record when this returns. A promise is one line; more than one is an error.
    pub fn promise(&self, what: impl AsRef<str>) -> Result<()> {
        let what = what.as_ref();
        if what.is_empty() || what.contains('\n') {
            bail!("a promise is one line that is not empty: {what:?}");
        }
        let path = variable("POWERCUT_MARK");
        let mut file = OpenOptions::new().append(true).open(path)?;
        // In one write: a line is a mark.
        let line = format!("{what}\n");
        file.write_all(line.as_bytes()).context("cannot promise")
    }
}

/// A state that the disk may be in after a power failure.
#[derive(Debug)]
pub struct Checked(Mounted);

impl Deref for Checked {
    type Target = Mounted;

    fn deref(&self) -> &Mounted {
        &self.0
    }
}

impl Checked {
    pub(crate) fn of_this_process() -> Self {
        Self(Mounted::of_this_process())
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
