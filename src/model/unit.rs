// SPDX-License-Identifier: GPL-2.0

//! Units, the pieces that writes fall into, and the sectors that a piece covers.

use core::ops::Range;

use super::history::{
    Entry,
    Geometry, //
};

/// The part of one write that lies in one unit: what survives a power cut or doesn't, as a whole.
///
/// Ordered by write, then by unit, as in a selection.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Piece {
    /// The index of the write in the [`History`](super::History).
    pub entry: usize,
    /// The unit, counted from the start of the disk.
    pub unit: u64,
}

/// A set of the sectors of one unit: bit `n` is the `n`-th sector of the unit.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Mask(u128);

impl Mask {
    /// No sector.
    pub const EMPTY: Self = Self(0);

    /// The sectors `first..end` of a unit; those from 128 on are left out.
    pub fn from_range(first: u32, end: u32) -> Self {
        Self(below(end) & !below(first))
    }

    /// The set as bits, the lowest for the first sector of the unit.
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// Whether there is no sector in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether that sector of the unit is in it.
    pub fn contains(self, sector: u32) -> bool {
        !(self & Self::from_range(sector, sector.saturating_add(1))).is_empty()
    }

    /// The sectors that are in this one but not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl core::ops::BitAnd for Mask {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl core::ops::BitOr for Mask {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The lowest `count` bits.
fn below(count: u32) -> u128 {
    match 1u128.checked_shl(count) {
        Some(bit) => bit.wrapping_sub(1),
        None => u128::MAX,
    }
}

/// The units that a write touches, in whole or in part; none if it is not a write.
pub fn units(geometry: Geometry, entry: &Entry) -> Range<u64> {
    let shift = geometry.unit_shift();

    if !entry.is_write() || entry.nr_sectors == 0 {
        return 0..0;
    }

    let last_sector = entry
        .sector
        .saturating_add(u64::from(entry.nr_sectors).saturating_sub(1));

    entry.sector >> shift..(last_sector >> shift).saturating_add(1)
}

/// The sectors of the disk that are in the units from `first` to `last`.
pub(super) fn sectors(geometry: Geometry, first: u64, last: u64) -> Range<u64> {
    let unit_sectors = 1u64 << geometry.unit_shift();

    first.saturating_mul(unit_sectors)..last.saturating_add(1).saturating_mul(unit_sectors)
}

/// The sectors of `unit` that a write covers; none if it is not a write.
pub fn coverage(geometry: Geometry, entry: &Entry, unit: u64) -> Mask {
    let shift = geometry.unit_shift();
    let unit_sectors = 1u64 << shift;

    if !entry.is_write() || unit > u64::MAX >> shift {
        return Mask::EMPTY;
    }

    // Positions relative to the start of the unit, clamped to the unit: 128 at most.
    let base = unit << shift;
    let clamp = |sector: u64| {
        let offset = sector.saturating_sub(base).min(unit_sectors);
        u32::try_from(offset).unwrap_or(0)
    };
    let end = entry.sector.saturating_add(u64::from(entry.nr_sectors));

    Mask::from_range(clamp(entry.sector), clamp(end))
}
