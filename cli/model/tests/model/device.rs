// SPDX-License-Identifier: GPL-2.0

//! A disk with a volatile cache, as one would build it, in all the ways it may behave at once.
//!
//! It has never heard of watermarks, stable or pending writes. It takes in a write piece by piece,
//! each the part in one unit, at any time from its submit to its completion; what is taken in later
//! lies above what was taken in earlier. At any moment it may move a piece that it has taken in to
//! the medium, but one of a write with PREFLUSH only once its flush is done; a unit is written
//! there as a whole, and nothing goes below what lies above it. It must do so only before it may
//! say that a flush, a FUA write, or without a cache any write, is complete. What a power cut
//! leaves is the medium. Units have nothing to do with each other. Being lazy in every possible
//! way, each is followed through the set of all states that it could be in by now. Several disks are
//! one with units of its own for each, which a flush of that one is told.

use std::{collections::BTreeMap, ops::Range};

use crate::contents::Cells;

/// What a unit may be like: four bits each for what was taken in, the latest lowest; and for
/// the version in each cell of the medium. Versions are numbered from 1, 0 is the base.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct State {
    taken: u64,
    medium: u64,
}

const BITS: u32 = 4;
const MASK: u64 = (1 << BITS) - 1;

impl State {
    /// How many versions lie above that one, if it was taken in.
    fn depth(self, version: u8) -> Option<u32> {
        (0..64 / BITS).find(|depth| (self.taken >> (depth * BITS)) & MASK == u64::from(version))
    }

    fn shown(self, cell: u32) -> u8 {
        ((self.medium >> (cell * BITS)) & MASK) as u8
    }

    /// Whether a version shows in a cell, or something that lies above it.
    fn holds(self, version: u8, cell: u32) -> bool {
        let shown = self.shown(cell);

        shown != 0 && self.depth(shown) <= self.depth(version)
    }

    fn take_in(self, version: u8) -> Self {
        assert_eq!(self.taken >> (64 - BITS), 0);
        Self {
            taken: (self.taken << BITS) | u64::from(version),
            ..self
        }
    }

    fn move_to_medium(self, version: u8, cells: Cells) -> Self {
        let mut state = self;

        for cell in bits(cells) {
            if !self.holds(version, cell) {
                state.medium &= !(MASK << (cell * BITS));
                state.medium |= u64::from(version) << (cell * BITS);
            }
        }
        state
    }
}

fn bits(cells: Cells) -> impl Iterator<Item = u32> {
    (0..Cells::BITS).filter(move |cell| (cells >> cell) & 1 == 1)
}

/// One unit: the parts of writes that reach it, and all that may have become of them.
#[derive(Clone, Debug)]
struct Unit {
    pieces: Vec<(u8, Cells)>,
    states: Vec<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Write {
    started: bool,
    completed: bool,
}

/// The writes that were complete when a flush was submitted, by version, one bit each.
#[derive(Clone, Copy, Debug)]
pub struct Flush(u16);

#[derive(Clone, Debug)]
pub struct Device {
    write_cache: bool,
    units: BTreeMap<u64, Unit>,
    /// By version, less one.
    writes: Vec<Write>,
}

impl Device {
    pub fn new(write_cache: bool) -> Self {
        Self {
            write_cache,
            units: BTreeMap::new(),
            writes: Vec::new(),
        }
    }

    /// The units that were written to, and all that may be on the medium there: the version in
    /// each cell, four bits for one.
    pub fn media(&self) -> impl Iterator<Item = (u64, Vec<u64>)> + '_ {
        self.units.iter().map(|(&unit, now)| {
            let mut media: Vec<_> = now.states.iter().map(|state| state.medium).collect();

            media.sort_unstable();
            media.dedup();
            (unit, media)
        })
    }

    /// A write is submitted; the version that it gets is returned. Its cells in each unit are any
    /// numbers below 16, the same for every write.
    pub fn submit(&mut self, by_unit: &[(u64, Cells)]) -> u8 {
        self.writes.push(Write::default());

        let version = u8::try_from(self.writes.len()).unwrap();

        assert!(u64::from(version) <= MASK);
        for &(unit, cells) in by_unit {
            let unit = self.units.entry(unit).or_insert_with(|| Unit {
                pieces: Vec::new(),
                states: vec![State {
                    taken: 0,
                    medium: 0,
                }],
            });

            unit.pieces.push((version, cells));
        }
        self.proceed();
        version
    }

    /// Its own data may reach the medium from now on.
    pub fn start(&mut self, version: u8) {
        self.writes[usize::from(version) - 1].started = true;
        self.proceed();
    }

    /// Whatever may happen without anybody being told.
    fn proceed(&mut self) {
        for unit in self.units.values_mut() {
            let mut new = unit.states.clone();

            while let Some(state) = new.pop() {
                for &(version, cells) in &unit.pieces {
                    let write = self.writes[usize::from(version) - 1];
                    let next = match state.depth(version) {
                        None => state.take_in(version),
                        Some(_) if write.started => state.move_to_medium(version, cells),
                        Some(_) => continue,
                    };

                    // They are in order up to where new ones are added.
                    if let Err(place) = unit.states.binary_search(&next) {
                        unit.states.insert(place, next);
                        new.push(next);
                    }
                }
            }
        }
    }

    /// Rules out that a write is not on the medium, nor anything that lies above it.
    fn require(&mut self, version: u8) {
        for unit in self.units.values_mut() {
            for &(_, cells) in unit.pieces.iter().filter(|piece| piece.0 == version) {
                unit.states
                    .retain(|state| bits(cells).all(|cell| state.holds(version, cell)));
            }
        }
    }

    /// A write is reported complete.
    pub fn complete(&mut self, version: u8, fua: bool) {
        for unit in self.units.values_mut() {
            if unit.pieces.iter().any(|piece| piece.0 == version) {
                unit.states.retain(|state| state.depth(version).is_some());
            }
        }
        if fua || !self.write_cache {
            self.require(version);
        }
        self.writes[usize::from(version) - 1].completed = true;
    }

    /// A flush arrives at the disk that these units are.
    pub fn flush(&self, units: &Range<u64>) -> Flush {
        let is_complete = |&index: &usize| self.writes[index].completed;
        let is_there = |&index: &usize| {
            self.units.range(units.clone()).any(|(_, unit)| {
                let mut versions = unit.pieces.iter().map(|piece| usize::from(piece.0));

                versions.any(|version| version == index + 1)
            })
        };

        Flush(
            (0..self.writes.len())
                .filter(is_complete)
                .filter(is_there)
                .fold(0, |all, index| all | (1 << index)),
        )
    }

    /// A flush is complete.
    pub fn flushed(&mut self, flush: Flush) {
        for index in 0..self.writes.len() {
            if (flush.0 >> index) & 1 == 1 {
                self.require(u8::try_from(index + 1).unwrap());
            }
        }
    }
}
