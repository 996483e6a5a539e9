// SPDX-License-Identifier: GPL-2.0

//! A write: from the bio that asks for it to the entry that the log has of it.

use crate::{
    block::Flags,
    fault::Kinds,
    model::{
        self,
        Op,
        IN_FLIGHT, //
    },
    nowait::NoWait,
    store::{
        self,
        SectorMask, //
    }, //
};
use core::ops::Range;

/// A write of any kind, a flush or a mark.
#[derive(Clone, Copy)]
pub(crate) struct Write {
    /// What the contract knows of it ([`Self::to_model`]). The sector of a mark is the index of
    /// its text.
    pub(crate) entry: model::Entry,
    /// All its flags.
    pub(crate) flags: Flags,
    /// The faults that it met.
    pub(crate) faults: Kinds,
    /// The first sector that it was for, if it was misdirected.
    pub(crate) asked: u64,
    /// When it was submitted, ns since the record began.
    pub(crate) submit_ns: u64,
    /// How long it took, in ns.
    pub(crate) duration_ns: u32,
    /// Index of who issued it in the table of submitters.
    pub(crate) submitter: u32,
    /// The hash of the stack that it was submitted from; 0: not known. In the log it is its
    /// submitter's.
    pub(crate) stack: u32,
    /// How much later than others it is complete. Not in the log.
    pub(crate) delay_us: u64,
    /// Whether it may not be kept waiting. Not in the log.
    pub(crate) nowait: NoWait,
}

impl Write {
    /// What was not submitted yet.
    pub(crate) fn new(op: Op, flags: Flags, sector: u64, nr_sectors: u32) -> Self {
        Self {
            entry: model::Entry {
                op,
                preflush: flags.contains(Flags::PREFLUSH),
                fua: flags.contains(Flags::FUA),
                lied: false,
                sector,
                nr_sectors,
                submit: IN_FLIGHT,
                start: IN_FLIGHT,
                complete: IN_FLIGHT,
            },
            flags,
            faults: Kinds::default(),
            asked: 0,
            submit_ns: 0,
            duration_ns: 0,
            submitter: 0,
            stack: 0,
            delay_us: 0,
            nowait: NoWait::default(),
        }
    }

    /// The same, having met faults.
    pub(crate) fn with_faults(mut self, faults: Kinds) -> Self {
        self.faults = faults;
        self.entry.lied = faults.contains(Kinds::LIED);
        if faults.contains(Kinds::FUA_IGNORED) {
            self.entry.fua = false;
        }
        self
    }

    /// It is submitted at `event`: started, unless it flushes first, and
    /// not complete, unless it is a mark.
    pub(super) fn submit(&mut self, event: u64) {
        self.entry.submit = event;
        self.entry.start = if self.starts_later() {
            IN_FLIGHT
        } else {
            event
        };
        self.entry.complete = if self.entry.op == Op::Mark {
            event
        } else {
            IN_FLIGHT
        };
    }

    /// It is complete as soon as it was submitted: its events follow each other.
    pub(super) fn complete_at_once(&mut self) {
        if self.entry.start == IN_FLIGHT {
            self.entry.start = self.entry.submit + 1;
        }
        self.entry.complete = self.entry.start + 1;
    }

    /// Whether its own data starts later than at its submit.
    pub(crate) fn starts_later(&self) -> bool {
        self.entry.op.is_write() && self.entry.preflush
    }

    /// The last of its events so far.
    pub(crate) fn newest_event(&self) -> u64 {
        match (self.entry.start, self.entry.complete) {
            (IN_FLIGHT, _) => self.entry.submit,
            (start, IN_FLIGHT) => start,
            (_, complete) => complete,
        }
    }

    /// Whether it was answered and never done.
    pub(crate) fn is_lost(&self) -> bool {
        self.faults.contains(Kinds::LOST)
    }

    /// Whether it is a write of zeroes or a discard that was done.
    pub(crate) fn is_zeroes(&self) -> bool {
        matches!(self.entry.op, Op::WriteZeroes | Op::Discard) && !self.is_lost()
    }

    /// Whether it may make others or itself stable.
    pub(crate) fn promises(&self) -> bool {
        self.entry.op == Op::Flush || self.flags.has_any(Flags::PREFLUSH | Flags::FUA)
    }

    /// The pages it touches: none if it is lost.
    pub(crate) fn pages(&self) -> Range<u64> {
        if self.is_lost() {
            0..0
        } else {
            store::pages(self.entry.sector, self.entry.nr_sectors.into())
        }
    }

    /// The sectors of a page that it covers.
    pub(crate) fn mask(&self, page: u64) -> SectorMask {
        SectorMask::of_page(page, self.entry.sector, self.entry.nr_sectors.into())
    }

    /// What the model needs of it: of a fault, what it left.
    pub(crate) fn to_model(self) -> model::Entry {
        let is_mark = self.entry.op == Op::Mark;
        model::Entry {
            sector: if is_mark { 0 } else { self.entry.sector },
            nr_sectors: if self.is_lost() {
                0
            } else {
                self.entry.nr_sectors
            },
            ..self.entry
        }
    }
}
