// SPDX-License-Identifier: GPL-2.0

//! Which sectors of a page.

use super::{
    PAGE_SECTORS,
    SECTOR_SIZE, //
};
use core::ops::Range;

/// A set of sectors of one page of the disk, one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct SectorMask(u8);

impl SectorMask {
    /// The whole page.
    pub(crate) const FULL: Self = Self(u8::MAX);
    /// No sector.
    pub(crate) const EMPTY: Self = Self(0);

    /// The sectors `range` of a page; what lies outside the page is left out.
    pub(crate) fn from_range(range: Range<usize>) -> Self {
        let below = |end: usize| match end {
            // No sector is that far up.
            PAGE_SECTORS.. => u8::MAX,
            _ => (1 << end) - 1,
        };
        Self(below(range.end) & !below(range.start))
    }

    /// The sectors of `page` that the `nr_sectors` from `sector` of the disk on cover.
    pub(crate) fn of_page(page: u64, sector: u64, nr_sectors: u64) -> Self {
        let first = page * PAGE_SECTORS as u64;
        let start = sector.max(first) - first;
        let end = sector.saturating_add(nr_sectors).saturating_sub(first);
        let end = end.min(PAGE_SECTORS as u64);
        // No truncation: `start` is only used if it is less than `end`, at most 8.
        if start < end {
            Self::from_range(start as usize..end as usize)
        } else {
            Self::EMPTY
        }
    }

    /// Whether it has no sector.
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all sectors of `other` are in it.
    pub(crate) fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The sectors that are in both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The sectors that are in either.
    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Its sectors without those of `other`.
    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Its runs of neighbouring sectors, as ranges of bytes of the page.
    pub(crate) fn runs(self) -> impl Iterator<Item = Range<usize>> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            if rest == 0 {
                return None;
            }
            let start = rest.trailing_zeros();
            let len = (!(rest >> start)).trailing_zeros().min(8 - start);
            rest &= !(((1u16 << len) - 1) << start) as u8;
            Some(start as usize * SECTOR_SIZE..(start + len) as usize * SECTOR_SIZE)
        })
    }
}
