// SPDX-License-Identifier: GPL-2.0

//! What an examination read of a crash state: what its verdict may depend on.

use serde::{Deserialize, Serialize};
use zerocopy::little_endian::U64;
use zerocopy::FromBytes;

use crate::recording::Recording;

/// Sectors read, as first and number; ascending, apart from each other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reads(Vec<(u64, u64)>);

impl Reads {
    /// From the driver's answer: pairs of little-endian 64-bit numbers. None
    /// if it is not whole.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let pairs = <[[U64; 2]]>::ref_from_bytes(bytes).ok()?;
        let ranges = pairs
            .iter()
            .map(|[first, count]| (first.get(), count.get()));
        Some(Self(ranges.collect()))
    }

    /// From ascending ranges that lie apart.
    pub fn from_ranges(ranges: Vec<(u64, u64)>) -> Self {
        Self(ranges)
    }

    /// The places, among the units written to in a recording, of those that
    /// were read at least in part; ascending.
    pub fn places(&self, recording: &Recording) -> Vec<u32> {
        let sectors = u64::from(recording.header().atomic_unit) / crate::abi::SECTOR;
        let mut places: Vec<u32> = Vec::new();
        for (first, count) in self.0.iter().filter(|(_, count)| *count > 0) {
            let last = first.saturating_add(count - 1) / sectors;
            let from = recording.places_before(first / sectors);
            let to = recording.places_before(last.saturating_add(1));
            let after = places.last().map_or(0, |p| *p + 1);
            places.extend((from as u32).max(after)..to as u32);
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::testing::History;

    #[test]
    fn the_drivers_answer_is_taken_apart() {
        let mut bytes = Vec::new();
        for n in [8u64, 16, 1 << 40, 1] {
            bytes.extend(n.to_le_bytes());
        }
        let reads = Reads::parse(&bytes).unwrap();
        assert_eq!(reads, Reads(vec![(8, 16), (1 << 40, 1)]));
        assert_eq!(Reads::parse(&bytes[1..]), None);
    }

    #[test]
    fn only_what_was_written_counts_and_each_unit_once() {
        let log = History::new()
            .write(1, "a")
            .write(5, "b")
            .write(7, "c")
            .done();
        // Blocks have 8 sectors: part of block 1, part of it again, 5 to 6.
        let reads = Reads(vec![(8, 2), (14, 1), (40, 16), (640, 8)]);
        assert_eq!(reads.places(&log), [0, 1]);
        assert!(Reads::default().places(&log).is_empty());
    }
}
