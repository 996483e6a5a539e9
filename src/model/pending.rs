// SPDX-License-Identifier: GPL-2.0

//! The pieces that a cut may keep or lose, one by one.

use core::{
    iter::FusedIterator,
    ops::Range, //
};

use super::{
    cut::Cut,
    history::{
        Entry,
        History, //
    },
    legal::visible_of,
    unit::{
        units,
        Piece, //
    }, //
};
#[cfg(doc)]
use super::{
    history::Tear,
    legal::is_shadowed, //
};

/// All pieces that may be kept or lost at a cut, in ascending order.
///
/// Every subset is a crash state of the contract, and every crash state is a subset: R3 has pending
/// writes survive in part, unit by unit, and R4 has no order among them that R1 and R2 do not make.
/// With [`Tear::Prefix`] that is so of the subsets that have of each write its first pieces.
/// With [`Tear::Rmw`] some of the [`losses`](super::losses()) may be in it, too.
/// Two subsets may have the same content: see [`is_shadowed`].
pub fn pending<'h, H: History + ?Sized>(history: &'h H, cut: &Cut) -> Pending<'h, H> {
    Pending {
        writes: PendingWrites::new(history, cut, cut.window()),
        current: None,
    }
}

/// The pending writes of a cut, by their indices.
#[derive(Debug)]
pub(super) struct PendingWrites<'h, H: History + ?Sized> {
    history: &'h H,
    cut: Cut,
    indices: Range<usize>,
}

impl<'h, H: History + ?Sized> PendingWrites<'h, H> {
    /// Those of them with these indices.
    pub(super) fn new(history: &'h H, cut: &Cut, indices: Range<usize>) -> Self {
        Self {
            history,
            cut: *cut,
            indices,
        }
    }
}

impl<H: History + ?Sized> Clone for PendingWrites<'_, H> {
    fn clone(&self) -> Self {
        Self {
            indices: self.indices.clone(),
            ..*self
        }
    }
}

impl<H: History + ?Sized> Iterator for PendingWrites<'_, H> {
    type Item = (usize, Entry);

    fn next(&mut self) -> Option<(usize, Entry)> {
        loop {
            self.indices.start = self
                .history
                .next_unstable(self.indices.start, self.cut.event);

            let index = self.indices.next()?;
            let entry = self.history.entry(index);

            if let Some(entry) = entry.filter(|entry| self.cut.is_pending(entry)) {
                return Some((index, entry));
            }
        }
    }
}

/// The iterator that [`pending()`] returns.
#[derive(Clone, Debug)]
pub struct Pending<'h, H: History + ?Sized> {
    writes: PendingWrites<'h, H>,
    current: Option<(usize, Entry, Range<u64>)>,
}

impl<H: History + ?Sized> Iterator for Pending<'_, H> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        loop {
            let (history, cut) = (self.writes.history, self.writes.cut);

            if let Some((index, entry, units)) = &mut self.current {
                for unit in units.by_ref() {
                    let piece = Piece {
                        entry: *index,
                        unit,
                    };

                    if !visible_of(history, &cut, piece, entry).is_empty() {
                        return Some(piece);
                    }
                }
            }

            let (index, entry) = self.writes.next()?;

            self.current = Some((index, entry, units(cut.geometry(), &entry)));
        }
    }
}

impl<H: History + ?Sized> FusedIterator for Pending<'_, H> {}
