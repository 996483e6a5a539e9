// SPDX-License-Identifier: GPL-2.0

//! What there is to choose at one cut: the pending pieces, the units they lie
//! in, and the image that every choice leaves, as a hash.

mod contents;
mod layers;
mod lengths;
mod prefixes;

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::ops::Range;

use num_bigint::BigUint;
use powercut_model::{losses, pending, Cut, Event, Mask, Piece};
use smallvec::SmallVec;

use crate::keep::Keep;
use crate::recording::Recording;

use layers::units;
pub use layers::Found;
pub use lengths::{Bounds, Lengths};

/// A pending write, by its entry and the range of its pieces.
pub type Write = (usize, Range<usize>);

/// One version of a unit: a pending piece, or the part of a stable write.
#[derive(Debug, Clone, Copy)]
struct Layer {
    entry: u32,
    mask: Mask,
    /// The index of the piece; none for a stable write.
    piece: Option<u32>,
    /// It stands for the loss of the unit.
    is_lost: bool,
    /// What the unit adds to the image's hash where this layer alone shows, of a unit that every
    /// write covers whole.
    hash: u128,
}

/// Mostly one pending piece and the stable content: without a detour over the heap, as a cut may have
/// millions of units.
type Layers = SmallVec<[Layer; 2]>;

/// A unit with pending pieces, its versions topmost first.
#[derive(Debug)]
pub struct Unit {
    pub unit: u64,
    /// Its position among the units written.
    pub place: usize,
    /// Whether each of them covers it whole.
    is_whole: bool,
    layers: Layers,
    /// What it adds to the image's hash when none of its pieces is kept.
    stable: u128,
}

/// One content that a unit may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The pieces that make it.
    pub pieces: Vec<u32>,
    /// What it adds to the image's hash.
    pub hash: u128,
    /// The number of legal choices that leave it.
    pub ways: u64,
}

/// The fate of a pending piece in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is on the disk.
    Kept,
    /// It is not, and would show if it were.
    Lost,
    /// What lies above hides it either way.
    Hidden,
}

/// Everything a power failure after one event leaves open.
#[derive(Debug)]
pub struct Choices<'r> {
    recording: &'r Recording,
    cut: Cut,
    /// Those that are pending, then those that may be lost.
    pieces: Vec<Piece>,
    nr_pending: usize,
    /// The pending writes, each by its entry and the range of its pieces.
    writes: Vec<Write>,
    units: Vec<Unit>,
    /// Once they are asked for.
    telling_writes: OnceCell<Box<[u32]>>,
    /// Of a disk on which writes survive as prefixes, once it is asked for.
    lengths: OnceCell<Lengths>,
    prefixes: OnceCell<(BigUint, bool)>,
    /// The hash of the image without any pending piece.
    stable: u128,
}

/// The units that a cut may cost, each by the newest write that it may be lost by: all leave the same.
fn newest_losses(recording: &Recording, cut: &Cut) -> Vec<Piece> {
    let mut found: Vec<Piece> = losses(recording, cut).collect();
    found.sort_by_key(|piece| (piece.unit, Reverse(piece.entry)));
    found.dedup_by_key(|piece| piece.unit);
    found.sort_unstable();
    found
}

impl<'r> Choices<'r> {
    pub fn new(recording: &'r Recording, cut: Cut) -> Self {
        let mut pieces: Vec<Piece> = pending(recording, &cut).collect();
        let nr_pending = pieces.len();
        let mut writes: Vec<Write> = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            match writes.last_mut() {
                Some((entry, range)) if *entry == piece.entry => range.end = index + 1,
                _ => writes.push((piece.entry, index..index + 1)),
            }
        }
        pieces.extend(newest_losses(recording, &cut));
        let units = units(recording, &cut, &pieces, nr_pending);
        Self {
            stable: recording.stable_image(cut.event),
            recording,
            cut,
            pieces,
            nr_pending,
            writes,
            units,
            telling_writes: OnceCell::new(),
            lengths: OnceCell::new(),
            prefixes: OnceCell::new(),
        }
    }

    /// How the image's hash differs from the base's because of one unit.
    fn unit_hash(&self, unit: &Unit, kept: impl Fn(u32) -> bool) -> u128 {
        if unit.is_whole {
            let mut layers = unit.layers.iter();
            let shown = layers.find(|l| l.piece.is_none_or(&kept));
            return shown.map_or(0, |layer| layer.hash);
        }
        let per_block = self.recording.block_sectors() as u32;
        let per_unit = self.cut.geometry().unit_sectors / per_block;
        let first = unit.unit * u64::from(per_unit);
        let shown = |at: u32| {
            let mut layers = unit.layers.iter();
            layers.find(|l| l.mask.contains(at * per_block) && l.piece.is_none_or(&kept))
        };
        let of_block = |at: u32| {
            let layer = shown(at)?;
            let block = first + u64::from(at);
            Some(self.recording.block_hash(block, layer.entry))
        };
        let blocks = (0..per_unit).filter_map(of_block);
        blocks.fold(0, u128::wrapping_add)
    }

    pub fn recording(&self) -> &'r Recording {
        self.recording
    }

    pub fn event(&self) -> Event {
        self.cut.event
    }

    pub fn cut(&self) -> &Cut {
        &self.cut
    }

    /// The pending pieces, by write, then unit; then likewise the units that writes may cost, each
    /// by the newest of these: what a state's id counts.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The pending ones alone.
    pub fn pending(&self) -> &[Piece] {
        &self.pieces[..self.nr_pending]
    }

    /// Those that writes may cost, each by its number among all.
    pub fn losses(&self) -> impl Iterator<Item = (usize, Piece)> + '_ {
        let pieces = self.pieces.iter().copied().enumerate();
        pieces.skip(self.nr_pending)
    }

    /// Whether the piece of that number stands for a unit that a write costs.
    pub fn is_loss(&self, piece: usize) -> bool {
        piece >= self.nr_pending
    }

    /// The units that they lie in, ascending.
    pub fn units(&self) -> &[Unit] {
        &self.units
    }

    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub fn none(&self) -> Keep {
        Keep::none(self.len())
    }

    /// All that is pending, and nothing lost.
    pub fn all(&self) -> Keep {
        self.that(|_| true)
    }

    /// Of what is pending the pieces whose number satisfies `wanted`, and nothing lost.
    pub fn that(&self, mut wanted: impl FnMut(usize) -> bool) -> Keep {
        Keep::that(self.len(), |piece| !self.is_loss(piece) && wanted(piece))
    }

    /// Whether its pieces make a difference: not if they are zeroes over
    /// zeroes, say.
    pub fn varies(&self, unit: &Unit) -> bool {
        if unit.is_whole {
            let newest = unit.layers.first().map_or(0, |layer| layer.hash);
            let mut hashes = unit.layers.iter().map(|layer| layer.hash);
            let has_bottom = unit
                .layers
                .last()
                .is_some_and(|layer| layer.piece.is_none());
            return hashes.any(|hash| hash != newest) || (!has_bottom && newest != 0);
        }
        let per_block = self.recording.block_sectors() as u32;
        let unit_sectors = self.cut.geometry().unit_sectors;
        let first = unit.unit * u64::from(unit_sectors / per_block);
        (0..unit_sectors / per_block).any(|at| {
            let block = first + u64::from(at);
            let layers = unit.layers.iter();
            let mut shown = layers.filter(|l| l.mask.contains(at * per_block));
            let content = |l: &Layer| self.recording.content(l.entry as usize, block);
            let Some(newest) = shown.next() else {
                return false;
            };
            let mut bottom = newest;
            for layer in shown {
                if content(layer) != content(newest) {
                    return true;
                }
                bottom = layer;
            }
            bottom.piece.is_some() && self.recording.base_content(block) != content(newest)
        })
    }

    /// The pieces that make a difference.
    pub fn telling(&self) -> Keep {
        let mut telling = self.none();
        for unit in self.units.iter().filter(|unit| self.varies(unit)) {
            unit.pieces().for_each(|piece| telling.insert(piece));
        }
        telling
    }

    /// The pending writes that make a difference, by their numbers among [`Self::writes`].
    pub fn telling_writes(&self) -> &[u32] {
        self.telling_writes.get_or_init(|| {
            let telling = self.telling();
            let writes = (0..).zip(&self.writes);
            let writes = writes.filter(|(_, (_, pieces))| {
                let mut pieces = pieces.clone();
                pieces.any(|piece| telling.contains(piece))
            });
            writes.map(|(nr, _)| nr).collect()
        })
    }

    /// The pending writes, each by its entry and the range of its pieces.
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// The pieces of the write of that number.
    pub fn pieces_of(&self, write: u32) -> Range<usize> {
        self.writes[write as usize].1.clone()
    }

    /// The write that a piece is of, by its number among them.
    pub fn write_of(&self, piece: usize) -> usize {
        self.writes
            .partition_point(|(_, pieces)| pieces.end <= piece)
    }

    /// The pieces of a legal state that are on the disk.
    pub fn shown(&self, keep: &Keep) -> Keep {
        let mut shown = self.none();
        self.fates(keep, |piece, fate| {
            if fate == Fate::Kept {
                shown.insert(piece);
            }
        });
        shown
    }

    /// Tells what becomes of every pending piece, in no order.
    pub fn fates(&self, keep: &Keep, mut tell: impl FnMut(usize, Fate)) {
        for unit in &self.units {
            let mut hidden = Mask::EMPTY;
            for layer in &unit.layers {
                let shows = !layer.mask.without(hidden).is_empty();
                let Some(piece) = layer.piece.map(|p| p as usize) else {
                    hidden = hidden | layer.mask;
                    continue;
                };
                match (shows, keep.contains(piece)) {
                    (false, _) => tell(piece, Fate::Hidden),
                    (true, false) => tell(piece, Fate::Lost),
                    (true, true) => {
                        hidden = hidden | layer.mask;
                        tell(piece, Fate::Kept);
                    }
                }
            }
        }
    }

    /// The hash of the image a state leaves: equal for equal images.
    pub fn image(&self, keep: &Keep) -> u128 {
        let mut hash = self.stable;
        for unit in &self.units {
            let kept = |p: u32| keep.contains(p as usize);
            let content = self.unit_hash(unit, kept);
            hash = hash.wrapping_sub(unit.stable).wrapping_add(content);
        }
        hash
    }

    /// What the unit at a place adds to the image's hash in a state: equal for equal contents.
    pub fn content_at(&self, place: u32, keep: &Keep) -> u128 {
        let place = place as usize;
        match self.units.binary_search_by_key(&place, |unit| unit.place) {
            Ok(at) => self.content(&self.units[at], keep),
            Err(_) => self.recording.stable_content(place, self.cut.event),
        }
    }

    /// The same for all units written, however many they are.
    pub fn contents(&self, keep: &Keep) -> Vec<u128> {
        let places = 0..self.recording.written().len() as u32;
        places.map(|place| self.content_at(place, keep)).collect()
    }

    /// What one unit adds to the image's hash in a state.
    pub fn content(&self, unit: &Unit, keep: &Keep) -> u128 {
        let kept = |p: u32| keep.contains(p as usize);
        self.unit_hash(unit, kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::testing::History;

    /// Where something was written before, a discard leaves garbage; else zeroes, as before.
    #[test]
    fn garbage_is_where_something_was() {
        let log = History::new()
            .base(5, "x")
            .write(3, "a")
            .flush()
            .garbage(2, 4, 7)
            .done();
        let choices = Choices::new(&log, Cut::new(&log, log.header().newest_event).unwrap());
        assert_eq!(choices.len(), 4);
        let varies = choices.units().iter().filter(|unit| choices.varies(unit));
        let mut units: Vec<u64> = varies.map(|unit| unit.unit).collect();
        units.sort_unstable();
        assert_eq!(units, [3, 5]);
        let index = log.entries().len() - 1;
        assert_ne!(log.content(index, 3), log.content(index, 5));
        assert_eq!(log.content(index, 2), log.content(index, 4));
    }

    /// A write that was in flight together with a newer one lies above that, if it is kept.
    #[test]
    fn an_older_write_may_be_found_above_a_stable_one() {
        let log = History::new().submit(0, "a").fua(0, "b").complete().done();
        let choices = Choices::new(&log, Cut::new(&log, 4).unwrap());
        let stable = |word| {
            let log = History::new().fua(0, word).done();
            let choices = Choices::new(&log, Cut::new(&log, 2).unwrap());
            choices.image(&choices.none())
        };
        assert_eq!(choices.len(), 1);
        assert_eq!(choices.image(&choices.all()), stable("a"));
        assert_eq!(choices.image(&choices.none()), stable("b"));

        // Not so if it was complete by then: it can't be seen.
        let log = History::new().write(0, "a").fua(0, "b").done();
        assert!(Choices::new(&log, Cut::new(&log, 4).unwrap()).is_empty());
    }
}
