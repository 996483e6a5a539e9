// SPDX-License-Identifier: GPL-2.0

//! How many states there would be to look at without this or that rule.

use std::collections::HashMap;
use std::rc::Rc;

use num_bigint::BigUint;
use powercut_model::{Cut, History, Tear};

use super::units::ByUnits;
use crate::choices::Choices;
use crate::count;
use crate::strategy::Space;

/// Weighing this many units over all cuts is worth the wait.
const WORTH: usize = 5_000_000;
/// As are boxes of images.
const BOXES: usize = 20_000;

/// Legal states at the cuts that others dominate; none if there is too much to
/// count.
pub fn dominated(space: &Space<'_>) -> Option<BigUint> {
    let recording = space.recording();
    let last = recording.last_event();
    if (last as usize).saturating_mul(recording.written().len()) > WORTH {
        return None;
    }
    let cuts = (0..=last).filter(|event| space.cuts().binary_search(event).is_err());
    cuts.map(|event| {
        let cut = Cut::new(recording, event).ok()?;
        Some(count::states(&Choices::new(recording, cut)))
    })
    .sum()
}

/// The images of a cut: of each unit written, the contents it may have.
type Product = HashMap<u32, Vec<u128>>;

/// A part of a product, and what units outside of it hold.
struct Images {
    newest: Vec<u128>,
    several: Product,
}

impl Images {
    /// The contents of a unit.
    fn of<'a>(&'a self, part: &'a Product, place: u32) -> &'a [u128] {
        match part.get(&place) {
            Some(contents) => contents,
            None => std::slice::from_ref(&self.newest[place as usize]),
        }
    }
}

/// Distinct images, told apart by the marks that go with them, over all
/// dominating cuts; none if there is too much to count, or units depend on each other.
pub fn images(space: &Space<'_>) -> Option<BigUint> {
    let recording = space.recording();
    let units = space.cuts().len().saturating_mul(recording.written().len());
    if recording.geometry().tear == Tear::Prefix || units > WORTH {
        return None;
    }
    let mut total = BigUint::ZERO;
    let mut before: Vec<Images> = Vec::new();
    let mut marks = None;
    let mut boxes = 0;
    for event in space.cuts() {
        let choices = space.choices(*event)?;
        let units = ByUnits::new(Rc::clone(&choices))?;
        let these = Images {
            newest: choices.contents(&choices.all()),
            several: units.several().collect(),
        };
        let now = recording.marks_by(*event).len();
        if marks.replace(now) != Some(now) {
            before.clear();
        }
        let mut parts = vec![these.several.clone()];
        for other in &before {
            let mut next = Vec::new();
            for part in parts {
                without(&these, part, other, &mut next);
                boxes += 1;
                if next.len() + boxes > BOXES {
                    return None;
                }
            }
            parts = next;
        }
        for part in &parts {
            let sizes = part.values().map(|contents| contents.len());
            total += sizes.fold(BigUint::from(1u8), |n, len| n * len);
        }
        before.push(these);
    }
    Some(total)
}

/// The images of a part that are not among another cut's, as parts.
fn without(these: &Images, part: Product, other: &Images, out: &mut Vec<Product>) {
    let places = 0..these.newest.len() as u32;
    let mut overlap = Vec::new();
    for place in places {
        let (ours, theirs) = (these.of(&part, place), other.of(&other.several, place));
        let (both, only): (Vec<u128>, Vec<u128>) =
            ours.iter().partition(|content| theirs.contains(content));
        if both.is_empty() {
            out.push(part);
            return;
        }
        if !only.is_empty() {
            overlap.push((place, both, only));
        }
    }
    let mut rest = part;
    for (place, both, only) in overlap {
        let mut outside = rest.clone();
        outside.insert(place, only);
        out.push(outside);
        rest.insert(place, both);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::keep::Keep;
    use crate::marks::Marks;
    use crate::recording::testing::History;
    use crate::tear::Tear;
    use powercut_model::Event;

    #[test]
    fn images_are_counted_as_by_brute_force() {
        let rmw = (0..100).map(History::random_rmw);
        let logs = (0..300).map(History::random).chain(rmw);
        for (seed, log) in logs.enumerate() {
            let log = log.done();
            let space = Space::new(&log, Marks::Any);
            let mut all = HashSet::new();
            let many = |event: &Event| space.choices(*event).unwrap().len() > 14;
            if log.header().tear == Tear::Rmw && space.cuts().iter().any(many) {
                continue;
            }
            for event in space.cuts() {
                let choices = space.choices(*event).unwrap();
                let marks = log.marks_by(*event).len();
                for bits in 0u32..1 << choices.len().min(16) {
                    let keep = Keep::that(choices.len(), |i| (bits >> i) & 1 == 1);
                    all.insert((choices.image(&keep), marks));
                }
            }
            let n = images(&space).unwrap();
            assert_eq!(n, BigUint::from(all.len()), "seed {seed}");
        }
    }

    #[test]
    fn dominated_states_are_those_at_other_cuts() {
        // 1, 2, [4], and after the flush 1 each.
        let log = History::new().write(0, "a").write(1, "b").flush().done();
        let space = Space::new(&log, Marks::Any);
        let all: BigUint = (0..=6)
            .map(|event| count::states(&space.choices(event).unwrap()))
            .sum();
        let kept: BigUint = super::super::legal_states(&space);
        assert_eq!(dominated(&space), Some(all - kept));
    }
}
