// SPDX-License-Identifier: GPL-2.0

//! An entry of the log as it is kept in memory: small, as there are millions of them.

use powercut_model::{Entry, Event, Op, IN_FLIGHT};

use crate::abi::{self, EntryOp, Flags};

/// No record has more events. One that had would take the driver 100 GiB of memory.
pub const MAX_EVENTS: Event = 1 << 29;
/// Of an entry without data, where its data is.
pub const NO_DATA: u32 = u32::MAX;

/// An event of a record in 32 bits. Their order is that of the events.
pub fn short(event: Event) -> u32 {
    match event {
        IN_FLIGHT => u32::MAX,
        event => u32::try_from(event).unwrap_or(u32::MAX - 1),
    }
}

/// The event that [`short`] made short.
pub fn long(event: u32) -> Event {
    match event {
        u32::MAX => IN_FLIGHT,
        event => event.into(),
    }
}

/// One entry of the log. Its task and its text are asked for at the recording.
#[derive(Debug, Clone)]
pub struct Recorded {
    sector: u64,
    submitted_ns: u64,
    completed_ns: u64,
    submit: u32,
    start: u32,
    pub(super) complete: u32,
    nr_sectors: u32,
    flags: Flags,
    /// Its task, by number.
    pub(super) task: u32,
    /// Of a write, the number of its first block among all blocks written; of a discard that leaves
    /// garbage, its number among these; of a mark likewise.
    pub(super) data: u32,
    /// The position of its first unit among those written.
    pub(super) place: u32,
    op: EntryOp,
}

impl Recorded {
    pub(super) fn new(raw: &abi::Entry, task: u32, data: u32) -> Self {
        Self {
            sector: raw.sector,
            submitted_ns: raw.submitted_ns,
            completed_ns: raw.completed_ns,
            submit: short(raw.submit),
            start: short(raw.start),
            complete: short(raw.complete),
            nr_sectors: raw.nr_sectors,
            flags: raw.flags,
            task,
            data,
            place: 0,
            op: raw.op,
        }
    }

    pub fn op(&self) -> EntryOp {
        self.op
    }

    pub fn flags(&self) -> Flags {
        self.flags
    }

    pub fn submit(&self) -> Event {
        self.submit.into()
    }

    pub fn start(&self) -> Event {
        long(self.start)
    }

    pub fn complete(&self) -> Event {
        long(self.complete)
    }

    pub fn sector(&self) -> u64 {
        self.sector
    }

    /// As it was asked for, also if it was lost.
    pub fn nr_sectors(&self) -> u32 {
        self.nr_sectors
    }

    pub fn bytes(&self) -> u64 {
        u64::from(self.nr_sectors) * abi::SECTOR
    }

    /// The number of its task among those of the recording.
    pub fn task_nr(&self) -> usize {
        self.task as usize
    }

    pub fn submitted_ns(&self) -> u64 {
        self.submitted_ns
    }

    pub fn completed_ns(&self) -> u64 {
        self.completed_ns
    }

    /// Whether it is a write, a discard or one of zeroes.
    pub fn is_write(&self) -> bool {
        self.op.changes_data()
    }

    /// When the flush in it is complete, as [`Entry::flush_complete`].
    pub fn flush_complete(&self) -> Option<Event> {
        self.entry().flush_complete()
    }

    /// What the model sees of it: of a fault, what it left.
    pub fn entry(&self) -> Entry {
        let op = match self.op {
            EntryOp::Write | EntryOp::Base => Op::Write,
            EntryOp::WriteZeroes => Op::WriteZeroes,
            EntryOp::Discard => Op::Discard,
            EntryOp::Flush => Op::Flush,
            EntryOp::Mark => Op::Mark,
        };
        let has = |flags| self.flags.contains(flags);
        Entry {
            op,
            preflush: op.is_write() && has(Flags::PREFLUSH),
            fua: op.is_write() && has(Flags::FUA) && !has(Flags::FUA_IGNORED),
            lied: has(Flags::LIED),
            sector: self.sector,
            nr_sectors: if op.is_write() && !has(Flags::LOST) {
                self.nr_sectors
            } else {
                0
            },
            submit: self.submit(),
            start: self.start(),
            complete: self.complete(),
        }
    }
}

// There are millions.
const _: () = assert!(size_of::<Recorded>() <= 64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_in_32_bits_keep_their_order() {
        let events = [0, 1, MAX_EVENTS, IN_FLIGHT];
        let short: Vec<u32> = events.into_iter().map(short).collect();
        assert!(short.is_sorted());
        let long: Vec<Event> = short.into_iter().map(long).collect();
        assert_eq!(long, events);
    }
}
