// SPDX-License-Identifier: GPL-2.0

//! What is looked up in a log, so that no look takes longer the longer the log is.

use powercut_model::{coverage, neighbours, units, Event, Mask};

use super::blocks::covered;
use super::entry::Recorded;
use super::max_tree::MaxTree;
use super::stability::stable_from;
use super::submits::Submits;
use super::timeline::Timeline;
use super::versions::{Pair, Versions};
use super::Recording;
use crate::faults::Faults;

#[derive(Debug, Default)]
pub struct Index {
    /// How many entries were submitted by an event.
    pub submits: Submits,
    /// When each entry completes.
    pub complete: MaxTree,
    /// When each write becomes stable, and 0 for all other entries.
    pub stable: MaxTree,
    /// For each member, the entries that flush it.
    pub flushes: Vec<Vec<u32>>,
    /// The writes with FUA.
    pub fuas: Vec<u32>,
    /// The writes of each unit, and, without any, the units that a write may cost.
    pub units: Versions,
    /// The writes of each block, of the units that some write covers in part.
    pub blocks: Versions,
    pub timeline: Timeline,
    /// The faults met so far, from an event on, ascending.
    pub faults: Vec<(Event, Faults)>,
}

/// The writes of each unit; units that a write may cost are there without any.
pub fn unit_versions(recording: &Recording) -> Versions {
    let geometry = recording.geometry;
    let entries = (0u32..).zip(&recording.entries);
    let pairs = entries.flat_map(|(index, recorded)| {
        units(geometry, &recorded.entry()).map(move |unit| Pair::new(unit, index))
    });
    let entries = recording.entries.iter().map(Recorded::entry);
    let costs = entries.flat_map(|entry| neighbours(geometry, &entry));
    Versions::with_keys(pairs.collect(), costs.flatten().collect())
}

impl Index {
    /// Of a recording that has all of its entries, each with its place in `units`; `has_contents`: also
    /// what the entries wrote.
    pub fn new(recording: &Recording, units: Versions, has_contents: bool) -> Self {
        let entries = || recording.entries.iter().map(Recorded::entry);
        let geometry = recording.geometry;
        let stable = stable_from(&geometry, entries());
        let mut flushes = vec![Vec::new(); geometry.members.count()];
        let mut fuas = Vec::new();
        for (index, entry) in (0u32..).zip(entries()) {
            if entry.flush_complete().is_some() {
                flushes[geometry.members.of(entry.sector)].push(index);
            }
            if entry.is_write() && entry.fua {
                fuas.push(index);
            }
        }
        let blocks = blocks(recording, &units);
        Self {
            submits: Submits::new(&recording.entries),
            timeline: if has_contents {
                Timeline::new(recording, &units, &blocks, &stable)
            } else {
                Timeline::default()
            },
            units,
            blocks,
            complete: MaxTree::new(recording.entries.iter().map(|r| r.complete).collect()),
            stable: MaxTree::new(stable),
            flushes,
            fuas,
            faults: faults(&recording.entries),
        }
    }
}

fn blocks(recording: &Recording, units: &Versions) -> Versions {
    let geometry = recording.geometry;
    let per_unit = u64::from(geometry.unit_sectors) / recording.block_sectors();
    if per_unit == 1 {
        return Versions::default();
    }
    let whole = Mask::from_range(0, geometry.unit_sectors);
    let mut pairs = Vec::new();
    for (place, unit) in units.keys().iter().copied().enumerate() {
        let entry = |index: u32| recording.entries[index as usize].entry();
        let mut writes = units.at(place).iter();
        if writes.all(|index| coverage(geometry, &entry(*index), unit) == whole) {
            continue;
        }
        for index in units.at(place) {
            let blocks = covered(recording, &entry(*index), unit);
            pairs.extend(blocks.map(|at| Pair::new(unit * per_unit + u64::from(at), *index)));
        }
    }
    Versions::new(pairs)
}

fn faults(entries: &[Recorded]) -> Vec<(Event, Faults)> {
    let mut met: Vec<(Event, Faults)> = Vec::new();
    for recorded in entries {
        let before = met.last().map_or(Faults::empty(), |(_, faults)| *faults);
        let faults = before | recorded.flags().faults();
        if faults != before {
            met.push((recorded.submit(), faults));
        }
    }
    met
}
