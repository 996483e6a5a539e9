// SPDX-License-Identifier: GPL-2.0

//! The versions of a unit that may be seen after a cut, one above the other.

use powercut_model::{coverage, Cut, Mask, Piece};

use super::{Layer, Unit};
use crate::recording::Recording;

/// The units of pending pieces, ascending, each with its versions.
pub fn units(recording: &Recording, cut: &Cut, pieces: &[Piece]) -> Vec<Unit> {
    let numbered = (0..).zip(pieces);
    let mut by_unit: Vec<(u64, Pending)> = numbered
        .map(|(number, piece)| (piece.unit, (piece.entry as u32, number)))
        .collect();
    by_unit.sort_unstable();
    let of_unit = by_unit.chunk_by(|(one, _), (next, _)| one == next);
    of_unit
        .map(|of_unit| {
            Unit::new(
                recording,
                cut,
                of_unit[0].0,
                of_unit.iter().map(|(_, p)| *p),
            )
        })
        .collect()
}

/// A pending piece of a unit: its entry and its number.
type Pending = (u32, u32);

impl Unit {
    /// A unit with some pending pieces: the entry and the number of each.
    pub fn new(
        recording: &Recording,
        cut: &Cut,
        unit: u64,
        pending: impl Iterator<Item = Pending>,
    ) -> Self {
        let place = recording.place(unit).unwrap_or(usize::MAX);
        let is_whole = recording.is_whole(unit);
        let mut layers = layers(recording, cut, unit, pending);
        if is_whole {
            let hash = |layer: &mut Layer| layer.hash = recording.unit_hash(unit, layer.entry);
            layers.iter_mut().for_each(hash);
        }
        Self {
            unit,
            place,
            is_whole,
            layers,
            stable: recording.stable_content(place, cut.event),
        }
    }
}

/// The versions of a unit, topmost first, down to one that covers all of it; of the stable ones
/// those that some newer stable ones do not cover whole.
fn layers(
    recording: &Recording,
    cut: &Cut,
    unit: u64,
    pending: impl Iterator<Item = Pending>,
) -> Vec<Layer> {
    let geometry = cut.geometry();
    let entry = |index: u32| &recording.entries()[index as usize].entry;
    let layer = |index: u32, piece: Option<u32>| Layer {
        entry: index,
        mask: coverage(geometry, entry(index), unit),
        piece,
        hash: 0,
    };
    let mut layers: Vec<Layer> = pending
        .map(|(index, number)| layer(index, Some(number)))
        .collect();
    let newest = |writes| newest_stable(recording, cut, writes);
    let mut stable: Vec<u32> = recording.lists_of(unit).filter_map(newest).collect();
    stable.sort_unstable();
    stable.dedup();
    layers.extend(stable.into_iter().map(|index| layer(index, None)));
    layers.sort_by_key(|l| std::cmp::Reverse((cut.arrival(entry(l.entry)), l.entry)));
    let whole = Mask::from_range(0, geometry.unit_sectors);
    let bottom = |l: &Layer| l.piece.is_none() && l.mask == whole;
    if let Some(bottom) = layers.iter().position(bottom) {
        layers.truncate(bottom + 1);
    }
    layers
}

/// The newest of some writes that is stable at a cut.
fn newest_stable(recording: &Recording, cut: &Cut, writes: &[u32]) -> Option<u32> {
    let submitted = |index: &u32| recording.entries()[*index as usize].entry.submit <= cut.event;
    let end = writes.partition_point(submitted);
    let newest_first = writes[..end].iter().rev().copied();
    let mut stable =
        newest_first.filter(|index| recording.stable_from(*index as usize) <= cut.event);
    stable.next()
}
