// SPDX-License-Identifier: GPL-2.0

//! Violations on the disk as they are found, a line of JSON each, until
//! report.json has them: whatever ends the command, none is lost.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::violation::Violation;

/// Its name in a report's directory.
pub const VIOLATIONS: &str = "violations.jsonl";

/// The file, open to add to it.
#[derive(Debug)]
pub struct Found {
    file: File,
    path: PathBuf,
    /// The ids of those that are in it.
    ids: HashSet<String>,
    /// The length of its whole lines.
    whole: u64,
}

impl Found {
    /// Opens the file in a directory, which may hold some already.
    pub fn open(dir: &Path) -> Result<Self> {
        let (before, whole) = lines(dir)?;
        let path = dir.join(VIOLATIONS);
        let file = OpenOptions::new().append(true).create(true).open(&path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        let found = Self {
            file,
            path,
            ids: before.into_iter().map(|v| v.id).collect(),
            whole,
        };
        found.cut_off()?;
        Ok(found)
    }

    /// Adds one, unless it is there.
    pub fn add(&mut self, violation: &Violation) -> Result<()> {
        if self.ids.contains(&violation.id) {
            return Ok(());
        }
        let mut line = serde_json::to_vec(violation)?;
        line.push(b'\n');
        if let Err(e) = self.file.write_all(&line) {
            // Half a line would spoil the next.
            self.cut_off()?;
            return Err(e).with_context(|| format!("cannot write {}", self.path.display()));
        }
        self.whole += line.len() as u64;
        self.ids.insert(violation.id.clone());
        Ok(())
    }

    fn cut_off(&self) -> Result<()> {
        let failed = || format!("cannot write {}", self.path.display());
        self.file.set_len(self.whole).with_context(failed)
    }
}

/// Those in a directory.
pub fn read(dir: &Path) -> Result<Vec<Violation>> {
    Ok(lines(dir)?.0)
}

/// Whole lines, and their length: the last may have been cut off.
fn lines(dir: &Path) -> Result<(Vec<Violation>, u64)> {
    let path = dir.join(VIOLATIONS);
    let text = match fs::read(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        text => text.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let mut violations = Vec::new();
    let mut whole = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let Some(Ok(violation)) = line.strip_suffix(b"\n").map(serde_json::from_slice) else {
            break;
        };
        violations.push(violation);
        whole += line.len() as u64;
    }
    Ok((violations, whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::violation;
    use powercut_engine::recording::testing::History;

    #[test]
    fn what_was_found_is_there_once_though_the_last_line_was_cut_off() {
        let recording = History::new().write(0, "a").write(1, "b").done();
        let ids = |dir: &Path| -> Vec<String> {
            let found = read(dir).unwrap();
            found.into_iter().map(|v| v.id).collect()
        };
        let dir = tempfile::tempdir().unwrap();
        assert!(read(dir.path()).unwrap().is_empty());
        let violations: Vec<_> = (2..=4)
            .map(|cut| violation(&recording, cut, |_| false))
            .collect();
        let mut found = Found::open(dir.path()).unwrap();
        for violation in &violations {
            found.add(violation).unwrap();
        }
        let path = dir.path().join(VIOLATIONS);
        let text = fs::read(&path).unwrap();
        fs::write(&path, &text[..text.len() - 1]).unwrap();
        assert_eq!(ids(dir.path()).len(), 2);
        let mut found = Found::open(dir.path()).unwrap();
        for violation in violations.iter().rev() {
            found.add(violation).unwrap();
        }
        assert_eq!(ids(dir.path()).len(), 3);
        assert_eq!(fs::read(&path).unwrap(), text);
    }
}
