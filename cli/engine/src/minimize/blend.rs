// SPDX-License-Identifier: GPL-2.0

//! Blends of two states of one cut: each unit as one or the other has it. Any
//! such blend is legal, for nothing orders two units. Where writes survive as
//! prefixes, that is so of writes instead: a blend has each as one or the other has it.

use std::collections::BTreeMap;

use crate::choices::Choices;
use crate::keep::Keep;

/// What is blended, by its place among the units of the cut, or among its writes.
pub type Items = Vec<usize>;

/// The pieces of an item, the topmost first or the last.
fn pieces(choices: &Choices<'_>, item: usize) -> Vec<usize> {
    if choices.has_prefixes() {
        let write = choices.writes().get(item);
        write.map_or(Vec::new(), |(_, pieces)| pieces.clone().rev().collect())
    } else {
        let unit = choices.units().get(item);
        unit.map_or(Vec::new(), |unit| unit.pieces().collect())
    }
}

/// `of` with some items as `other` has them.
pub fn blend(choices: &Choices<'_>, of: &Keep, other: &Keep, items: &[usize]) -> Keep {
    let mut keep = of.clone();
    for piece in items.iter().flat_map(|item| pieces(choices, *item)) {
        if other.contains(piece) {
            keep.insert(piece)
        } else {
            keep.remove(piece)
        }
    }
    keep
}

/// The pieces of some items that a state has on the disk.
pub fn kept_of(choices: &Choices<'_>, keep: &Keep, items: &[usize]) -> Keep {
    let shown = choices.shown(keep);
    let mut some = choices.none();
    for piece in items.iter().flat_map(|item| pieces(choices, *item)) {
        if shown.contains(piece) {
            some.insert(piece);
        }
    }
    some
}

/// The items in which two states differ, in groups: those that differ by the
/// same write are together, older writes first.
pub fn differences(choices: &Choices<'_>, a: &Keep, b: &Keep) -> Vec<Items> {
    let (a, b) = (choices.canonical(a), choices.canonical(b));
    by_write(choices, |piece| a.contains(piece) != b.contains(piece))
}

/// The items out of some others in which a state keeps something, in groups by
/// the newest write kept.
pub fn kept_groups(choices: &Choices<'_>, keep: &Keep, but: &[usize]) -> Vec<Items> {
    let shown = choices.shown(keep);
    let mut groups = by_write(choices, |piece| shown.contains(piece));
    for group in &mut groups {
        group.retain(|item| !but.contains(item));
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// The items with such a piece, by the write of the first.
fn by_write(choices: &Choices<'_>, is_sought: impl Fn(usize) -> bool) -> Vec<Items> {
    let mut groups: BTreeMap<usize, Items> = BTreeMap::new();
    let nr_items = if choices.has_prefixes() {
        choices.writes().len()
    } else {
        choices.units().len()
    };
    for item in 0..nr_items {
        let mut pieces = pieces(choices, item).into_iter();
        if let Some(piece) = pieces.find(|piece| is_sought(*piece)) {
            let entry = choices.pieces()[piece].entry;
            groups.entry(entry).or_default().push(item);
        }
    }
    groups.into_values().collect()
}

/// Of items in which two states differ: what the one that passes has newer, and what
/// the one that fails has newer.
pub fn lost_and_kept(
    choices: &Choices<'_>,
    passes: &Keep,
    fails: &Keep,
    items: &[usize],
) -> (Keep, Keep) {
    let (mut lost, mut kept) = (choices.none(), choices.none());
    for item in items {
        let has = |keep: &Keep| kept_of(choices, keep, &[*item]).iter().collect::<Vec<_>>();
        let (mut with, mut without) = (has(passes), has(fails));
        let is_lost = with.last() > without.last();
        if choices.has_prefixes() {
            // Of a write, no more than what is to that.
            let both = with.clone();
            with.retain(|piece| !without.contains(piece));
            without.retain(|piece| !both.contains(piece));
        }
        let (into, pieces) = if is_lost {
            (&mut lost, with)
        } else {
            (&mut kept, without)
        };
        pieces.into_iter().for_each(|piece| into.insert(piece));
    }
    (lost, kept)
}

/// The state in which an item that is a write has so many pieces.
pub fn with_length(choices: &Choices<'_>, of: &Keep, item: usize, length: usize) -> Keep {
    let mut keep = of.clone();
    if let Some((_, pieces)) = choices.writes().get(item) {
        for piece in pieces.clone() {
            if piece < pieces.start + length {
                keep.insert(piece)
            } else {
                keep.remove(piece)
            }
        }
    }
    keep
}

/// How many pieces of an item that is a write a legal state has.
pub fn length(choices: &Choices<'_>, keep: &Keep, item: usize) -> usize {
    let write = choices.writes().get(item);
    write.map_or(0, |(_, pieces)| {
        pieces.clone().filter(|p| keep.contains(*p)).count()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::testing::History;
    use powercut_model::Cut;

    #[test]
    fn blends_and_groups() {
        // Pieces: 0 old, 1 new, 2-4 a b c.
        let recording = History::new()
            .write(0, "old")
            .write(0, "new")
            .write_run(4, &["a", "b", "c"])
            .done();
        let choices = Choices::new(&recording, Cut::new(&recording, 6).unwrap());
        let (all, none) = (choices.all(), choices.none());
        assert_eq!(
            differences(&choices, &all, &none),
            [vec![0], vec![1, 2, 3]],
            "by the write that differs"
        );
        let old = Keep::that(5, |i| i == 0);
        assert_eq!(differences(&choices, &all, &old)[0], [0]);
        let some = blend(&choices, &all, &none, &[0, 2]);
        assert_eq!(some, Keep::that(5, |i| i == 2 || i == 4));
        assert_eq!(
            kept_of(&choices, &all, &[0, 1]),
            Keep::that(5, |i| i == 1 || i == 2)
        );
        assert_eq!(kept_groups(&choices, &all, &[1]), [vec![0], vec![2, 3]]);
    }
}
