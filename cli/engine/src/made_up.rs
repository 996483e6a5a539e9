// SPDX-License-Identifier: GPL-2.0

//! Records of any length, made up after what real software writes, for benchmarks.

pub mod promises;

use std::collections::VecDeque;
use std::io::{self, Read};

use crate::abi::{write_entry, Entry, EntryOp, Flags, Header};
use crate::faults::Faults;
use crate::members::Members;
use crate::tear::Tear;

/// Bytes of a block, which is also the unit.
const BLOCK: u32 = 4096;
const CAPACITY_BLOCKS: u64 = 1 << 20;

/// What software the record is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SQLite with a rollback journal, on a filesystem with a journal of its own: three flushes and
    /// a mark for a transaction.
    Sqlite,
    /// A database with a write-ahead log: a flush and a mark for a commit; every 500 commits a checkpoint.
    Wal,
    /// Files of 256 KiB, and a commit of the filesystem's journal for every 50 of them.
    Untar,
    /// Random writes without any flush.
    Random,
    /// Files saved by rename: a commit for the data, one for the directory, a mark.
    Save,
}

impl Kind {
    pub const ALL: [(&'static str, Self); 5] = [
        ("sqlite", Self::Sqlite),
        ("wal", Self::Wal),
        ("untar", Self::Untar),
        ("random", Self::Random),
        ("save", Self::Save),
    ];
}

/// What the software does wrong, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// A file is acknowledged before its directory is safe: its rename is in the next commit.
    Rename,
    /// The head of the log says that a checkpoint is done before its pages are safe.
    Checkpoint,
    /// A commit is acknowledged before its flush.
    Acknowledgement,
}

/// What software relies on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    pub since: Since,
    /// From then on these entries, or newer ones in their place, are on the disk.
    pub entries: Vec<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// The mark of that number was made.
    Mark(usize),
    /// That entry is on the disk.
    Entry(u32),
}

/// A record to be made up.
#[derive(Debug, Clone, Copy)]
pub struct MadeUp {
    pub kind: Kind,
    pub entries: usize,
    /// What is done wrong, in the round of that number or the next that can have it.
    pub flaw: Option<(Flaw, u64)>,
}

/// What is submitted next. It completes at once.
#[derive(Debug, Clone)]
enum Step {
    Write {
        block: u64,
        blocks: u32,
        flags: Flags,
        task: &'static str,
    },
    Flush,
    Mark(u64),
}

/// The steps of a record, without end.
struct Steps {
    made_up: MadeUp,
    round: u64,
    state: u64,
    next: VecDeque<Step>,
    /// How many steps were taken.
    taken: usize,
    nr_marks: usize,
    promises: Vec<Promise>,
}

impl Steps {
    fn new(made_up: MadeUp) -> Self {
        Self {
            made_up,
            round: 0,
            state: 0x9e37_79b9_7f4a_7c15,
            next: VecDeque::new(),
            taken: 0,
            nr_marks: 0,
            promises: Vec::new(),
        }
    }

    /// Whether it is time for a flaw.
    fn is_flawed(&self, flaw: Flaw, round: u64) -> bool {
        self.made_up.flaw == Some((flaw, round))
    }

    /// The index of the entry that comes next.
    fn index(&self) -> u32 {
        (self.taken + self.next.len()) as u32
    }

    /// Marks, and promises that some entries are safe then.
    fn mark(&mut self, nr: u64, entries: Vec<u32>) {
        self.next.push_back(Step::Mark(nr));
        let since = Since::Mark(self.nr_marks);
        self.nr_marks += 1;
        self.promises.push(Promise { since, entries });
    }

    /// A number below `n`, always the same in the same place.
    fn roll(&mut self, n: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % n
    }

    fn write(&mut self, block: u64, blocks: u32, flags: Flags, task: &'static str) {
        self.next.push_back(Step::Write {
            block,
            blocks,
            flags,
            task,
        });
    }

    /// A transaction of the filesystem's journal, at its next place there.
    fn commit(&mut self, at: u64) {
        let at = 1024 + at % 4000;
        let task = "jbd2/pc-8";
        self.write(at, 2, Flags::META, task);
        self.write(at + 2, 1, Flags::META | Flags::PREFLUSH | Flags::FUA, task);
    }

    fn round(&mut self) {
        let (nr, none) = (self.round, Flags::empty());
        self.round += 1;
        match self.made_up.kind {
            Kind::Sqlite => {
                let journal = 8192;
                let pages: Vec<u64> = (0..3).map(|_| 10_000 + self.roll(2000)).collect();
                for at in 0..4 {
                    self.write(journal + at, 1, none, "sqlite3");
                }
                self.commit(nr * 9);
                self.write(journal, 1, none, "sqlite3");
                self.next.push_back(Step::Flush);
                for page in pages {
                    self.write(page, 1, none, "sqlite3");
                }
                self.write(10_000, 1, none, "sqlite3");
                self.next.push_back(Step::Flush);
                self.commit(nr * 9 + 3);
                self.mark(nr, Vec::new());
            }
            Kind::Wal => {
                let log = 100_000 + nr / 3 % 4096;
                self.write(log, 1 + (nr % 3 == 2) as u32, none, "walwriter");
                if self.is_flawed(Flaw::Acknowledgement, nr) {
                    self.mark(nr, vec![self.index() - 1]);
                    self.next.push_back(Step::Flush);
                } else {
                    let written = self.index() - 1;
                    self.next.push_back(Step::Flush);
                    self.mark(nr, vec![written]);
                }
                if nr % 500 == 499 {
                    let first = self.index();
                    for _ in 0..400 {
                        let page = 200_000 + self.roll(20_000);
                        self.write(page, 2, none, "checkpointer");
                    }
                    let pages = (first..self.index()).collect();
                    if !self.is_flawed(Flaw::Checkpoint, nr / 500) {
                        self.next.push_back(Step::Flush);
                    }
                    self.promises.push(Promise {
                        since: Since::Entry(self.index()),
                        entries: pages,
                    });
                    self.write(99_999, 1, none, "checkpointer");
                    self.next.push_back(Step::Flush);
                }
            }
            Kind::Untar => {
                let at = 300_000 + nr * 64 % 600_000;
                self.write(at, 64, none, "kworker/u4:1");
                if nr % 50 == 49 {
                    for _ in 0..20 {
                        let table = 2000 + self.roll(3000);
                        self.write(table, 1, Flags::META, "kworker/u4:1");
                    }
                    self.commit(nr * 3);
                }
            }
            Kind::Save => {
                self.write(300_000 + nr % 100_000, 1, none, "saver");
                self.commit(nr * 6);
                if self.is_flawed(Flaw::Rename, nr) {
                    // The next file's commit has the rename.
                    self.mark(nr, vec![self.index() + 4]);
                } else {
                    self.commit(nr * 6 + 3);
                    self.mark(nr, vec![self.index() - 1]);
                }
            }
            Kind::Random => {
                let at = self.roll(CAPACITY_BLOCKS);
                self.write(at, 1, none, "fio");
            }
        }
    }
}

impl Iterator for Steps {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        while self.next.is_empty() {
            self.round();
        }
        self.taken += 1;
        self.next.pop_front()
    }
}

/// A stream as the driver gives it, made while it is read.
pub struct Stream {
    steps: std::iter::Take<Steps>,
    event: u64,
    bytes: Vec<u8>,
    at: usize,
}

/// What the software relies on, in the order of the log.
pub fn promises(made_up: MadeUp) -> Vec<Promise> {
    let mut steps = Steps::new(made_up);
    let taken = steps.by_ref().take(made_up.entries);
    taken.for_each(drop);
    steps.promises
}

/// A record of so many entries.
pub fn stream(made_up: MadeUp) -> Stream {
    let entries = made_up.entries;
    let steps = Steps::new(made_up).take(entries);
    let newest_event = steps.map(|step| step.events()).sum();
    let header = Header {
        write_cache: true,
        fua: true,
        with_data: true,
        capacity_sectors: CAPACITY_BLOCKS * 8,
        block_size: BLOCK,
        atomic_unit: BLOCK,
        tear: Tear::Any,
        entries: entries as u64,
        newest_event,
        truncated: 0,
        base_entries: 0,
        faults: Faults::default(),
        members: Members::default(),
    };
    Stream {
        steps: Steps::new(made_up).take(entries),
        event: 0,
        bytes: header.to_bytes(),
        at: 0,
    }
}

impl Step {
    fn events(&self) -> u64 {
        match self {
            Self::Write { flags, .. } => 2 + u64::from(flags.contains(Flags::PREFLUSH)),
            Self::Flush => 2,
            Self::Mark(_) => 1,
        }
    }
}

impl Stream {
    fn next_event(&mut self) -> u64 {
        self.event += 1;
        self.event
    }

    /// The next entry, as bytes.
    fn encode(&mut self, step: &Step) -> io::Result<()> {
        let submit = self.next_event();
        let mut entry = Entry {
            op: EntryOp::Write,
            flags: Flags::empty(),
            submit,
            start: submit,
            complete: submit,
            sector: 0,
            nr_sectors: 0,
            payload_len: 0,
            submitted_ns: submit * 20_000,
            completed_ns: submit * 20_000 + 10_000,
            tid: 100,
            task: "workload".into(),
            asked: 0,
        };
        let mut payload = Vec::new();
        match step {
            Step::Write {
                block,
                blocks,
                flags,
                task,
            } => {
                if flags.contains(Flags::PREFLUSH) {
                    entry.start = self.next_event();
                }
                entry.complete = self.next_event();
                entry.flags = *flags;
                entry.sector = block * 8;
                entry.nr_sectors = blocks * 8;
                entry.task = (*task).into();
                payload.resize((blocks * BLOCK) as usize, 0);
                for (nr, bytes) in (0..).zip(payload.chunks_exact_mut(BLOCK as usize)) {
                    bytes[..8].copy_from_slice(&submit.to_le_bytes());
                    bytes[8..16].copy_from_slice(&(block + nr).to_le_bytes());
                }
            }
            Step::Flush => {
                entry.op = EntryOp::Flush;
                entry.flags = Flags::PREFLUSH;
                entry.complete = self.next_event();
            }
            Step::Mark(nr) => {
                entry.op = EntryOp::Mark;
                payload = format!("put {nr}").into_bytes();
            }
        }
        self.bytes.clear();
        self.at = 0;
        write_entry(&mut self.bytes, &entry, &payload)
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at == self.bytes.len() {
            let Some(step) = self.steps.next() else {
                return Ok(0);
            };
            self.encode(&step)?;
        }
        let n = (&self.bytes[self.at..]).read(buf)?;
        self.at += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::Recording;

    #[test]
    fn records_of_all_kinds_are_as_long_as_they_were_asked_for() {
        for (name, kind) in Kind::ALL {
            let made_up = MadeUp {
                kind,
                entries: 3000,
                flaw: None,
            };
            let log = Recording::read(stream(made_up)).unwrap();
            assert_eq!(log.entries().len(), 3000, "{name}");
            assert_eq!(
                log.marks().is_empty(),
                kind == Kind::Untar || kind == Kind::Random
            );
        }
    }
}
