// SPDX-License-Identifier: GPL-2.0

//! All small histories, event by event, with the device that goes along.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use powercut_model::{Event, Members, Op, IN_FLIGHT, MAX_MEMBERS};

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

/// A write or an empty flush that can be submitted.
struct Choice {
    bio: Bio,
    /// The number of the disk that it is sent to.
    member: usize,
    by_unit: Vec<(u64, Cells)>,
    cells: Cells,
    mirrored: Cells,
}

#[derive(Clone)]
struct InFlight {
    index: usize,
    /// The number of the choice.
    choice: usize,
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
    covered: [Event; MAX_MEMBERS],
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
        for choice in 0..self.choices.len() {
            if self.may_submit(node, &self.choices[choice]) && self.is_mine(choice) {
                let mut next = node.clone();

                self.submit(&mut next, choice);
                self.visit(&next);
                self.extend(&next);
                self.log.truncate(nr_entries, last);
            }
        }
    }

    fn may_flush(&self, node: &Node, member: usize) -> bool {
        let covered = node.covered[member];
        let covers_more = self.log.entries.iter().any(|entry| {
            entry.is_write()
                && self.log.member(entry) == Some(member)
                && entry.complete > covered
                && entry.complete != IN_FLIGHT
        });

        node.flushes > 0 && (covers_more || !self.bounds.reduced)
    }

    fn may_submit(&self, node: &Node, choice: &Choice) -> bool {
        let overlaps = |other: &InFlight| self.choices[other.choice].cells & choice.cells != 0;
        let is_mirrored = self.bounds.reduced
            && self.bounds.space.members.len() == 1
            && node.symmetric
            && choice.mirrored < choice.cells;

        (!choice.flushes() || self.may_flush(node, choice.member))
            && (!choice.bio.op.is_write()
                || node.writes > 0
                    && !is_mirrored
                    && (self.bounds.overlapping || !node.in_flight.iter().any(overlaps)))
    }

    fn submit(&mut self, node: &mut Node, number: usize) {
        let choice = &self.choices[number];
        let index = self.log.submit(&choice.bio);
        let flushes = choice.flushes();
        let mut version = 0;

        if flushes {
            node.flushes -= 1;
            node.covered[choice.member] = self.log.last;
        }
        if choice.bio.op.is_write() {
            node.writes -= 1;
            node.symmetric &= choice.mirrored == choice.cells;
            version = node.device.submit(&choice.by_unit);
            if !flushes {
                node.device.start(version);
            }
        }
        let units = self.bounds.space.units_of(choice.member);

        node.in_flight.push(InFlight {
            index,
            choice: number,
            flush: flushes.then(|| node.device.flush(&units)),
            version,
        });
    }

    fn advance(&mut self, node: &mut Node, position: usize) {
        let bio = &mut node.in_flight[position];
        let choice = &self.choices[bio.choice];

        self.log.advance(bio.index);
        if let Some(flush) = bio.flush.take() {
            node.device.flushed(flush);
            if choice.bio.op.is_write() {
                node.device.start(bio.version);
                return;
            }
        } else if choice.bio.op.is_write() {
            node.device.complete(bio.version, choice.bio.fua);
        }
        node.in_flight.remove(position);
    }
}

impl Choice {
    fn flushes(&self) -> bool {
        self.bio.preflush || self.bio.op == Op::Flush
    }
}

fn choices(space: &Space) -> Vec<Choice> {
    let unused_bits = Cells::BITS - u32::try_from(space.nr_cells()).unwrap();
    let members = Members::new(&space.members).unwrap();
    let mut choices: Vec<_> = (0..)
        .zip(&space.members)
        .map(|(member, &start)| Choice {
            bio: Bio::flush_of(start),
            member,
            by_unit: Vec::new(),
            cells: 0,
            mirrored: 0,
        })
        .collect();

    for sectors in space.runs() {
        let member = members.of(sectors.start);
        let by_unit = space.cells_by_unit(&sectors);
        let cells: Cells = by_unit.iter().fold(0, |all, (_, cells)| all | cells);

        if members.of(sectors.end - 1) != member {
            continue;
        }
        for (preflush, fua) in [(false, false), (false, true), (true, false), (true, true)] {
            choices.push(Choice {
                bio: Bio {
                    preflush,
                    fua,
                    ..Bio::write(sectors.clone())
                },
                member,
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
                    log: Log::new(bounds.space.unit_sectors, bounds.write_cache)
                        .with_members(&bounds.space.members),
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
                    covered: [0; MAX_MEMBERS],
                });
                cuts.fetch_add(walk.cuts, Ordering::Relaxed);
                states.fetch_add(walk.states, Ordering::Relaxed);
            });
        }
    });
    // Shown by `cargo test -- --nocapture`.
    #[allow(clippy::print_stdout)]
    {
        println!(
            "{name}: {} histories and cuts, {} states, {:.1} s",
            cuts.into_inner(),
            states.into_inner(),
            started.elapsed().as_secs_f64()
        );
    }
}
