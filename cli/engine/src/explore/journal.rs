// SPDX-License-Identifier: GPL-2.0

//! What every run showed, a line of JSON each: an exploration that was
//! interrupted asks it instead of running the check again.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::seen::{Key, Seen};

/// Its name in a report's directory.
pub const RUNS: &str = "runs.jsonl";

#[derive(Debug, Serialize, Deserialize)]
struct Run {
    /// The state, in hexadecimal.
    state: String,
    /// The how-many-th time.
    time: u32,
    #[serde(flatten)]
    seen: Seen,
}

#[derive(Debug, Default)]
pub struct Journal {
    file: Option<(File, PathBuf)>,
    before: HashMap<Key, Seen>,
}

impl Journal {
    /// Notes nothing and knows nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Begins a journal in a directory, in place of one that may be there.
    pub fn begin(dir: &Path) -> Result<Self> {
        let path = dir.join(RUNS);
        let file = File::create(&path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self {
            file: Some((file, path)),
            before: HashMap::new(),
        })
    }

    /// Continues the journal in a directory.
    pub fn resume(dir: &Path) -> Result<Self> {
        let path = dir.join(RUNS);
        let failed = || format!("cannot read {}: it is needed to go on", path.display());
        let text = BufReader::new(File::open(&path).with_context(failed)?);
        let mut before = HashMap::new();
        let mut whole = 0;
        for line in text.split(b'\n') {
            let line = line.with_context(failed)?;
            // What follows a line that was cut off is run again.
            let Ok(Run { state, time, seen }) = serde_json::from_slice(&line) else {
                break;
            };
            let Ok(state) = u128::from_str_radix(&state, 16) else {
                break;
            };
            before.insert((state, time), seen);
            whole += line.len() as u64 + 1;
        }
        let file = OpenOptions::new().append(true).open(&path);
        let file = file.with_context(failed)?;
        file.set_len(whole.min(file.metadata()?.len()))?;
        Ok(Self {
            file: Some((file, path)),
            before,
        })
    }

    pub fn has(&self, key: Key) -> bool {
        self.before.contains_key(&key)
    }

    /// What a run showed before.
    pub fn take(&mut self, key: Key) -> Option<Seen> {
        self.before.remove(&key)
    }

    pub fn add(&mut self, key: Key, seen: &Seen) -> Result<()> {
        let Some((file, path)) = &mut self.file else {
            return Ok(());
        };
        let (state, time) = key;
        let mut line = serde_json::to_vec(&Run {
            state: format!("{state:032x}"),
            time,
            seen: seen.clone(),
        })?;
        line.push(b'\n');
        file.write_all(&line)
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::{Finding, Kind, Verdict};
    use crate::reads::Reads;

    #[test]
    fn a_journal_is_read_up_to_where_it_was_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let seen = |n: u64| Seen {
            verdict: Verdict::Violation(Finding::new(
                Kind::Check,
                format!("exit {n}"),
                "two\nlines\n",
            )),
            reads: Some(Reads::from_ranges(vec![(n, 8)])),
            recoveries: None,
        };
        let mut journal = Journal::begin(dir.path()).unwrap();
        for n in 0..3 {
            journal.add((u128::MAX - 5, n), &seen(n.into())).unwrap();
        }
        let path = dir.path().join(RUNS);
        let text = std::fs::read(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 9]).unwrap();
        let mut journal = Journal::resume(dir.path()).unwrap();
        assert_eq!(journal.take((u128::MAX - 5, 1)), Some(seen(1)));
        assert_eq!(journal.take((u128::MAX - 5, 1)), None);
        assert!(!journal.has((u128::MAX - 5, 2)));
        journal.add((u128::MAX - 5, 2), &seen(2)).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), text);
    }
}
