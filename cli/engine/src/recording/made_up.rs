// SPDX-License-Identifier: GPL-2.0

//! Records of any length, made up after what real software writes, for benchmarks.

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
}

impl Kind {
    pub const ALL: [(&'static str, Self); 4] = [
        ("sqlite", Self::Sqlite),
        ("wal", Self::Wal),
        ("untar", Self::Untar),
        ("random", Self::Random),
    ];
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
    kind: Kind,
    round: u64,
    state: u64,
    next: std::collections::VecDeque<Step>,
}

impl Steps {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            round: 0,
            state: 0x9e37_79b9_7f4a_7c15,
            next: std::collections::VecDeque::new(),
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
        match self.kind {
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
                self.next.push_back(Step::Mark(nr));
            }
            Kind::Wal => {
                let log = 100_000 + nr / 3 % 4096;
                self.write(log, 1 + (nr % 3 == 2) as u32, none, "walwriter");
                self.next.push_back(Step::Flush);
                self.next.push_back(Step::Mark(nr));
                if nr % 500 == 499 {
                    for _ in 0..400 {
                        let page = 200_000 + self.roll(20_000);
                        self.write(page, 2, none, "checkpointer");
                    }
                    self.next.push_back(Step::Flush);
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

/// A record of so many entries.
pub fn stream(kind: Kind, entries: usize) -> Stream {
    let steps = Steps::new(kind).take(entries);
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
        steps: Steps::new(kind).take(entries),
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
    fn records_of_all_kinds_are_read_as_long_as_they_were_asked_for() {
        for (name, kind) in Kind::ALL {
            let log = Recording::read(stream(kind, 3000)).unwrap();
            assert_eq!(log.entries().len(), 3000, "{name}");
            assert_eq!(
                log.marks().is_empty(),
                kind == Kind::Untar || kind == Kind::Random
            );
        }
    }
}
