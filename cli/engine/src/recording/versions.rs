// SPDX-License-Identifier: GPL-2.0

//! For each unit, or block, the writes of it.

use std::ops::Range;

/// Lists of entries, by a number: one array for all of them.
#[derive(Debug, Default)]
pub struct Versions {
    /// Ascending.
    keys: Vec<u64>,
    /// Where the list of each key ends in `entries`.
    ends: Vec<usize>,
    entries: Vec<u32>,
}

impl Versions {
    /// From pairs of a key and an entry, in any order.
    pub fn new(mut pairs: Vec<(u64, u32)>) -> Self {
        // Most come in the order of the entries, with keys that ascend: then this is fast.
        pairs.sort_unstable();
        let mut versions = Self {
            entries: pairs.iter().map(|(_, entry)| *entry).collect(),
            ..Self::default()
        };
        for (at, (key, _)) in pairs.iter().enumerate() {
            if versions.keys.last() == Some(key) {
                versions.ends.pop();
            } else {
                versions.keys.push(*key);
            }
            versions.ends.push(at + 1);
        }
        versions
    }

    pub fn keys(&self) -> &[u64] {
        &self.keys
    }

    /// The position of a key among them.
    pub fn place(&self, key: u64) -> Option<usize> {
        self.keys.binary_search(&key).ok()
    }

    /// The positions of the keys in a range.
    pub fn places(&self, keys: Range<u64>) -> Range<usize> {
        let before = |end: u64| self.keys.partition_point(|key| *key < end);
        before(keys.start)..before(keys.end)
    }

    /// The entries of the key at a position, oldest first.
    pub fn at(&self, place: usize) -> &[u32] {
        let start = match place {
            0 => 0,
            _ => self.ends[place - 1],
        };
        &self.entries[start..self.ends[place]]
    }

    /// The entries of a key, oldest first.
    pub fn of(&self, key: u64) -> &[u32] {
        self.place(key).map_or(&[], |place| self.at(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_entries_in_order() {
        let versions = Versions::new(vec![(7, 2), (3, 0), (7, 1), (9, 5), (3, 4)]);
        assert_eq!(versions.keys(), [3, 7, 9]);
        assert_eq!(versions.of(3), [0, 4]);
        assert_eq!(versions.of(7), [1, 2]);
        assert_eq!(versions.at(2), [5]);
        assert!(versions.of(8).is_empty());
        assert_eq!(versions.places(3..8), 0..2);
        assert!(versions.places(4..7).is_empty());
        assert!(Versions::new(Vec::new()).keys().is_empty());
    }
}
