// SPDX-License-Identifier: GPL-2.0

//! Records of any length, made up after what real software writes, for benchmarks.

pub mod promises;
mod steps;
mod stream;

use steps::Steps;

pub use stream::{stream, Stream};

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

/// What the software relies on, in the order of the log.
pub fn promises(made_up: MadeUp) -> Vec<Promise> {
    let mut steps = Steps::new(made_up);
    steps.promises = Some(Vec::new());
    let taken = steps.by_ref().take(made_up.entries);
    taken.for_each(drop);
    steps.promises.unwrap_or_default()
}

/// How many entries of a record have so many events.
pub fn entries_of(kind: Kind, events: u64) -> usize {
    let mut left = events;
    let steps = Steps::new(MadeUp {
        kind,
        entries: 0,
        flaw: None,
    });
    let within = steps.take_while(|step| {
        let fits = step.events() <= left;
        left = left.saturating_sub(step.events());
        fits
    });
    within.count()
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
