// SPDX-License-Identifier: GPL-2.0

//! The driver's pages that something was written to: a discard leaves garbage in these alone.

use std::collections::BTreeSet;
use std::ops::Range;

use super::Recorded;
use crate::abi::{self, EntryOp, Flags};
use crate::garbage::PAGE;

/// Pages written. They are looked up only where a discard leaves garbage, which few records have.
#[derive(Debug, Default)]
pub struct Pages {
    /// Those of the base, as runs in any order.
    base: Vec<Range<u64>>,
    known: BTreeSet<u64>,
    /// How many entries `known` has the pages of.
    taken_in: usize,
}

impl Pages {
    /// An entry of the base.
    pub fn add_base(&mut self, raw: &abi::Entry) {
        let pages = pages_of(raw.sector, raw.nr_sectors);
        match self.base.last_mut() {
            Some(last) if last.end == pages.start => last.end = pages.end,
            _ => self.base.push(pages),
        }
    }

    /// The pages that a discard touches and that the entries so far, or the base, wrote to.
    pub fn written(&mut self, entries: &[Recorded], discard: &abi::Entry) -> Box<[u64]> {
        let base = std::mem::take(&mut self.base);
        self.known.extend(base.into_iter().flatten());
        for entry in &entries[self.taken_in..] {
            if entry.op() == EntryOp::Write && !entry.flags().contains(Flags::LOST) {
                self.known
                    .extend(pages_of(entry.sector(), entry.nr_sectors()));
            }
        }
        self.taken_in = entries.len();
        let discarded = pages_of(discard.sector, discard.nr_sectors);
        self.known.range(discarded).copied().collect()
    }
}

/// The pages that these sectors lie in.
fn pages_of(sector: u64, nr_sectors: u32) -> Range<u64> {
    let end = sector + u64::from(nr_sectors);
    sector * abi::SECTOR / PAGE..(end * abi::SECTOR).div_ceil(PAGE)
}
