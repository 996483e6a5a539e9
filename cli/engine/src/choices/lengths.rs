// SPDX-License-Identifier: GPL-2.0

//! States of a disk on which writes survive as prefixes: of each write, the first
//! so many of its pieces. Writes that share a unit depend on each other; those
//! that do, directly or by way of others, are a component.

use std::cmp::Reverse;
use std::collections::HashMap;

use num_bigint::BigUint;
use powercut_model::Mask;

use super::Choices;

/// A component that takes more steps than this is not counted.
const STEPS: u64 = 2_000_000;

/// How many pieces of a write may be kept, both ends in.
pub type Bounds = (u32, u32);

/// The writes of a cut, by their numbers in [`Choices::writes`].
#[derive(Debug)]
pub struct Lengths {
    /// The unit of each piece, by its number in [`Choices::units`].
    unit_of: Vec<u32>,
    component_of: Vec<u32>,
    components: Vec<Component>,
}

#[derive(Debug, Default)]
struct Component {
    /// Topmost first.
    writes: Vec<u32>,
    /// Of each of them; none if there is but one.
    parts: Vec<Vec<Part>>,
    /// The units that writes below each of them touch, as runs.
    below: Vec<Vec<(u64, u64)>>,
}

/// A piece.
#[derive(Debug, Clone, Copy)]
struct Part {
    unit: u64,
    mask: Mask,
    /// Without what stable writes hide.
    visible: Mask,
}

/// What is covered of some units: runs of them, ascending, each with the same sectors.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Cover(Vec<(u64, u64, Mask)>);

impl Lengths {
    pub(super) fn new(choices: &Choices<'_>) -> Self {
        let nr_writes = choices.writes.len();
        let mut unit_of = vec![0; choices.len()];
        let mut sets = Sets((0..nr_writes as u32).collect());
        for (nr, unit) in choices.units.iter().enumerate() {
            let mut first = None;
            for piece in unit.pieces() {
                unit_of[piece] = nr as u32;
                let write = choices.write_of(piece) as u32;
                let first = *first.get_or_insert(write);
                sets.join(first, write);
            }
        }
        let mut component_of = vec![0; nr_writes];
        let mut components: Vec<Component> = Vec::new();
        let mut numbers = HashMap::new();
        for write in 0..nr_writes as u32 {
            let nr = *numbers.entry(sets.root(write)).or_insert_with(|| {
                components.push(Component::default());
                components.len() - 1
            });
            component_of[write as usize] = nr as u32;
            components[nr].writes.push(write);
        }
        for component in &mut components {
            component.arrange(choices, &unit_of);
        }
        Self {
            unit_of,
            component_of,
            components,
        }
    }

    /// The unit of a piece, by its number in [`Choices::units`].
    pub fn unit_of(&self, piece: usize) -> usize {
        self.unit_of[piece] as usize
    }

    /// The component of a write.
    pub fn component_of(&self, write: u32) -> usize {
        self.component_of[write as usize] as usize
    }

    pub fn nr_components(&self) -> usize {
        self.components.len()
    }

    /// The number of states of a component within bounds for each of its writes;
    /// none if that takes too long.
    pub fn count(&self, nr: usize, bounds: impl Fn(u32) -> Bounds) -> Option<BigUint> {
        self.components[nr].count(&bounds)
    }

    /// No less than the number of states of a component.
    pub fn at_most(&self, nr: usize, bounds: impl Fn(u32) -> Bounds) -> BigUint {
        let writes = self.components[nr].writes.iter();
        writes
            .map(|write| {
                let (lowest, highest) = bounds(*write);
                BigUint::from(highest - lowest + 1)
            })
            .product()
    }
}

impl Component {
    /// Puts its writes in order and looks up what has to be known of them.
    fn arrange(&mut self, choices: &Choices<'_>, unit_of: &[u32]) {
        let entries = choices.recording.entries();
        let height = |write: u32| {
            let index = choices.writes[write as usize].0;
            (choices.cut.arrival(&entries[index].entry()), index)
        };
        self.writes.sort_by_key(|write| Reverse(height(*write)));
        if self.writes.len() == 1 {
            return;
        }
        let mut lowest: HashMap<u64, usize> = HashMap::new();
        for (at, write) in self.writes.iter().enumerate() {
            let pieces = choices.writes[*write as usize].1.clone();
            let part = |piece: usize| {
                let unit = &choices.units[unit_of[piece] as usize];
                let (mask, visible) = unit.visible(piece as u32);
                Part {
                    unit: unit.unit,
                    mask,
                    visible,
                }
            };
            let parts: Vec<Part> = pieces.map(part).collect();
            lowest.extend(parts.iter().map(|part| (part.unit, at)));
            self.parts.push(parts);
        }
        let mut lowest: Vec<(u64, usize)> = lowest.into_iter().collect();
        lowest.sort_unstable();
        for at in 0..self.writes.len() {
            let mut runs: Vec<(u64, u64)> = Vec::new();
            for (unit, _) in lowest.iter().filter(|(_, low)| *low > at) {
                match runs.last_mut() {
                    Some(run) if run.1 + 1 == *unit => run.1 = *unit,
                    _ => runs.push((*unit, *unit)),
                }
            }
            self.below.push(runs);
        }
    }

    /// The number of ways to keep of each write none, or pieces up to one that shows:
    /// by what is covered, going down.
    fn count(&self, bounds: &dyn Fn(u32) -> Bounds) -> Option<BigUint> {
        if let [only] = self.writes[..] {
            let (lowest, highest) = bounds(only);
            return Some(BigUint::from(highest - lowest + 1));
        }
        let mut steps = 0;
        let mut ways = HashMap::from([(Cover::default(), BigUint::from(1u8))]);
        for (at, write) in self.writes.iter().enumerate() {
            let (parts, (lowest, highest)) = (&self.parts[at], bounds(*write));
            if at + 1 == self.writes.len() {
                let number =
                    |(cover, n): (&Cover, &BigUint)| n * cover.ends(parts, lowest, highest);
                return Some(ways.iter().map(number).sum());
            }
            let mut next: HashMap<Cover, BigUint> = HashMap::new();
            for (mut cover, n) in ways {
                let mut ends = u64::from(lowest == 0);
                for (nr, part) in (1..=highest).zip(parts) {
                    let covered = cover.of(part.unit);
                    let mut add = |ends: &mut u64, cover: &Cover| {
                        let ends = std::mem::take(ends);
                        if ends > 0 {
                            *next.entry(cover.within(&self.below[at])).or_default() += &n * ends;
                        }
                    };
                    let shows = !part.visible.without(covered).is_empty();
                    if !part.mask.without(covered).is_empty() {
                        add(&mut ends, &cover);
                        cover.add(part.unit, part.mask);
                    }
                    ends += u64::from(shows && nr >= lowest);
                    if nr == highest {
                        add(&mut ends, &cover);
                    }
                    steps += 1 + cover.0.len() as u64;
                    if steps > STEPS {
                        return None;
                    }
                }
                if highest == 0 {
                    *next.entry(cover.within(&self.below[at])).or_default() += &n * ends;
                }
            }
            ways = next;
        }
        None
    }
}

impl Cover {
    /// What is covered of a unit.
    fn of(&self, unit: u64) -> Mask {
        let at = self.0.partition_point(|(_, last, _)| *last < unit);
        match self.0.get(at) {
            Some((first, _, mask)) if *first <= unit => *mask,
            _ => Mask::EMPTY,
        }
    }

    /// Covers more of a unit.
    fn add(&mut self, unit: u64, more: Mask) {
        let at = self.0.partition_point(|(_, last, _)| *last < unit);
        let mut new = Vec::with_capacity(3);
        let mut end = at;
        let mut mask = more;
        match self.0.get(at) {
            Some(&(first, last, old)) if first <= unit => {
                mask = old | more;
                end = at + 1;
                if first < unit {
                    new.push((first, unit - 1, old));
                }
                new.push((unit, unit, mask));
                if unit < last {
                    new.push((unit + 1, last, old));
                }
            }
            _ => new.push((unit, unit, mask)),
        }
        self.0.splice(at..end, new);
        // Runs of the same that touch are one: so that equal covers are equal.
        let mut at = at.saturating_sub(1);
        while at + 1 < self.0.len() && self.0[at].0 <= unit + 1 {
            let (one, next) = (self.0[at], self.0[at + 1]);
            if one.1 + 1 == next.0 && one.2 == next.2 {
                self.0[at].1 = next.1;
                self.0.remove(at + 1);
            } else {
                at += 1;
            }
        }
    }

    /// What is covered of these units, which are runs.
    fn within(&self, units: &[(u64, u64)]) -> Self {
        let mut within = Vec::new();
        let mut at = 0;
        for (first, last, mask) in &self.0 {
            while units.get(at).is_some_and(|(_, end)| end < first) {
                at += 1;
            }
            for (start, end) in units[at..].iter().take_while(|(start, _)| start <= last) {
                within.push((*first.max(start), *last.min(end), *mask));
            }
        }
        Self(within)
    }

    /// How many of these lengths of a write end with a piece that shows, or are 0.
    fn ends(&self, parts: &[Part], lowest: u32, highest: u32) -> u64 {
        let from = lowest.max(1) as usize - 1;
        let parts = &parts[from..(highest as usize).max(from)];
        let mut hidden = 0;
        for (first, last, mask) in &self.0 {
            let start = parts.partition_point(|part| part.unit < *first);
            let end = parts.partition_point(|part| part.unit <= *last);
            let here = parts[start..end].iter();
            hidden += here
                .filter(|part| part.visible.without(*mask).is_empty())
                .count();
        }
        u64::from(lowest == 0) + (parts.len() - hidden) as u64
    }
}

/// Disjoint sets of numbers, each by one of its members.
struct Sets(Vec<u32>);

impl Sets {
    fn root(&mut self, of: u32) -> u32 {
        let mut root = of;
        while self.0[root as usize] != root {
            let above = self.0[self.0[root as usize] as usize];
            self.0[root as usize] = above;
            root = above;
        }
        root
    }

    fn join(&mut self, one: u32, other: u32) {
        let (one, other) = (self.root(one), self.root(other));
        self.0[one.max(other) as usize] = one.min(other);
    }
}
