// SPDX-License-Identifier: GPL-2.0

//! A set of indices into the pending pieces of a cut.

use std::fmt;

use fixedbitset::FixedBitSet;

/// Which of a cut's pending pieces survived, by their index.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Keep(FixedBitSet);

impl Keep {
    /// None of `len` pieces.
    pub fn none(len: usize) -> Self {
        Self(FixedBitSet::with_capacity(len))
    }

    /// All of `len` pieces.
    pub fn all(len: usize) -> Self {
        let mut keep = Self::none(len);
        keep.0.insert_range(..);
        keep
    }

    /// Those of `len` pieces whose index satisfies `wanted`.
    pub fn that(len: usize, mut wanted: impl FnMut(usize) -> bool) -> Self {
        let mut keep = Self::none(len);
        keep.0.extend((0..len).filter(|index| wanted(*index)));
        keep
    }

    /// The number of pieces to choose from.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_clear()
    }

    /// The number of pieces chosen.
    pub fn count(&self) -> usize {
        self.0.count_ones(..)
    }

    pub fn contains(&self, index: usize) -> bool {
        self.0.contains(index)
    }

    /// Chooses a piece; one that there isn't is not chosen.
    pub fn insert(&mut self, index: usize) {
        if index < self.len() {
            self.0.insert(index);
        }
    }

    pub fn remove(&mut self, index: usize) {
        if index < self.len() {
            self.0.remove(index);
        }
    }

    /// The indices chosen, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.ones()
    }

    /// The indices chosen as ascending ranges that don't touch, both ends in.
    pub fn ranges(&self) -> Vec<(usize, usize)> {
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for index in self.iter() {
            match ranges.last_mut() {
                Some(last) if last.1 + 1 == index => last.1 = index,
                _ => ranges.push((index, index)),
            }
        }
        ranges
    }

    /// Words of 64 pieces, the first one in the lowest bit.
    pub(crate) fn words(&self) -> impl Iterator<Item = u64> + '_ {
        // Disks that can be recorded have 64-bit kernels.
        const _: () = assert!(usize::BITS == u64::BITS);
        self.0.as_slice().iter().map(|word| *word as u64)
    }
}

impl fmt::Debug for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {}", self.ranges(), self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_holds_no_more_than_there_is() {
        for len in [0, 1, 63, 64, 65, 200] {
            let all = Keep::all(len);
            assert_eq!(all.count(), len);
            assert_eq!(all, Keep::that(len, |_| true));
            assert!(!all.contains(len));
        }
    }

    /// Journals name states by a hash of these words: they stay as they are.
    #[test]
    fn words_are_of_64_pieces_the_first_the_lowest_bit() {
        let third = |len| Keep::that(len, |i| i % 3 == 0);
        let words: [(Keep, &[u64]); 7] = [
            (Keep::all(0), &[]),
            (third(1), &[1]),
            (third(63), &[0x1249_2492_4924_9249]),
            (third(64), &[0x9249_2492_4924_9249]),
            (third(65), &[0x9249_2492_4924_9249, 0]),
            (Keep::none(128), &[0, 0]),
            (
                third(130),
                &[0x9249_2492_4924_9249, 0x4924_9249_2492_4924, 2],
            ),
        ];
        for (keep, expected) in words {
            let words: Vec<u64> = keep.words().collect();
            assert_eq!(words, expected, "{keep:?}");
        }
    }

    #[test]
    fn ranges_join_neighbours() {
        let mut keep = Keep::none(70);
        for index in [0, 1, 2, 5, 63, 64, 69, 70, 900] {
            keep.insert(index);
        }
        assert_eq!(keep.ranges(), [(0, 2), (5, 5), (63, 64), (69, 69)]);
        keep.remove(1);
        assert_eq!(keep.ranges()[..2], [(0, 0), (2, 2)]);
    }
}
