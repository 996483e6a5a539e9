// SPDX-License-Identifier: GPL-2.0

//! All small histories, event by event, with the device that goes along.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use powercut_model::{Event, IN_FLIGHT};

use crate::{
    contents::{Cells, Space},
    device::{Device, Flush},
    log::{Bio, Log},
};

/// Which histories.
pub struct Bounds {
    pub space: Space,
    pub write_cache: bool,
    pub writes: usize,
    /// Empty flushes and PREFLUSH writes together.
    pub flushes: usize,
    pub marks: usize,
    /// How many bios are in flight at most.
    pub in_flight: usize,
    /// Whether writes in flight may overlap.
    pub overlapping: bool,
    /// Leave out what another history stands for: mirror images, flushes that cover no more than
    /// the one before.
    pub reduced: bool,
}

/// A write that can be submitted.
struct Choice {
    bio: Bio,
    by_unit: Vec<(u64, Cells)>,
    cells: Cells,
    mirrored: Cells,
}

#[derive(Clone)]
struct InFlight {
    index: usize,
    /// The number of the choice; [`None`] for an empty flush.
    choice: Option<usize>,
    flush: Option<Flush>,
    version: u8,
}

/// A history so far, and what there is still to add.
#[derive(Clone)]
struct Node {
    device: Device,
    in_flight: Vec<InFlight>,
    writes: usize,
    flushes: usize,
    marks: usize,
    symmetric: bool,
    covered: Event,
}

/// Called after each event: compares what it likes, and returns the number of states compared.
pub type Visit<'v> = &'v (dyn Fn(&Bounds, &Log, &Device) -> u64 + Sync);

struct Walk<'b> {
    bounds: &'b Bounds,
    choices: &'b [Choice],
    visit: Visit<'b>,
    log: Log,
    worker: usize,
    workers: usize,
    cuts: u64,
    states: u64,
}

impl Walk<'_> {
    fn visit(&mut self, node: &Node) {
        self.cuts += 1;
        self.states += (self.visit)(self.bounds, &self.log, &node.device);
    }

    /// Whether this worker's share includes that first bio.
    fn is_mine(&self, choice: usize) -> bool {
        !self.log.entries.is_empty() || choice % self.workers == self.worker
    }

    fn extend(&mut self, node: &Node) {
        let (nr_entries, last) = (self.log.entries.len(), self.log.last);

        for position in 0..node.in_flight.len() {
            let saved = self.log.entries[node.in_flight[position].index];
            let mut next = node.clone();

            self.advance(&mut next, position);
            self.visit(&next);
            self.extend(&next);
            self.log.entries[node.in_flight[position].index] = saved;
            self.log.last = last;
        }

        if node.marks > 0 && self.is_mine(0) {
            let mut next = node.clone();

            next.marks -= 1;
            self.log.submit(&Bio::mark());
            self.visit(&next);
            self.extend(&next);
            self.log.truncate(nr_entries, last);
        }

        if node.in_flight.len() == self.bounds.in_flight {
            return;
        }
        if self.may_flush(node) && self.is_mine(0) {
            let mut next = node.clone();

            self.submit(&mut next, None);
            self.visit(&next);
            self.extend(&next);
            self.log.truncate(nr_entries, last);
        }
        for choice in 0..self.choices.len() {
            if self.may_write(node, choice) && self.is_mine(choice) {
                let mut next = node.clone();

                self.submit(&mut next, Some(choice));
                self.visit(&next);
                self.extend(&next);
                self.log.truncate(nr_entries, last);
            }
        }
    }

    fn may_flush(&self, node: &Node) -> bool {
        let covers_more = self.log.entries.iter().any(|entry| {
            entry.is_write() && entry.complete > node.covered && entry.complete != IN_FLIGHT
        });

        node.flushes > 0 && (covers_more || !self.bounds.reduced)
    }

    fn may_write(&self, node: &Node, choice: usize) -> bool {
        let choice = &self.choices[choice];
        let overlaps = |other: &InFlight| {
            other
                .choice
                .is_some_and(|other| self.choices[other].cells & choice.cells != 0)
        };

        node.writes > 0
            && (!choice.bio.preflush || self.may_flush(node))
            && !(self.bounds.reduced && node.symmetric && choice.mirrored < choice.cells)
            && (self.bounds.overlapping || !node.in_flight.iter().any(overlaps))
    }

    fn submit(&mut self, node: &mut Node, number: Option<usize>) {
        let choice = number.map(|number| &self.choices[number]);
        let index = match choice {
            Some(choice) => self.log.submit(&choice.bio),
            None => self.log.submit(&Bio::flush()),
        };
        let flushes = choice.is_none_or(|choice| choice.bio.preflush);
        let mut version = 0;

        if flushes {
            node.flushes -= 1;
            node.covered = self.log.last;
        }
        if let Some(choice) = choice {
            node.writes -= 1;
            node.symmetric &= choice.mirrored == choice.cells;
            version = node.device.submit(&choice.by_unit);
            if !flushes {
                node.device.start(version);
            }
        }
        node.in_flight.push(InFlight {
            index,
            choice: number,
            flush: flushes.then(|| node.device.flush()),
            version,
        });
    }

    fn advance(&mut self, node: &mut Node, position: usize) {
        let bio = &mut node.in_flight[position];

        self.log.advance(bio.index);
        if let Some(flush) = bio.flush.take() {
            node.device.flushed(flush);
            if bio.choice.is_some() {
                node.device.start(bio.version);
                return;
            }
        } else if let Some(choice) = bio.choice {
            node.device
                .complete(bio.version, self.choices[choice].bio.fua);
        }
        node.in_flight.remove(position);
    }
}

fn choices(space: &Space) -> Vec<Choice> {
    let unused_bits = Cells::BITS - u32::try_from(space.nr_cells()).unwrap();
    let mut choices = Vec::new();

    for sectors in space.runs() {
        let by_unit = space.cells_by_unit(&sectors);
        let cells: Cells = by_unit.iter().fold(0, |all, (_, cells)| all | cells);

        for (preflush, fua) in [(false, false), (false, true), (true, false), (true, true)] {
            choices.push(Choice {
                bio: Bio {
                    preflush,
                    fua,
                    ..Bio::write(sectors.clone())
                },
                by_unit: by_unit.clone(),
                cells,
                mirrored: cells.reverse_bits() >> unused_bits,
            });
        }
    }
    choices
}

/// Visits every event of every history, on all processors, and prints how much that was. Under Miri
/// histories are shorter.
pub fn walk(name: &str, bounds: &Bounds, visit: Visit<'_>) {
    let limit = if cfg!(miri) { 1 } else { usize::MAX };
    let started = Instant::now();
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let choices = choices(&bounds.space);
    let (cuts, states) = (AtomicU64::new(0), AtomicU64::new(0));

    std::thread::scope(|scope| {
        for worker in 0..workers {
            let (choices, cuts, states) = (&choices, &cuts, &states);

            scope.spawn(move || {
                let mut walk = Walk {
                    bounds,
                    choices,
                    visit,
                    log: Log::new(bounds.space.unit_sectors, bounds.write_cache),
                    worker,
                    workers,
                    cuts: 0,
                    states: 0,
                };

                walk.extend(&Node {
                    device: Device::new(bounds.write_cache),
                    in_flight: Vec::new(),
                    writes: bounds.writes.min(limit),
                    flushes: bounds.flushes.min(limit),
                    marks: bounds.marks.min(limit),
                    symmetric: true,
                    covered: 0,
                });
                cuts.fetch_add(walk.cuts, Ordering::Relaxed);
                states.fetch_add(walk.states, Ordering::Relaxed);
            });
        }
    });
    println!(
        "{name}: {} histories and cuts, {} states, {:.1} s",
        cuts.into_inner(),
        states.into_inner(),
        started.elapsed().as_secs_f64()
    );
}
