// SPDX-License-Identifier: GPL-2.0

//! What every run showed, a line of JSON each: an exploration that was
//! interrupted asks it instead of running the check again. The first line says
//! what the runs are of: those of another record or check would be lies.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{bail, Context, Result};
use serde::{Deserialize, Serialize};

use super::seen::{Key, Seen};

/// Its name in a report's directory.
pub const RUNS: &str = "runs.jsonl";

/// What the runs of a journal are of: a name for each, with a hash in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    pub record: String,
    pub examination: String,
    pub plan: String,
}

impl Header {
    /// Whether it is of the same; the error names both, and where they are from.
    pub fn same(&self, here: &str, other: &Self, there: &str) -> Result<()> {
        for (what, ours, theirs) in [
            ("record", &self.record, &other.record),
            ("check", &self.examination, &other.examination),
            ("plan", &self.plan, &other.plan),
        ] {
            if ours != theirs {
                bail!(
                    "{here} and {there} do not belong together: the {what} of {here} is {ours}, \
                     that of {there} is {theirs}"
                );
            }
        }
        Ok(())
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Run {
    /// The state, in hexadecimal.
    state: String,
    /// The how-many-th time.
    time: u32,
    #[serde(flatten)]
    seen: Seen,
}

/// The file of a journal, which may move while it is written.
#[derive(Debug, Clone)]
pub struct JournalFile(Rc<RefCell<(File, PathBuf)>>);

impl JournalFile {
    fn new(file: File, path: PathBuf) -> Self {
        Self(Rc::new(RefCell::new((file, path))))
    }

    /// Copies what there is to a directory, where it is written from now on.
    pub fn move_to(&self, dir: &Path) -> Result<()> {
        let mut open = self.0.borrow_mut();
        let path = dir.join(RUNS);
        let failed = || format!("cannot write {}", path.display());
        fs::copy(&open.1, &path).with_context(failed)?;
        let file = OpenOptions::new().append(true).open(&path);
        *open = (file.with_context(failed)?, path);
        Ok(())
    }

    fn write(&self, line: &impl Serialize) -> Result<()> {
        let (file, path) = &mut *self.0.borrow_mut();
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        file.write_all(&text)
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

#[derive(Debug, Default)]
pub struct Journal {
    file: Option<JournalFile>,
    before: HashMap<Key, Seen>,
    /// It could not be written; whether that was told.
    failed: bool,
    error: Option<anyhow::Error>,
}

impl Journal {
    /// Notes nothing and knows nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// A journal in a file that is open.
    #[cfg(test)]
    pub fn on(file: File) -> Self {
        Self {
            file: Some(JournalFile::new(file, PathBuf::from("the journal"))),
            ..Self::default()
        }
    }

    /// Begins a journal in a directory, in place of one that may be there.
    pub fn begin(dir: &Path, header: &Header) -> Result<Self> {
        let path = dir.join(RUNS);
        let file = File::create(&path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        let file = JournalFile::new(file, path);
        file.write(header)?;
        Ok(Self {
            file: Some(file),
            ..Self::default()
        })
    }

    /// Continues the journal in a directory, which must be of what is to go on.
    pub fn resume(dir: &Path, header: &Header) -> Result<Self> {
        let path = dir.join(RUNS);
        let name = path.display();
        let failed = || format!("cannot read {name}: it is needed to go on");
        let mut text = BufReader::new(File::open(&path).with_context(failed)?);
        let mut first = Vec::new();
        text.read_until(b'\n', &mut first).with_context(failed)?;
        let Ok(found) = serde_json::from_slice::<Header>(&first) else {
            bail!("{name} does not say what it is of: it is damaged, or of another powercut");
        };
        found.same(&name.to_string(), header, "the report beside it")?;
        let mut before = HashMap::new();
        let mut whole = first.len() as u64;
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
            file: Some(JournalFile::new(file, path)),
            before,
            ..Self::default()
        })
    }

    /// Its file, to be moved.
    pub fn file(&self) -> Option<JournalFile> {
        self.file.clone()
    }

    pub fn has(&self, key: Key) -> bool {
        self.before.contains_key(&key)
    }

    /// What a run showed before.
    pub fn take(&mut self, key: Key) -> Option<Seen> {
        self.before.remove(&key)
    }

    /// Notes what a run showed. That is good even if it can't be noted: see [`Self::check`].
    pub fn add(&mut self, key: Key, seen: &Seen) {
        let Some(file) = self.file.as_ref().filter(|_| !self.failed) else {
            return;
        };
        let (state, time) = key;
        let written = file.write(&Run {
            state: format!("{state:032x}"),
            time,
            seen: seen.clone(),
        });
        if let Err(error) = written {
            self.failed = true;
            self.error = Some(error);
        }
    }

    /// The reason why something could not be noted, once.
    pub fn check(&mut self) -> Result<()> {
        self.error.take().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::{Finding, Kind, Verdict};
    use crate::reads::Reads;

    fn header() -> Header {
        Header {
            record: "1 of 2 events".into(),
            examination: "3 (./check)".into(),
            plan: "4 (auto)".into(),
        }
    }

    #[test]
    fn a_journal_of_something_else_is_refused_with_both_named() {
        let dir = tempfile::tempdir().unwrap();
        Journal::begin(dir.path(), &header()).unwrap();
        let refused = |header: &Header| {
            let error = Journal::resume(dir.path(), header).unwrap_err();
            error.to_string()
        };
        let mut other = header();
        other.record = "9 of 2 events".into();
        let told = refused(&other);
        assert!(told.contains("1 of 2") && told.contains("9 of 2"), "{told}");
        assert!(told.contains("the record of"), "{told}");
        other = header();
        other.examination = "9 (./other)".into();
        assert!(refused(&other).contains("9 (./other)"));
        other = header();
        other.plan = "9 (random)".into();
        assert!(refused(&other).contains("the plan of"));
        assert!(Journal::resume(dir.path(), &header()).is_ok());
        fs::write(dir.path().join(RUNS), "{}\n").unwrap();
        assert!(refused(&header()).contains("does not say what it is of"));
    }

    #[test]
    fn what_cannot_be_noted_is_told_once_and_after_the_fact() {
        let seen = Seen::new(Verdict::Skipped, None);
        // A file that takes nothing.
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut journal = Journal {
            file: Some(JournalFile::new(full, "/dev/full".into())),
            ..Journal::default()
        };
        assert!(journal.check().is_ok());
        journal.add((1, 0), &seen);
        journal.add((2, 0), &seen);
        let error = journal.check().unwrap_err().to_string();
        assert!(error.contains("/dev/full"), "{error}");
        assert!(journal.check().is_ok());
    }

    #[test]
    fn a_journal_moves_while_it_is_written() {
        let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let seen = Seen::new(Verdict::Consistent, None);
        let mut journal = Journal::begin(old.path(), &header()).unwrap();
        journal.add((1, 0), &seen);
        journal.file().unwrap().move_to(new.path()).unwrap();
        journal.add((2, 0), &seen);
        let moved = Journal::resume(new.path(), &header()).unwrap();
        assert!(moved.has((1, 0)) && moved.has((2, 0)));
    }

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
        let mut journal = Journal::begin(dir.path(), &header()).unwrap();
        for n in 0..3 {
            journal.add((u128::MAX - 5, n), &seen(n.into()));
        }
        let path = dir.path().join(RUNS);
        let text = std::fs::read(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 9]).unwrap();
        let mut journal = Journal::resume(dir.path(), &header()).unwrap();
        assert_eq!(journal.take((u128::MAX - 5, 1)), Some(seen(1)));
        assert_eq!(journal.take((u128::MAX - 5, 1)), None);
        assert!(!journal.has((u128::MAX - 5, 2)));
        journal.add((u128::MAX - 5, 2), &seen(2));
        assert_eq!(std::fs::read(&path).unwrap(), text);
    }
}
