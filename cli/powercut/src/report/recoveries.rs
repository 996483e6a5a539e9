// SPDX-License-Identifier: GPL-2.0

//! Where, below a report, the reports of recoveries are.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xxhash_rust::xxh3::xxh3_64;

/// The directory, in that of a report, of the reports of recoveries.
pub const RECOVERIES: &str = "recoveries";

/// Where the report of a state's recovery is, in that of the state.
pub fn directory(report: &Path, id: &str) -> PathBuf {
    let name = format!("{:016x}", xxh3_64(id.as_bytes()));
    report.join(RECOVERIES).join(name)
}

/// Copies the reports of recoveries from one report's directory to another's.
pub fn copy_recoveries(from: &Path, to: &Path) -> Result<()> {
    copy(&from.join(RECOVERIES), &to.join(RECOVERIES))
}

/// Copies the report of one state's recovery, and those within it.
pub fn copy_recovery(from: &Path, to: &Path, id: &str) -> Result<()> {
    copy(&directory(from, id), &directory(to, id))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    copy_tree(from, to)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

fn copy_tree(from: &Path, to: &Path) -> std::io::Result<()> {
    let entries = match fs::read_dir(from) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    fs::create_dir_all(to)?;
    for entry in entries {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
