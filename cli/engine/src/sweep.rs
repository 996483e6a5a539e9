// SPDX-License-Identifier: GPL-2.0

//! Goes from cut to cut and counts what each leaves open, by what changed since the one before.

use std::collections::BTreeMap;

use num_bigint::BigUint;
use powercut_model::{coverage, units, visible, Cut, Event, History as _, Mask, Piece, IN_FLIGHT};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::choices::{Found, Unit};
use crate::count;
use crate::event_queue::EventQueue;
use crate::recording::Recording;

/// From so many changes on, the number of states is made anew instead of being mended.
const MANY: usize = 64;

/// The states of one cut after another, on a disk on which each unit survives by itself.
#[derive(Debug)]
pub struct Sweep<'r> {
    recording: &'r Recording,
    /// When a write may change what is pending.
    changes: EventQueue,
    /// The units with pending writes, by place.
    open: FxHashMap<u32, Open>,
    /// How many units have so many contents.
    exponents: BTreeMap<u64, u32>,
    /// The number of contents of units that have more than fit in 64 bits.
    large: FxHashMap<u32, BigUint>,
    pieces: usize,
    states: BigUint,
}

/// A unit with pending writes.
#[derive(Debug, Default)]
struct Open {
    pending: SmallVec<[u32; 2]>,
    /// How many of them were counted.
    pieces: usize,
    /// The number of its contents; 1 if it is among the large ones.
    ways: u64,
}

impl<'r> Sweep<'r> {
    pub fn new(recording: &'r Recording) -> Self {
        let geometry = recording.geometry();
        let whole = Mask::from_range(0, geometry.unit_sectors);
        let mut changes = EventQueue::default();
        for (index, recorded) in recording.entries().iter().enumerate() {
            let entry = &recorded.entry();
            let touched = units(geometry, entry);
            if touched.is_empty() || entry.start == IN_FLIGHT {
                continue;
            }
            let mut at = |event: Event| changes.add(event, index as u32);
            at(entry.start);
            at(recording.stable_from(index));
            // Which of two lies above the other makes a difference where one does not cover the other.
            let is_partial = |unit| coverage(geometry, entry, unit) != whole;
            if is_partial(touched.start) || is_partial(touched.end - 1) {
                at(entry.complete);
            }
        }
        changes.sort();
        Self {
            recording,
            changes,
            open: FxHashMap::default(),
            exponents: BTreeMap::new(),
            large: FxHashMap::default(),
            pieces: 0,
            states: BigUint::from(1u8),
        }
    }

    /// The number of pending pieces.
    pub fn pieces(&self) -> usize {
        self.pieces
    }

    /// The number of legal states.
    pub fn states(&self) -> &BigUint {
        &self.states
    }

    /// Goes on to a later cut.
    pub fn advance(&mut self, cut: &Cut) {
        let changed = self.changed(cut.event);
        let is_mended = changed.len() < MANY;
        for place in changed {
            let Some(mut open) = self.open.remove(&place) else {
                continue;
            };
            let (before, after) = self.look_again(place, &mut open, cut);
            if is_mended && before != after {
                self.states *= after;
                self.states /= before;
            }
            if !open.pending.is_empty() {
                self.open.insert(place, open);
            }
        }
        if !is_mended || !self.large.is_empty() {
            let exponents = self.exponents.iter();
            let small = exponents.map(|(ways, exponent)| BigUint::from(*ways).pow(*exponent));
            self.states = small.chain(self.large.values().cloned()).product();
        }
    }

    /// The units that writes touch of which something changed by an event, by place, ascending.
    fn changed(&mut self, event: Event) -> Vec<u32> {
        let mut changed = Vec::new();
        while let Some((at, index)) = self.changes.take_by(event) {
            let starts = at == self.recording.entries()[index as usize].start();
            for place in self.recording.places(index as usize) {
                let place = place as u32;
                if starts {
                    self.open.entry(place).or_default().pending.push(index);
                }
                changed.push(place);
            }
        }
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    /// Takes a unit in as it is at a cut. How many contents it had, and how many it has.
    fn look_again(&mut self, place: u32, open: &mut Open, cut: &Cut) -> (u64, u64) {
        let (recording, before) = (self.recording, open.ways.max(1));
        let unit = recording.written()[place as usize];
        self.pieces -= open.pieces;
        open.pending.retain(|index| {
            let piece = Piece {
                entry: *index as usize,
                unit,
            };
            recording.stable_from(piece.entry) > cut.event
                && !visible(recording, cut, piece).is_empty()
        });
        open.pieces = open.pending.len();
        self.pieces += open.pieces;
        self.large.remove(&place);
        open.ways = if recording.is_whole(unit) {
            open.pieces as u64 + 1
        } else {
            let pieces = open.pending.iter().copied().zip(0..);
            let pieces = pieces.map(|(entry, number)| Found {
                entry,
                number,
                is_lost: false,
            });
            let contents = count::contents(&Unit::new(recording, cut, place as usize, pieces));
            u64::try_from(&contents).unwrap_or_else(|_| {
                self.large.insert(place, contents);
                1
            })
        };
        self.note(before, open.ways);
        (before, open.ways)
    }

    fn note(&mut self, before: u64, after: u64) {
        if before == after {
            return;
        }
        if let Some(exponent) = self.exponents.get_mut(&before) {
            *exponent -= 1;
            if *exponent == 0 {
                self.exponents.remove(&before);
            }
        }
        if after > 1 {
            *self.exponents.entry(after).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use powercut_model::{spans, Marks};

    use super::*;
    use crate::choices::Choices;
    use crate::recording::testing::History;

    #[test]
    fn from_cut_to_cut_the_numbers_are_those_of_each_cut_alone() {
        let histories = (0..600)
            .map(History::random)
            .chain((0..30).map(History::long));
        for (nr, history) in histories.enumerate() {
            let log = history.done();
            for marks in [Marks::Any, Marks::Monotone] {
                let mut sweep = Sweep::new(&log);
                for cut in spans(&log, marks) {
                    sweep.advance(&cut);
                    let choices = Choices::new(&log, cut);
                    assert_eq!(sweep.pieces(), choices.len(), "{nr}, at {}", cut.event);
                    assert_eq!(
                        *sweep.states(),
                        count::states(&choices),
                        "{nr}, at {}",
                        cut.event
                    );
                }
            }
        }
    }
}
