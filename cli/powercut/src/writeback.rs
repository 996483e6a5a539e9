// SPDX-License-Identifier: GPL-2.0

//! Eager writeback: dirty pages go to the disk at once, as long as this is held.

use std::fs;

use anyhow::{Context, Result};

use crate::notes::{note, Item, Note};
use crate::output::say;

const DIR: &str = "/proc/sys/vm";
const SETTINGS: [&str; 2] = ["dirty_writeback_centisecs", "dirty_expire_centisecs"];

/// As low as they go.
const EAGER: &str = "1";

/// Restores the settings when dropped.
#[derive(Debug)]
pub struct Eager {
    changed: Vec<Changed>,
}

/// A setting, and its value before.
#[derive(Debug)]
struct Changed {
    path: String,
    before: String,
    note: Option<Note>,
}

impl Eager {
    pub fn begin() -> Result<Self> {
        let mut changed = Vec::new();
        for setting in SETTINGS {
            let path = format!("{DIR}/{setting}");
            let before =
                fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
            let before = before.trim_end().to_string();
            let note = note(Some(Item::Setting {
                file: path.clone().into(),
                before: before.clone(),
                set: EAGER.into(),
            }));
            // Restored from here on.
            changed.push(Changed { path, before, note });
        }
        let eager = Self { changed };
        for Changed { path, .. } in &eager.changed {
            fs::write(path, format!("{EAGER}\n"))
                .with_context(|| format!("cannot write {path}"))?;
        }
        Ok(eager)
    }
}

impl Drop for Eager {
    fn drop(&mut self) {
        for Changed { path, before, note } in &mut self.changed {
            if let Err(e) = fs::write(&*path, format!("{before}\n")) {
                say(format_args!("warning: cannot restore {path}: {e}"));
                if let Some(note) = note.take() {
                    note.keep();
                }
            }
        }
    }
}
