// SPDX-License-Identifier: GPL-2.0

//! A disk that writes the units of each bio in ascending order, in all the ways it may behave.
//!
//! Like [`crate::device`] it has never heard of watermarks, stable or pending writes, nor of prefixes.
//! It takes in a write as a whole, at any time from its submit to its completion; what is taken in
//! later lies above what was taken in earlier. It moves what it has taken in to the medium unit by
//! unit, each write's in ascending order: a unit of a write only when those before it are there, or
//! something that lies above them is. Where it is with each write when the power fails is anybody's
//! guess, unless it has promised something.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use powercut_model::{Event, Op};

use crate::{
    contents::{Cells, Space},
    log::Log,
};

const BITS: u32 = 4;
const MASK: u64 = (1 << BITS) - 1;

/// Four bits each for what was taken in, the latest lowest; and for the version in each cell of the
/// medium, 0 for the base.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct State {
    taken: u64,
    medium: u64,
}

impl State {
    fn depth(self, version: u64) -> Option<u32> {
        (0..64 / BITS).find(|depth| (self.taken >> (depth * BITS)) & MASK == version)
    }

    /// Whether a version shows in all of these cells, or something that lies above it.
    fn holds(self, version: u64, cells: Cells) -> bool {
        bits(cells).all(|cell| {
            let shown = (self.medium >> (cell * BITS)) & MASK;

            shown != 0 && self.depth(shown) <= self.depth(version)
        })
    }

    fn write(mut self, version: u64, cells: Cells) -> Self {
        for cell in bits(cells) {
            if !self.holds(version, 1 << cell) {
                self.medium &= !(MASK << (cell * BITS));
                self.medium |= version << (cell * BITS);
            }
        }
        self
    }
}

fn bits(cells: Cells) -> impl Iterator<Item = u32> {
    (0..Cells::BITS).filter(move |cell| (cells >> cell) & 1 == 1)
}

/// What the disk knows of a write.
#[derive(Clone, Debug)]
struct Write {
    version: u64,
    /// By unit, ascending.
    cells: Vec<(u64, Cells)>,
    started: bool,
    completed: bool,
}

/// The disk, as it goes through a log.
pub struct Ordered<'l> {
    log: &'l Log,
    space: &'l Space,
    /// By entry.
    writes: BTreeMap<usize, Write>,
    /// For each flush that is not complete, by entry, the writes that it covers.
    flushes: BTreeMap<usize, Vec<usize>>,
    states: BTreeSet<State>,
}

impl<'l> Ordered<'l> {
    pub fn new(log: &'l Log, space: &'l Space) -> Self {
        Self {
            log,
            space,
            writes: BTreeMap::new(),
            flushes: BTreeMap::new(),
            states: BTreeSet::from([State {
                taken: 0,
                medium: 0,
            }]),
        }
    }

    /// The contents that the medium may have, by their numbers.
    pub fn media(&self) -> BTreeSet<usize> {
        let media = self.states.iter();

        media
            .map(|state| self.space.of_medium(state.medium))
            .collect()
    }

    /// Whatever happens at an event of the log.
    pub fn event(&mut self, event: Event) {
        for (index, entry) in self.log.entries.iter().enumerate() {
            let flushes = entry.op == Op::Flush || (entry.is_write() && entry.preflush);

            if entry.submit == event && flushes {
                let units = self.space.units_of(self.log.member(entry).unwrap_or(0));

                self.flushes.insert(index, self.complete_writes(&units));
            }
            if entry.submit == event && entry.is_write() {
                let sectors = entry.sector..entry.sector + u64::from(entry.nr_sectors);
                let version = self.writes.len() as u64 + 1;

                assert!(version <= MASK);
                self.writes.insert(
                    index,
                    Write {
                        version,
                        cells: self.space.cells_by_unit(&sectors),
                        started: false,
                        completed: false,
                    },
                );
            }
            if entry.flush_complete() == Some(event) {
                for covered in self.flushes.remove(&index).unwrap_or_default() {
                    self.require(covered);
                }
            }
            if let Some(write) = self.writes.get_mut(&index) {
                write.started |= entry.start == event;
            }
            if entry.is_write() && entry.complete == event {
                self.complete(index, entry.fua || !self.log.geometry.write_cache);
            }
        }
        self.proceed();
    }

    fn complete_writes(&self, units: &Range<u64>) -> Vec<usize> {
        let is_there = |write: &Write| write.cells.iter().any(|(unit, _)| units.contains(unit));
        let covered = self.writes.iter();

        covered
            .filter(|(_, write)| write.completed && is_there(write))
            .map(|(&index, _)| index)
            .collect()
    }

    fn complete(&mut self, index: usize, promised: bool) {
        if let Some(write) = self.writes.get_mut(&index) {
            let version = write.version;

            write.completed = true;
            self.states.retain(|state| state.depth(version).is_some());
        }
        if promised {
            self.require(index);
        }
    }

    /// Rules out that a write is not on the medium, nor anything that lies above it.
    fn require(&mut self, index: usize) {
        if let Some(write) = self.writes.get(&index) {
            let holds = |state: &State, cells| state.holds(write.version, cells);

            self.states
                .retain(|state| write.cells.iter().all(|&(_, cells)| holds(state, cells)));
        }
    }

    /// Whatever may happen without anybody being told.
    fn proceed(&mut self) {
        let mut new: Vec<State> = self.states.iter().copied().collect();

        while let Some(state) = new.pop() {
            for write in self.writes.values() {
                let version = write.version;
                let next = match state.depth(version) {
                    None => State {
                        taken: (state.taken << BITS) | version,
                        ..state
                    },
                    Some(_) if write.started => {
                        let holds = |&&(_, cells): &&(u64, Cells)| state.holds(version, cells);

                        match write.cells.iter().find(|cells| !holds(cells)) {
                            Some(&(_, cells)) => state.write(version, cells),
                            None => continue,
                        }
                    }
                    Some(_) => continue,
                };

                if self.states.insert(next) {
                    new.push(next);
                }
            }
        }
    }
}
