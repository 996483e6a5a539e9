// SPDX-License-Identifier: GPL-2.0

//! The blocks that units consist of: which of them a write covers, and what they add to the image's
//! hash then.

use std::ops::Range;

use powercut_model::{coverage, Entry};

use super::{weight, ContentHash, Recording};

/// The blocks of a unit that a write covers, counted from the first of the unit.
pub fn covered(recording: &Recording, entry: &Entry, unit: u64) -> impl Iterator<Item = u32> {
    let mask = coverage(recording.geometry, entry, unit);
    let per_block = recording.block_sectors() as u32;
    let per_unit = recording.geometry.unit_sectors / per_block;
    (0..per_unit).filter(move |at| mask.contains(at * per_block))
}

impl Recording {
    /// How the image's hash differs from the base's where a block holds what a write put there.
    pub fn block_hash(&self, block: u64, index: u32) -> u128 {
        self.content_hash(block, self.content(index as usize, block))
    }

    /// The same where it holds something else.
    fn content_hash(&self, block: u64, content: ContentHash) -> u128 {
        let base = self.base_content(block);
        if content == base {
            return 0;
        }
        weight(block, content).wrapping_sub(weight(block, base))
    }

    /// The same of a unit that a write covers whole.
    pub fn unit_hash(&self, unit: u64, index: u32) -> u128 {
        let hashes = self
            .blocks_in(unit)
            .map(|block| self.block_hash(block, index));
        hashes.fold(0, u128::wrapping_add)
    }

    /// The same of a unit that is lost.
    pub fn lost_hash(&self, unit: u64) -> u128 {
        let hashes = self
            .blocks_in(unit)
            .map(|block| self.content_hash(block, self.zeroes));
        hashes.fold(0, u128::wrapping_add)
    }

    fn blocks_in(&self, unit: u64) -> Range<u64> {
        let per_unit = u64::from(self.geometry.unit_sectors) / self.block_sectors();
        unit * per_unit..(unit + 1) * per_unit
    }
}
