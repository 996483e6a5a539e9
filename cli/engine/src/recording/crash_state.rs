// SPDX-License-Identifier: GPL-2.0

//! Where the bytes of a crash state come from: the base, a write, or nothing but zeroes.
//!
//! [`Choices`](crate::choices::Choices) answers what may be chosen, and has hashes; this answers for one
//! state, block by block, and takes no time for what is not read.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use powercut_model::{check_pieces, find_write, neighbours, Cut, Event, Illegal, Piece, Tear};

use super::Recording;
use crate::abi::EntryOp;
use crate::garbage::PAGE;

/// What a block of a crash state holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Zeroes,
    /// What it held before the record began.
    Base,
    /// The block of that number among those that the entry carried.
    Write {
        entry: usize,
        block: u64,
    },
    /// What a discard left: [`crate::garbage`].
    Garbage {
        seed: u64,
    },
}

/// Neighbouring units of one write that survived.
#[derive(Debug, Clone, Copy)]
struct Run {
    entry: usize,
    first: u64,
    last: u64,
}

/// A legal crash state of a recording.
#[derive(Debug, Clone)]
pub struct CrashState {
    cut: Cut,
    /// By their writes, then by their units.
    kept: Vec<Run>,
    /// Units that writes cost ([`Tear::Rmw`]).
    lost: BTreeSet<u64>,
}

impl CrashState {
    /// The state in which these units survived of the pending writes with these submit events; none that
    /// is not legal.
    pub fn new(
        recording: &Recording,
        cut: Event,
        pieces: impl IntoIterator<Item = (Event, RangeInclusive<u64>)>,
    ) -> Result<Self, Illegal> {
        let mut state = Self {
            cut: Cut::new(recording, cut)?,
            kept: Vec::new(),
            lost: BTreeSet::new(),
        };
        let mut previous = None;
        for (write, run) in pieces {
            let (first, last) = (*run.start(), *run.end());
            let entry = find_write(recording, write)?;
            check_pieces(recording, &state.cut, entry, run, previous)?;
            previous = Some(Piece { entry, unit: last });
            state.add(recording, Run { entry, first, last });
        }
        Ok(state)
    }

    fn add(&mut self, recording: &Recording, run: Run) {
        let geometry = self.cut.geometry();
        self.kept.push(run);
        if geometry.tear != Tear::Rmw {
            return;
        }
        let entry = recording.entries[run.entry].entry();
        for cost in neighbours(geometry, &entry) {
            let lost = cost.start.max(run.first)..cost.end.min(run.last + 1);
            self.lost.extend(lost);
        }
    }

    /// Whether a unit of a pending write survived.
    fn keeps(&self, entry: usize, unit: u64) -> bool {
        let after = self
            .kept
            .partition_point(|run| (run.entry, run.first) <= (entry, unit));
        let run = after.checked_sub(1).map(|at| self.kept[at]);
        run.is_some_and(|run| run.entry == entry && unit <= run.last)
    }

    /// Where the content of a block comes from.
    pub fn source(&self, recording: &Recording, block: u64) -> Source {
        let unit_sectors = u64::from(recording.geometry.unit_sectors);
        let unit = block * recording.block_sectors() / unit_sectors;
        if self.lost.contains(&unit) {
            return Source::Zeroes;
        }
        match self.topmost(recording, unit, recording.writes_of_block(unit, block)) {
            Some(entry) => recording.source(entry, block),
            None => Source::Base,
        }
    }

    /// Of the writes of a block, oldest first, the one that is seen.
    fn topmost(&self, recording: &Recording, unit: u64, writes: &[u32]) -> Option<usize> {
        let window = self.cut.window();
        let end = writes.partition_point(|index| (*index as usize) < window.end);
        let mut top = None;
        let mut is_bottom_found = false;
        for index in writes[..end].iter().rev().map(|index| *index as usize) {
            if is_bottom_found && index < window.start {
                break;
            }
            let entry = recording.entries[index].entry();
            let shows = if self.cut.is_stable(&entry) {
                // Those before it lie below it.
                !std::mem::replace(&mut is_bottom_found, true)
            } else {
                self.cut.is_pending(&entry) && self.keeps(index, unit)
            };
            if shows {
                top = top.max(Some((self.cut.arrival(&entry), index)));
            }
        }
        top.map(|(_, index)| index)
    }
}

impl Recording {
    /// The writes that cover a block, which lies in that unit, oldest first.
    fn writes_of_block(&self, unit: u64, block: u64) -> &[u32] {
        if self.is_whole(unit) {
            self.writes_of(unit)
        } else {
            self.index.blocks.of(block)
        }
    }

    /// What a write put into a block that it covers.
    fn source(&self, index: usize, block: u64) -> Source {
        let recorded = &self.entries[index];
        if recorded.op() == EntryOp::Write {
            let first = recorded.sector() / self.block_sectors();
            return Source::Write {
                entry: index,
                block: block - first,
            };
        }
        let page = block * u64::from(self.header.block_size) / PAGE;
        let pages = self.garbage_of(recorded).unwrap_or_default();
        match pages.binary_search(&page) {
            Ok(_) => Source::Garbage {
                seed: self.asked(recorded),
            },
            Err(_) => Source::Zeroes,
        }
    }

    /// Whether some write touches one of these sectors, or may cost it.
    pub fn is_written(&self, sectors: RangeInclusive<u64>) -> bool {
        let unit_sectors = u64::from(self.geometry.unit_sectors);
        let (first, last) = (sectors.start() / unit_sectors, sectors.end() / unit_sectors);
        self.places_before(first) < self.places_before(last + 1)
    }
}

/// A second account of a state's bytes, for tests: all that survived, one upon the other.
#[cfg(any(test, feature = "testing"))]
pub fn bytes_by_replay(
    stream: &[u8],
    recording: &Recording,
    cut: Event,
    pieces: &[Piece],
) -> Vec<u8> {
    use crate::abi::{Reader, SECTOR};
    use powercut_model::units;

    use crate::garbage::garbage;

    let cut = Cut::new(recording, cut).unwrap();
    let geometry = recording.geometry;
    let unit_sectors = u64::from(geometry.unit_sectors);
    let mut bytes = vec![0; (recording.header.capacity_sectors * SECTOR) as usize];
    let mut put = |sector: u64, data: &[u8]| {
        let at = (sector * SECTOR) as usize;
        bytes[at..at + data.len()].copy_from_slice(data);
    };
    let mut reader = Reader::new(stream).unwrap();
    let (mut payload, mut layers, mut index) = (Vec::new(), Vec::new(), 0);
    while let Some(raw) = reader.next_entry(&mut payload).unwrap() {
        if raw.op == EntryOp::Base {
            put(raw.sector, &payload);
            continue;
        }
        let entry = recording.entries[index].entry();
        if cut.is_stable(&entry) || cut.is_pending(&entry) {
            layers.push((cut.arrival(&entry), index, payload.clone()));
        }
        index += 1;
    }
    layers.sort();
    for (_, index, data) in layers {
        let recorded = &recording.entries[index];
        let entry = recorded.entry();
        for sector in entry.sector..entry.sector + u64::from(entry.nr_sectors) {
            let unit = sector / unit_sectors;
            if !cut.is_stable(&entry) && !pieces.contains(&Piece { entry: index, unit }) {
                continue;
            }
            let at = ((sector - entry.sector) * SECTOR) as usize;
            let pages = recording.garbage_of(recorded).unwrap_or_default();
            if recorded.op() == EntryOp::Write {
                put(sector, &data[at..at + SECTOR as usize]);
            } else if pages.contains(&(sector * SECTOR / PAGE)) {
                put(sector, &garbage(recording.asked(recorded), sector, 1));
            } else {
                put(sector, &[0; SECTOR as usize]);
            }
        }
    }
    for piece in pieces {
        let touched = units(geometry, &recording.entries[piece.entry].entry());
        if !touched.contains(&piece.unit) {
            let zeroes = vec![0; (unit_sectors * SECTOR) as usize];
            put(piece.unit * unit_sectors, &zeroes);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::testing::History;

    fn source(log: &Recording, cut: Event, pieces: &[(Event, u64)], block: u64) -> Source {
        let pieces = pieces.iter().map(|(write, unit)| (*write, *unit..=*unit));
        let state = CrashState::new(log, cut, pieces).unwrap();
        state.source(log, block)
    }

    #[test]
    fn a_block_is_of_the_topmost_that_survived() {
        let log = History::new()
            .base(3, "x")
            .write_run(3, &["a", "b"])
            .flush()
            .write(4, "c")
            .discard(3, 1)
            .done();
        let newest = log.header().newest_event;
        for (cut, pieces, block, expected) in [
            (0, &[][..], 3, Source::Base),
            (newest, &[], 3, Source::Write { entry: 0, block: 0 }),
            (newest, &[], 4, Source::Write { entry: 0, block: 1 }),
            (newest, &[(5, 4)], 4, Source::Write { entry: 2, block: 0 }),
            (newest, &[(5, 4), (7, 3)], 3, Source::Zeroes),
            (newest, &[(5, 4)], 9, Source::Base),
        ] {
            assert_eq!(source(&log, cut, pieces, block), expected, "{pieces:?}");
        }
    }

    #[test]
    fn what_is_not_legal_is_no_state() {
        let log = History::new().write(3, "a").flush().write(4, "c").done();
        let state = |cut, write, unit| CrashState::new(&log, cut, [(write, unit..=unit)]).err();
        assert_eq!(state(6, 5, 4), None);
        assert_eq!(state(6, 1, 3), Some(Illegal::AlreadyStable));
        assert_eq!(state(6, 5, 3), Some(Illegal::OutsideWrite));
        assert_eq!(state(6, 3, 3), Some(Illegal::NotAWrite));
        assert_eq!(state(7, 5, 4), Some(Illegal::CutAfterLastEvent));
    }

    #[test]
    fn only_what_is_touched_is_written() {
        let log = History::new().write(3, "a").done();
        assert!(log.is_written(31..=31) && log.is_written(0..=24));
        assert!(!log.is_written(0..=23) && !log.is_written(32..=100));
    }
}
