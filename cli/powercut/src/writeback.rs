// SPDX-License-Identifier: GPL-2.0

//! Eager writeback: dirty pages go to the disk at once, as long as this is held.

use std::fs;

use anyhow::{Context, Result};

const DIR: &str = "/proc/sys/vm";
const SETTINGS: [&str; 2] = ["dirty_writeback_centisecs", "dirty_expire_centisecs"];

/// Restores the settings when dropped.
#[derive(Debug)]
pub struct Eager {
    before: Vec<(&'static str, String)>,
}

impl Eager {
    pub fn begin() -> Result<Self> {
        let mut eager = Self { before: Vec::new() };
        for setting in SETTINGS {
            let path = format!("{DIR}/{setting}");
            let before =
                fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
            fs::write(&path, "1\n").with_context(|| format!("cannot write {path}"))?;
            eager.before.push((setting, before));
        }
        Ok(eager)
    }
}

impl Drop for Eager {
    fn drop(&mut self) {
        for (setting, before) in &self.before {
            if let Err(e) = fs::write(format!("{DIR}/{setting}"), before) {
                eprintln!("powercut: warning: cannot restore vm.{setting}: {e}");
            }
        }
    }
}
