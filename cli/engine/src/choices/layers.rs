// SPDX-License-Identifier: GPL-2.0

//! The versions of a unit that may be seen after a cut, one above the other.

use std::cmp::Reverse;

use powercut_model::{coverage, units as model_units, Cut, Mask, Piece};

use super::{Layer, Layers, Unit};
use crate::recording::Recording;

/// The units of pieces, ascending, each with its versions: of pieces from `nr_pending` on that they
/// are lost.
pub fn units(recording: &Recording, cut: &Cut, pieces: &[Piece], nr_pending: usize) -> Vec<Unit> {
    // By the place of the unit, then by the number of the piece, both in one number.
    let mut by_unit: Vec<u64> = Vec::with_capacity(pieces.len());
    let mut first_number = 0;
    let (pending, lost) = pieces.split_at(nr_pending);
    for of_write in pending.chunk_by(|one, next| one.entry == next.entry) {
        let index = of_write[0].entry;
        let touched = model_units(cut.geometry(), &recording.entries()[index].entry());
        let first_place = recording.places(index).start as u64;
        for (number, piece) in (first_number..).zip(of_write) {
            let place = first_place + (piece.unit - touched.start);
            by_unit.push((place << 32) | number);
        }
        first_number += of_write.len() as u64;
    }
    for (number, piece) in (nr_pending as u64..).zip(lost) {
        if let Some(place) = recording.place(piece.unit) {
            by_unit.push(((place as u64) << 32) | number);
        }
    }
    by_unit.sort_unstable();
    let of_unit = by_unit.chunk_by(|one, next| one >> 32 == next >> 32);
    of_unit
        .map(|of_unit| {
            let numbers = of_unit.iter().map(|number| *number as u32);
            let found = numbers.map(|number| Found {
                entry: pieces[number as usize].entry as u32,
                number,
                is_lost: number as usize >= nr_pending,
            });
            Unit::new(recording, cut, (of_unit[0] >> 32) as usize, found)
        })
        .collect()
}

/// A piece of a unit.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    pub entry: u32,
    pub number: u32,
    /// It stands for the loss of the unit.
    pub is_lost: bool,
}

impl Unit {
    /// The unit at a place among those written, with some pending pieces.
    pub fn new(
        recording: &Recording,
        cut: &Cut,
        place: usize,
        pieces: impl Iterator<Item = Found>,
    ) -> Self {
        let unit = recording.written()[place];
        let is_whole = recording.is_whole(unit);
        let mut layers = layers(recording, cut, unit, place, pieces);
        let stable = if is_whole {
            for layer in &mut layers {
                layer.hash = if layer.is_lost {
                    recording.lost_hash(unit)
                } else {
                    recording.unit_hash(unit, layer.entry)
                };
            }
            let bottom = layers.last().filter(|layer| layer.piece.is_none());
            bottom.map_or(0, |layer| layer.hash)
        } else {
            recording.stable_content(place, cut.event)
        };
        Self {
            unit,
            place,
            is_whole,
            layers,
            stable,
        }
    }
}

/// The versions of a unit, topmost first, down to one that covers all of it; of the stable ones
/// those that some newer stable ones do not cover whole.
fn layers(
    recording: &Recording,
    cut: &Cut,
    unit: u64,
    place: usize,
    pieces: impl Iterator<Item = Found>,
) -> Layers {
    let geometry = cut.geometry();
    let whole = Mask::from_range(0, geometry.unit_sectors);
    let entry = |index: u32| recording.entries()[index as usize].entry();
    let layer = |index: u32, piece: Option<u32>| Layer {
        entry: index,
        mask: coverage(geometry, &entry(index), unit),
        piece,
        is_lost: false,
        hash: 0,
    };
    let found = |found: Found| {
        let layer = layer(found.entry, Some(found.number));
        if found.is_lost {
            Layer {
                mask: whole,
                is_lost: true,
                ..layer
            }
        } else {
            layer
        }
    };
    let mut layers: Layers = pieces.map(found).collect();
    let newest = |writes| newest_stable(recording, cut, writes);
    let mut stable: Vec<u32> = recording.lists_at(place).filter_map(newest).collect();
    stable.sort_unstable();
    stable.dedup();
    layers.extend(stable.into_iter().map(|index| layer(index, None)));
    layers.sort_by_key(|l| Reverse((l.is_lost, cut.arrival(&entry(l.entry)), l.entry)));
    let bottom = |l: &Layer| l.piece.is_none() && l.mask == whole;
    if let Some(bottom) = layers.iter().position(bottom) {
        layers.truncate(bottom + 1);
    }
    layers
}

/// The newest of some writes that is stable at a cut.
fn newest_stable(recording: &Recording, cut: &Cut, writes: &[u32]) -> Option<u32> {
    let end = writes.partition_point(|index| (*index as usize) < cut.window().end);
    let newest_first = writes[..end].iter().rev().copied();
    let mut stable =
        newest_first.filter(|index| recording.stable_from(*index as usize) <= cut.event);
    stable.next()
}
