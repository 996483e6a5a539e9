// SPDX-License-Identifier: GPL-2.0

//! A disk that writes physical blocks, and reads what it was not given of them before, in all the
//! ways it may behave.

use std::collections::BTreeSet;
use std::ops::Range;

use powercut_model::{Entry, Event, Op, PHYSICAL_SECTORS};

use crate::log::Log;

/// What a unit holds that the disk was about to write anew.
pub const GONE: u8 = u8::MAX;

/// The units of a disk: 0 for the base, else a write, counted from 1.
pub type Medium = Vec<u8>;

/// The disk. It has never heard of stable or pending writes, nor of losses. It moves what it was
/// given to the medium, unit by unit, when it likes, but nothing over what is newer; and it
/// answers what it was told to have there only once it has it there. While the power fails it may be
/// about to write the rest of any write that is smaller than a block: the units of the block that
/// it was not given may be gone then.
struct Drive {
    per_block: usize,
    write_cache: bool,
    /// By version, less one.
    writes: Vec<Write>,
    media: BTreeSet<Medium>,
}

struct Write {
    units: Range<usize>,
    /// The disk has it, and may write it.
    has_it: bool,
    /// The disk has answered it.
    is_complete: bool,
    /// It is no discard.
    has_data: bool,
}

impl Drive {
    fn new(per_block: usize, nr_units: usize, write_cache: bool) -> Self {
        Self {
            per_block,
            write_cache,
            writes: Vec::new(),
            media: BTreeSet::from([vec![0; nr_units]]),
        }
    }

    fn complete_writes(&self) -> Vec<usize> {
        let numbers = 0..self.writes.len();

        numbers.filter(|&nr| self.writes[nr].is_complete).collect()
    }

    /// Whatever may happen without anybody being told.
    fn proceed(&mut self) {
        self.media = self.closure_of(self.media.clone());
    }

    /// These media, and what they may become.
    fn closure_of(&self, mut media: BTreeSet<Medium>) -> BTreeSet<Medium> {
        let mut new: Vec<Medium> = media.iter().cloned().collect();

        while let Some(medium) = new.pop() {
            for (nr, write) in self.writes.iter().enumerate() {
                for unit in write.units.clone().filter(|_| write.has_it) {
                    let version = nr as u8 + 1;

                    if medium[unit] < version {
                        let mut next = medium.clone();

                        next[unit] = version;
                        if media.insert(next.clone()) {
                            new.push(next);
                        }
                    }
                }
            }
        }
        media
    }

    /// Rules out that the medium lacks a write, where nothing newer is.
    fn require(&mut self, nr: usize) {
        let units = self.writes[nr].units.clone();

        self.media
            .retain(|medium| medium[units.clone()].iter().all(|&v| usize::from(v) > nr));
    }

    fn complete(&mut self, nr: usize, fua: bool) {
        self.writes[nr].is_complete = true;
        if fua || !self.write_cache {
            self.require(nr);
        }
    }

    /// What the units that lie in one block with those of a write, and are not its own, are.
    fn others(&self, nr: usize, block: usize) -> Vec<usize> {
        let units = block * self.per_block..(block + 1) * self.per_block;

        units
            .filter(|unit| !self.writes[nr].units.contains(unit))
            .collect()
    }

    /// All that the power may leave if it fails now.
    fn after_a_cut(&self) -> BTreeSet<Medium> {
        let mut found = BTreeSet::new();

        for medium in &self.media {
            let mut left = vec![medium.clone()];

            for (nr, write) in self.writes.iter().enumerate() {
                let units = &write.units;
                let first = units.start / self.per_block;
                let last = (units.end - 1) / self.per_block;
                let blocks: BTreeSet<usize> = BTreeSet::from([first, last]);

                for block in blocks
                    .into_iter()
                    .filter(|_| write.has_it && write.has_data)
                {
                    let is_here = |unit: &usize| unit / self.per_block == block;
                    let mut own = units.clone().filter(is_here);

                    // There is something left to write.
                    if own.any(|unit| usize::from(medium[unit]) <= nr) {
                        for unit in self.others(nr, block) {
                            lose(&mut left, unit);
                        }
                    }
                }
            }
            found.extend(left);
        }
        // Other writes go on until the last of the power is gone.
        self.closure_of(found)
    }
}

/// Each medium, and it without a unit.
fn lose(media: &mut Vec<Medium>, unit: usize) {
    let without = media.iter().map(|medium| {
        let mut medium = medium.clone();

        medium[unit] = GONE;
        medium
    });
    let without: Vec<Medium> = without.collect();

    media.extend(without);
    media.sort();
    media.dedup();
}

/// The disk that goes through a log.
pub struct Replay<'l> {
    log: &'l Log,
    drive: Drive,
    /// By entry: the number of the write, and what the flush in it covers.
    seen: Vec<(usize, Vec<usize>)>,
}

impl<'l> Replay<'l> {
    pub fn new(log: &'l Log, nr_units: usize) -> Self {
        let per_block = (PHYSICAL_SECTORS / log.geometry.unit_sectors) as usize;

        Self {
            log,
            drive: Drive::new(per_block, nr_units, log.geometry.write_cache),
            seen: Vec::new(),
        }
    }

    /// All that the power may leave if it fails now.
    pub fn after_a_cut(&self) -> BTreeSet<Medium> {
        self.drive.after_a_cut()
    }

    /// Whatever happens at an event of the log.
    pub fn event(&mut self, event: Event) {
        for (index, entry) in self.log.entries.iter().enumerate() {
            let flushes = entry.op == Op::Flush || (entry.is_write() && entry.preflush);

            if entry.submit == event {
                let covered = if flushes {
                    self.drive.complete_writes()
                } else {
                    Vec::new()
                };

                self.seen.push((self.drive.writes.len(), covered));
                if entry.is_write() {
                    self.drive.writes.push(Write {
                        units: units_of(self.log, entry),
                        has_it: false,
                        is_complete: false,
                        has_data: entry.op != Op::Discard,
                    });
                }
            }
            if entry.flush_complete() == Some(event) {
                for nr in self.seen[index].1.clone() {
                    self.drive.require(nr);
                }
            }
            if entry.is_write() && entry.start == event {
                let nr = self.seen[index].0;

                self.drive.writes[nr].has_it = true;
                self.drive.proceed();
            }
            if entry.is_write() && entry.complete == event {
                self.drive.complete(self.seen[index].0, entry.fua);
            }
        }
    }
}

/// The units that an entry has.
pub fn units_of(log: &Log, entry: &Entry) -> Range<usize> {
    let unit = u64::from(log.geometry.unit_sectors);
    let end = entry.sector + u64::from(entry.nr_sectors);

    (entry.sector / unit) as usize..(end / unit) as usize
}
