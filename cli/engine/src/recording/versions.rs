// SPDX-License-Identifier: GPL-2.0

//! For each unit, or block, the writes of it.

use std::ops::Range;

use super::entry::MAX_EVENTS;

/// Bits of the number of an entry in a [`Pair`].
const ENTRY_BITS: u32 = MAX_EVENTS.ilog2();

/// A key and an entry in one number, for sorting: the key in the high bits. Keys have 35 bits at most,
/// as there are so many sectors at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair(u64);

impl Pair {
    pub fn new(key: u64, entry: u32) -> Self {
        Self((key << ENTRY_BITS) | u64::from(entry))
    }

    fn key(self) -> u64 {
        self.0 >> ENTRY_BITS
    }

    fn entry(self) -> u32 {
        (self.0 & (MAX_EVENTS - 1)) as u32
    }
}

/// Lists of entries, by a number: one array for all of them.
#[derive(Debug, Default)]
pub struct Versions {
    /// Ascending.
    keys: Vec<u64>,
    buckets: Buckets,
    /// Where the list of each key ends in `entries`.
    ends: Vec<u32>,
    entries: Vec<u32>,
}

impl Versions {
    /// From pairs in any order.
    pub fn new(pairs: Vec<Pair>) -> Self {
        Self::with_keys(pairs, Vec::new())
    }

    /// The same, and keys that are there even if they have no entries.
    pub fn with_keys(mut pairs: Vec<Pair>, mut keys: Vec<u64>) -> Self {
        // Most come in the order of the entries, with keys that ascend: then this is fast.
        pairs.sort_unstable();
        keys.sort_unstable();
        let mut keys = keys.into_iter().peekable();
        let mut versions = Self {
            entries: pairs.iter().map(|pair| pair.entry()).collect(),
            ..Self::default()
        };
        for (end, pair) in (1..).zip(&pairs) {
            while let Some(key) = keys.next_if(|key| *key <= pair.key()) {
                versions.end_key(key, end - 1);
            }
            versions.end_key(pair.key(), end);
        }
        for key in keys {
            versions.end_key(key, versions.entries.len() as u32);
        }
        versions.keys.shrink_to_fit();
        versions.ends.shrink_to_fit();
        versions.buckets = Buckets::new(&versions.keys);
        versions
    }

    /// The list of a key, the last one or a new one, ends there.
    fn end_key(&mut self, key: u64, end: u32) {
        if self.keys.last() == Some(&key) {
            self.ends.pop();
        } else {
            self.keys.push(key);
        }
        self.ends.push(end);
    }

    pub fn keys(&self) -> &[u64] {
        &self.keys
    }

    /// The number of entries in all lists.
    pub fn nr_entries(&self) -> usize {
        self.entries.len()
    }

    /// The number of keys below one.
    pub fn before(&self, key: u64) -> usize {
        self.buckets.before(&self.keys, key)
    }

    /// The position of a key among them.
    pub fn place(&self, key: u64) -> Option<usize> {
        let place = self.before(key);
        (self.keys.get(place) == Some(&key)).then_some(place)
    }

    /// The positions of the keys in a range.
    pub fn places(&self, keys: Range<u64>) -> Range<usize> {
        self.before(keys.start)..self.before(keys.end)
    }

    /// Where the list of the key at a position is in the array of all lists.
    pub fn range(&self, place: usize) -> Range<usize> {
        let start = match place {
            0 => 0,
            _ => self.ends[place - 1] as usize,
        };
        start..self.ends[place] as usize
    }

    /// The entries of the key at a position, oldest first.
    pub fn at(&self, place: usize) -> &[u32] {
        &self.entries[self.range(place)]
    }

    /// The entries of a key, oldest first.
    pub fn of(&self, key: u64) -> &[u32] {
        self.place(key).map_or(&[], |place| self.at(place))
    }
}

/// Parts of equal width of what keys may be, about as many as there are keys: so each has few.
#[derive(Debug, Default)]
struct Buckets {
    /// The bits of a key below those that tell its bucket.
    shift: u32,
    /// For each bucket, and for one after the last, the number of keys in those before it.
    firsts: Vec<u32>,
}

impl Buckets {
    fn new(keys: &[u64]) -> Self {
        let Some(last) = keys.last() else {
            return Self::default();
        };
        let bits = |number: u64| u64::BITS - number.leading_zeros();
        let shift = bits(*last).saturating_sub(bits(keys.len() as u64));
        let mut firsts = Vec::with_capacity((last >> shift) as usize + 2);
        for (nr, key) in (0..).zip(keys) {
            while firsts.len() as u64 <= key >> shift {
                firsts.push(nr);
            }
        }
        firsts.push(keys.len() as u32);
        Self { shift, firsts }
    }

    /// The number of keys below one.
    fn before(&self, keys: &[u64], key: u64) -> usize {
        let bucket = usize::try_from(key >> self.shift).unwrap_or(usize::MAX);
        let bucket = bucket.min(self.firsts.len());
        match (self.firsts.get(bucket), self.firsts.get(bucket + 1)) {
            (Some(first), Some(end)) => {
                let first = *first as usize;
                first + keys[first..*end as usize].partition_point(|other| *other < key)
            }
            _ => keys.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_key_has_its_entries_in_order() {
        let last = (1 << 35) - 1;
        let pairs = [(7, 2), (3, 0), (7, 1), (last, 5), (3, 4)];
        let pairs = pairs.map(|(key, entry)| Pair::new(key, entry));
        let versions = Versions::new(pairs.to_vec());
        assert_eq!(versions.keys(), [3, 7, last]);
        assert_eq!(versions.of(3), [0, 4]);
        assert_eq!(versions.of(7), [1, 2]);
        assert_eq!(versions.at(2), [5]);
        assert!(versions.of(8).is_empty());
        assert_eq!(versions.places(3..8), 0..2);
        assert!(versions.places(4..7).is_empty());
        assert!(Versions::new(Vec::new()).keys().is_empty());
    }

    #[test]
    fn keys_are_there_without_entries() {
        let pairs = vec![Pair::new(3, 1), Pair::new(3, 0), Pair::new(5, 1)];
        let versions = Versions::with_keys(pairs, vec![9, 3, 4, 1, 4, 9]);
        assert_eq!(versions.keys(), [1, 3, 4, 5, 9]);
        let lists = (0..5).map(|place| versions.at(place).len());
        assert_eq!(lists.collect::<Vec<_>>(), [0, 2, 0, 1, 0]);
        assert_eq!((versions.of(3), versions.of(5)), (&[0, 1][..], &[1][..]));
        let alone = Versions::with_keys(Vec::new(), vec![2]);
        assert_eq!((alone.keys(), alone.at(0)), (&[2][..], &[][..]));
    }

    proptest! {
        #[test]
        fn a_key_is_found_where_a_search_finds_it(
            spread in 0u32..30,
            mut keys in prop::collection::vec(0u64..50, 0..40),
            sought in 0u64..60,
        ) {
            keys.iter_mut().for_each(|key| *key <<= spread * (*key % 2) as u32);
            let pairs = keys.iter().map(|key| Pair::new(*key, 0));
            let versions = Versions::new(pairs.collect());
            for sought in [sought, sought << spread, (sought << spread) + 1, u64::MAX] {
                let searched = versions.keys().partition_point(|key| *key < sought);
                prop_assert_eq!(versions.before(sought), searched);
            }
        }
    }
}
