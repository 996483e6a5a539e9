// SPDX-License-Identifier: GPL-2.0

//! How many legal states there are, exactly.

use std::collections::{BTreeMap, HashMap};

use num_bigint::BigUint;
use powercut_model::Mask;

use crate::choices::{Choices, Unit};

/// Whether [`states`] tells the number exactly, not just one that it is no more than.
pub fn is_exact(choices: &Choices<'_>) -> bool {
    !choices.has_prefixes() || choices.prefixes().1
}

/// The number of legal states of a cut: the product over its units, or, where writes
/// survive as prefixes, over the writes that share none.
pub fn states(choices: &Choices<'_>) -> BigUint {
    if choices.has_prefixes() {
        return choices.prefixes().0.clone();
    }
    let mut large = BigUint::from(1u8);
    let small = choices.units().iter().filter_map(|unit| {
        let of_unit = contents(unit);
        let small = u64::try_from(&of_unit).ok();
        if small.is_none() {
            large *= of_unit;
        }
        small
    });
    product(small.collect::<Vec<u64>>()) * large
}

/// The product of many numbers, of which most are small, and alike.
pub fn product(factors: impl IntoIterator<Item = u64>) -> BigUint {
    let mut exponents: BTreeMap<u64, u32> = BTreeMap::new();
    for factor in factors {
        *exponents.entry(factor).or_default() += 1;
    }
    let powers = exponents.into_iter();
    powers.fold(BigUint::from(1u8), |product, (factor, exponent)| {
        product * BigUint::from(factor).pow(exponent)
    })
}

/// The number of sets of a unit's pieces in which every piece shows. With
/// writes of whole units that is one more than its versions.
pub fn contents(unit: &Unit) -> BigUint {
    // By what is hidden so far, going from the newest version to the oldest.
    let mut ways: HashMap<u128, (Mask, BigUint)> = HashMap::new();
    ways.insert(0, (Mask::EMPTY, BigUint::from(1u8)));
    for (mask, is_piece) in unit.coverages() {
        let mut next: HashMap<u128, (Mask, BigUint)> = HashMap::new();
        let mut add = |hidden: Mask, n: BigUint| {
            let way = next.entry(hidden.bits());
            way.or_insert_with(|| (hidden, BigUint::default())).1 += n;
        };
        for (hidden, n) in ways.into_values() {
            let shows = !mask.without(hidden).is_empty();
            match (is_piece, shows) {
                (false, _) => add(hidden | mask, n),
                (true, false) => add(hidden, n),
                (true, true) => {
                    add(hidden | mask, n.clone());
                    add(hidden, n);
                }
            }
        }
        ways = next;
    }
    ways.into_values().map(|(_, n)| n).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::testing::History;
    use powercut_model::{spans, Cut, Marks};

    fn count(recording: &crate::recording::Recording, event: u64) -> u64 {
        let cut = Cut::new(recording, event).unwrap();
        let n = states(&Choices::new(recording, cut));
        u64::try_from(&n).unwrap()
    }

    #[test]
    fn versions_of_a_unit_add_and_units_multiply() {
        let log = History::new()
            .write(0, "a")
            .write(0, "b")
            .write(1, "c")
            .done();
        assert_eq!(count(&log, 0), 1);
        assert_eq!(count(&log, 2), 2);
        assert_eq!(count(&log, 4), 3);
        assert_eq!(count(&log, 6), 6);
    }

    /// A unit that a write may cost has one content more, however many writes may cost it.
    #[test]
    fn neighbours_that_may_be_lost_count() {
        let log = |log: History| log.base(2, "x").base(9, "y");
        let rmw = log(History::new().rmw());
        assert_eq!(count(&rmw.clone().write(1, "a").done(), 2), 2 << 7);
        let two = rmw.clone().write(1, "a").write(4, "b");
        // 0, 2, 3, 5, 6, 7 may be lost, by either; 1 and 4 have their own writes, too.
        assert_eq!(count(&two.done(), 4), (2 << 5) * 3 * 3);
        assert_eq!(count(&two.flush().done(), 6), 1);
        let whole = rmw.write_run(0, &["a"; 8]).done();
        assert_eq!(count(&whole, 2), 1 << 8);
        assert_eq!(count(&log(History::new()).write(1, "a").done(), 2), 2);
    }

    #[test]
    fn a_flush_leaves_one_state() {
        let log = History::new().write(0, "a").write(1, "b").flush().done();
        assert_eq!(count(&log, log.header().newest_event), 1);
    }

    #[test]
    fn sets_of_partial_pieces_are_counted_by_what_shows() {
        // Two halves and then the whole: neither, left, right, both, whole.
        let log = History::new()
            .blocks_per_unit(2)
            .write(0, "a")
            .write(1, "b")
            .write_run(0, &["c", "d"])
            .done();
        assert_eq!(count(&log, 6), 5);
    }

    #[test]
    fn equals_brute_force() {
        let logs = (0..60).flat_map(|seed| {
            [
                (seed, History::random(seed)),
                (seed, History::random_rmw(seed)),
            ]
        });
        for (seed, log) in logs {
            let log = log.done();
            for cut in spans(&log, Marks::Any) {
                let choices = Choices::new(&log, cut);
                if choices.len() > 12 {
                    continue;
                }
                let mut sets = std::collections::HashSet::new();
                for bits in 0u32..1 << choices.len() {
                    let keep = crate::keep::Keep::that(choices.len(), |i| (bits >> i) & 1 == 1);
                    sets.insert(choices.canonical(&keep));
                }
                let n = u64::try_from(&states(&choices)).unwrap();
                assert_eq!(n, sets.len() as u64, "seed {seed} cut {}", cut.event);
            }
        }
    }

    /// Distinct contents by versions, over every number of pieces for each write.
    #[test]
    fn prefixes_equal_brute_force() {
        let mut overlaps = 0;
        for seed in 0..400 {
            let log = History::random_prefixes(seed).done();
            for cut in spans(&log, Marks::Any) {
                let choices = Choices::new(&log, cut);
                let every = choices.every_prefix(usize::MAX).unwrap();
                let mut seen = std::collections::HashMap::new();
                for keep in &every {
                    let canonical = choices.canonical(keep);
                    assert_eq!(choices.legal(&canonical), canonical);
                    assert_eq!(choices.image(&canonical), choices.image(keep));
                    // One for all that show the same pieces.
                    let shown = choices.shown(keep);
                    assert_eq!(choices.shown(&canonical), shown);
                    let known = seen.entry(shown).or_insert(canonical.clone());
                    assert_eq!(*known, canonical);
                }
                let n = u64::try_from(&states(&choices)).unwrap();
                assert_eq!(n, seen.len() as u64, "seed {seed} cut {}", cut.event);
                assert!(is_exact(&choices));
                overlaps += u64::from(seen.len() < every.len());
            }
        }
        assert!(overlaps > 100, "{overlaps}");
    }

    #[test]
    fn a_prefix_is_one_of_so_many() {
        let words = ["x"; 200];
        let log = History::new().prefixes().write_run(0, &words);
        assert_eq!(count(&log.done(), 2), 201);
        let log = log.write_run(210, &["y", "z"]);
        assert_eq!(count(&log.done(), 4), 201 * 3);
        // Over the first half: the longer the newer one, the fewer of the older show.
        let log = History::new().prefixes().write_run(0, &words);
        let log = log.write_run(0, &words[..100]).done();
        let expected: u64 = (0..=100).map(|newer| 201 - newer).sum();
        assert_eq!(count(&log, 4), expected);
    }

    #[test]
    fn what_is_not_counted_is_no_more_than_a_bound() {
        let words = ["x"; 250];
        let log = (0..12).fold(History::new().prefixes(), |log, n| {
            log.write_run(n % 3, &words[..250 - n as usize])
        });
        let log = log.done();
        let choices = Choices::new(&log, Cut::new(&log, 24).unwrap());
        let bound: BigUint = choices.writes().iter().map(|(_, p)| p.len() + 1).product();
        assert!(!is_exact(&choices));
        assert_eq!(states(&choices), bound);
    }
}
