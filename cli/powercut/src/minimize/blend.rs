// SPDX-License-Identifier: GPL-2.0

//! Blends of two states of one cut: each unit as one or the other has it. Any
//! such blend is legal, for nothing orders two units.

use std::collections::BTreeMap;

use crate::choices::{Choices, Unit};
use crate::keep::Keep;

/// Units, by their place among those of the cut.
pub type Units = Vec<usize>;

/// `of` with some units as `other` has them.
pub fn blend(choices: &Choices<'_>, of: &Keep, other: &Keep, units: &[usize]) -> Keep {
    let mut keep = of.clone();
    for unit in units.iter().filter_map(|at| choices.units().get(*at)) {
        for piece in unit.pieces() {
            match other.contains(piece) {
                true => keep.insert(piece),
                false => keep.remove(piece),
            }
        }
    }
    keep
}

/// The pieces of some units that a state has on the disk.
pub fn kept_of(choices: &Choices<'_>, keep: &Keep, units: &[usize]) -> Keep {
    let canonical = choices.canonical(keep);
    let mut some = choices.none();
    for unit in units.iter().filter_map(|at| choices.units().get(*at)) {
        for piece in unit.pieces().filter(|p| canonical.contains(*p)) {
            some.insert(piece);
        }
    }
    some
}

/// The units in which two states differ, in groups: those that differ by the
/// same write are together, older writes first.
pub fn differences(choices: &Choices<'_>, a: &Keep, b: &Keep) -> Vec<Units> {
    let (a, b) = (choices.canonical(a), choices.canonical(b));
    by_write(choices, |unit| {
        unit.pieces().find(|p| a.contains(*p) != b.contains(*p))
    })
}

/// The units out of some others in which a state keeps something, in groups by
/// the newest write kept.
pub fn kept_groups(choices: &Choices<'_>, keep: &Keep, but: &[usize]) -> Vec<Units> {
    let canonical = choices.canonical(keep);
    let mut groups = by_write(choices, |unit| {
        unit.pieces().find(|p| canonical.contains(*p))
    });
    for group in &mut groups {
        group.retain(|unit| !but.contains(unit));
    }
    groups.retain(|group| !group.is_empty());
    groups
}

fn by_write(choices: &Choices<'_>, piece: impl Fn(&Unit) -> Option<usize>) -> Vec<Units> {
    let mut groups: BTreeMap<usize, Units> = BTreeMap::new();
    for (at, unit) in choices.units().iter().enumerate() {
        if let Some(piece) = piece(unit) {
            let entry = choices.pieces()[piece].entry;
            groups.entry(entry).or_default().push(at);
        }
    }
    groups.into_values().collect()
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
