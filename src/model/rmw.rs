// SPDX-License-Identifier: GPL-2.0

//! What a write smaller than a physical block may cost its neighbours ([`Tear::Rmw`]).

use core::ops::Range;

use super::{
    cut::Cut,
    history::{
        Entry,
        Geometry,
        History,
        Op,
        Tear, //
    },
    legal::visible_of,
    pending::PendingWrites,
    unit::{
        units,
        Piece, //
    },
};

/// Sectors in a physical block where writes tear by [`Tear::Rmw`].
pub const PHYSICAL_SECTORS: u32 = 8;

/// The units that lie in the physical blocks which a write covers in part, and that it does not
/// touch: first those before it, then those after it.
///
/// None where writes do not tear by [`Tear::Rmw`], and none of a discard: it has nothing to write,
/// and so no block to read before.
pub fn neighbours(geometry: Geometry, entry: &Entry) -> [Range<u64>; 2] {
    let own = units(geometry, entry);
    let per_block = u64::from(PHYSICAL_SECTORS) >> geometry.unit_shift();

    if geometry.tear != Tear::Rmw || per_block == 0 || entry.op == Op::Discard || own.is_empty() {
        return [0..0, 0..0];
    }

    let end = own.end.saturating_add(per_block.wrapping_sub(1));

    [
        block_start(per_block, own.start)..own.start,
        own.end..block_start(per_block, end),
    ]
}

/// The first unit of the physical block that a unit is in; `per_block`, the units of a block, is a
/// power of two.
fn block_start(per_block: u64, unit: u64) -> u64 {
    unit & !per_block.wrapping_sub(1)
}

/// The pieces that a cut may cost: of each pending write its [`neighbours`], in ascending order.
///
/// Any of them may be part of a selection, together with any that are
/// [`pending()`](super::pending()). It then stands for a unit that was lost: it reads as zeroes,
/// whatever else is kept there.
pub fn losses<'h, H: History + ?Sized>(
    history: &'h H,
    cut: &Cut,
) -> impl Iterator<Item = Piece> + Clone + 'h {
    let cut = *cut;
    let window = match cut.geometry().tear {
        Tear::Rmw => cut.window(),
        Tear::Any | Tear::Prefix => 0..0,
    };

    PendingWrites::new(history, &cut, window).flat_map(move |(index, entry)| {
        let [before, after] = neighbours(cut.geometry(), &entry);

        before
            .chain(after)
            .map(move |unit| Piece { entry: index, unit })
            .filter(move |piece| is_loss(history, &cut, *piece, &entry))
    })
}

/// Whether a piece of a pending write is one that the write may cost: it is among its neighbours,
/// and some of what the write has in that physical block is not retired. If all of it is, newer
/// data has taken its place for good, and the write has nothing left to do there.
pub(super) fn is_loss<H: History + ?Sized>(
    history: &H,
    cut: &Cut,
    piece: Piece,
    entry: &Entry,
) -> bool {
    let geometry = cut.geometry();

    if !is_neighbour(geometry, entry, piece.unit) {
        return false;
    }

    let per_block = u64::from(PHYSICAL_SECTORS) >> geometry.unit_shift();
    let own = units(geometry, entry);
    let block = block_start(per_block, piece.unit);
    let mut here = own.start.max(block)..own.end.min(block.saturating_add(per_block));

    here.any(|unit| {
        let own = Piece { unit, ..piece };

        !visible_of(history, cut, own, entry).is_empty()
    })
}

/// Whether a unit is among the neighbours of a write.
pub fn is_neighbour(geometry: Geometry, entry: &Entry, unit: u64) -> bool {
    neighbours(geometry, entry)
        .iter()
        .any(|units| units.contains(&unit))
}
