// SPDX-License-Identifier: GPL-2.0

//! What software submits, step by step.

use std::collections::VecDeque;

use super::{Flaw, Kind, MadeUp, Promise, Since, CAPACITY_BLOCKS};
use crate::abi::Flags;

/// What is submitted next. It completes at once.
#[derive(Debug, Clone)]
pub enum Step {
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
pub struct Steps {
    made_up: MadeUp,
    round: u64,
    state: u64,
    next: VecDeque<Step>,
    /// How many steps were taken.
    taken: usize,
    nr_marks: usize,
    /// What is promised, if that is wanted.
    pub promises: Option<Vec<Promise>>,
}

impl Steps {
    pub fn new(made_up: MadeUp) -> Self {
        Self {
            made_up,
            round: 0,
            state: 0x9e37_79b9_7f4a_7c15,
            next: VecDeque::new(),
            taken: 0,
            nr_marks: 0,
            promises: None,
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
        self.promise(Promise { since, entries });
    }

    fn promise(&mut self, promise: Promise) {
        if let Some(promises) = &mut self.promises {
            promises.push(promise);
        }
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
                    self.promise(Promise {
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

impl Step {
    pub fn events(&self) -> u64 {
        match self {
            Self::Write { flags, .. } => 2 + u64::from(flags.contains(Flags::PREFLUSH)),
            Self::Flush => 2,
            Self::Mark(_) => 1,
        }
    }
}
