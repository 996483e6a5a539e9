// SPDX-License-Identifier: GPL-2.0

//! What a disk that is served from user space does wrong, by the module's own rules.

use std::fmt;
use std::ops::Range;

use crate::fault::{Access, AccessOp, Extent, Faults, Injected, Kinds};
use crate::prelude::*;

/// What an I/O does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IoOp {
    Read,
    /// Zeroes or data.
    Write,
    Discard,
    /// And nothing else.
    Flush,
}

/// An I/O, as far as rules look at it.
#[derive(Debug, Clone, Copy)]
pub struct Io {
    pub op: IoOp,
    pub sector: u64,
    pub nr_sectors: u32,
    pub is_fua: bool,
    /// It is a write of data.
    pub has_data: bool,
}

/// The faults that an I/O is to meet.
#[derive(Clone, Copy, Default)]
pub struct Met(Injected);

impl Met {
    /// Their sorts, as flags of an entry of a log (docs/abi.md), those included that no entry has.
    pub fn entry_flags(&self) -> u32 {
        self.0.kinds.entry_flags()
    }

    /// It fails with EIO.
    pub fn fails(&self) -> bool {
        self.0.is(Kinds::EIO) || self.0.is(Kinds::BAD_SECTOR)
    }

    /// It is answered and not done.
    pub fn is_lost(&self) -> bool {
        self.0.is(Kinds::LOST)
    }

    /// It reads what was there before.
    pub fn is_stale(&self) -> bool {
        self.0.is(Kinds::STALE)
    }

    /// The sector that a misdirected write goes to.
    pub fn moved_to(&self) -> Option<u64> {
        self.0.is(Kinds::MISDIRECTED).then_some(self.0.sector)
    }

    /// Has a write of so many sectors, if it is misdirected, go no further than these.
    pub fn keep_within(&mut self, sectors: &Range<u64>, nr_sectors: u32) {
        let last = sectors.end.saturating_sub(nr_sectors.into());
        self.0.sector = self.0.sector.clamp(sectors.start, last.max(sectors.start));
    }

    /// How many microseconds later it is complete.
    pub fn delay_us(&self) -> u64 {
        self.0.delay_us
    }

    /// Changes the data of a write that is to be corrupted.
    pub fn corrupt(&self, data: &mut [u8]) {
        for (at, change) in self.0.corrupted_bytes(data.len() as u64) {
            data[at as usize] ^= change;
        }
    }
}

/// What a disk was told to do wrong.
pub struct Injector(Faults);

impl fmt::Debug for Injector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Injector({}{})", self.0.rules(), self.0.bad())
    }
}

impl Injector {
    /// Nothing, for a disk of so many sectors, so many to a block.
    pub fn new(nr_sectors: u64, block_sectors: u64) -> Self {
        Self(Faults::new(Extent {
            nr_sectors,
            block_sectors,
        }))
    }

    /// As the attribute `faults` takes rules.
    pub fn set_rules(&mut self, text: &str) -> Result {
        self.0.set_rules(text.as_bytes())
    }

    /// As the attribute `badblocks` takes a change.
    pub fn set_bad(&mut self, text: &str) -> Result {
        self.0.set_bad(text.as_bytes())
    }

    /// As the attribute `badblocks_mode`.
    pub fn set_bad_mode(&mut self, text: &str) -> Result {
        self.0.set_mode(text.as_bytes())
    }

    /// As the attribute `badblocks_once`.
    pub fn set_bad_once(&mut self, once: bool) -> Result {
        self.0.set_once(if once { b"1" } else { b"0" })
    }

    /// Begins again: rules count from 0, bad sectors are as they were set.
    pub fn rewind(&mut self) -> Result {
        self.0.rewind()
    }

    /// What becomes of an I/O.
    pub fn meet(&mut self, io: &Io) -> Result<Met> {
        let access = Access {
            op: match io.op {
                IoOp::Read => AccessOp::Read,
                IoOp::Write => AccessOp::Write,
                IoOp::Discard => AccessOp::Discard,
                IoOp::Flush => AccessOp::Flush,
            },
            sector: io.sector,
            nr_sectors: io.nr_sectors,
            flushes: io.op == IoOp::Flush,
            is_fua: io.is_fua,
            has_data: io.has_data,
        };
        self.0.inject(&access).map(Met)
    }
}
