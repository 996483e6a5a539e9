// SPDX-License-Identifier: GPL-2.0

//! The pieces that a cut may keep or lose, one by one, and whether somebody's selection of them is
//! legal.

use core::{
    fmt,
    iter::FusedIterator,
    ops::Range, //
};

use super::{
    cut::Cut,
    history::{
        Entry,
        Event,
        History, //
    },
    unit::{
        coverage,
        units,
        Mask,
        Piece, //
    },
};

/// Why a cut, or a piece kept at it, is outside the contract.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Illegal {
    /// The cut is later than the newest event.
    CutAfterLastEvent,
    /// What is kept is a flush, a mark, or nothing at all.
    NotAWrite,
    /// The write was submitted after the cut.
    NotSubmitted,
    /// The write was submitted before the cut, but its own data follows a flush that was not
    /// complete at the cut (R1).
    NotStarted,
    /// The write is stable at the cut (R1, R2, R6): it is there, selected or not.
    AlreadyStable,
    /// Newer stable writes cover the piece (R5): it can't be seen again.
    Retired,
    /// The write does not touch the unit.
    OutsideWrite,
    /// The piece is not after the previous one of the selection.
    OutOfOrder,
}

impl fmt::Display for Illegal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Illegal::CutAfterLastEvent => "the cut is after the last event",
            Illegal::NotAWrite => "not a write",
            Illegal::NotSubmitted => "the write was submitted after the cut",
            Illegal::NotStarted => "the write was still waiting for its own flush at the cut",
            Illegal::AlreadyStable => "the write is already stable at the cut",
            Illegal::Retired => "newer stable writes have retired that piece",
            Illegal::OutsideWrite => "the write does not touch that unit",
            Illegal::OutOfOrder => "pieces must ascend, by write, then by unit, without repeats",
        })
    }
}

impl core::error::Error for Illegal {}

/// The index of the write that was submitted at `event`, as a selection names it.
///
/// # Errors
///
/// [`Illegal::NotAWrite`] if the event is anything else, or has not happened.
pub fn find_write<H: History + ?Sized>(history: &H, event: Event) -> Result<usize, Illegal> {
    let index = history.submitted_by(event).checked_sub(1);

    index
        .filter(|&index| {
            history
                .entry(index)
                .is_some_and(|entry| entry.is_write() && entry.submit == event)
        })
        .ok_or(Illegal::NotAWrite)
}

/// The sectors of a pending piece that no newer stable write covers; if there is none, the piece is
/// retired: it can't be seen again (R5).
///
/// A newer stable write hides an older one only if the older was complete when the newer was
/// submitted; else both were in flight together, and either may be the one that is found.
///
/// Only a FUA write can be that newer one. Say it was stable by the watermark: then the older, which
/// completed before it, is stable too and not pending. Say the cache was off: then what is pending
/// is in flight still, and nothing was submitted after its completion.
fn visible<H: History + ?Sized>(history: &H, cut: &Cut, piece: Piece, entry: &Entry) -> Mask {
    let geometry = cut.geometry();
    let mut visible = coverage(geometry, entry, piece.unit);
    let mut candidates = cut.fua_after(piece.entry);

    while !visible.is_empty() {
        let Some(index) = history.newest_fua(candidates.clone()) else {
            break;
        };

        if let Some(newer) = history.entry(index) {
            // Entries are ordered by submit event: all others overlapped in flight, too.
            if newer.submit < entry.complete {
                break;
            }
            if cut.is_stable(&newer) {
                visible = visible.without(coverage(geometry, &newer, piece.unit));
            }
        }
        candidates.end = index;
    }
    visible
}

/// All pieces that may be kept or lost at a cut, in ascending order.
///
/// Every subset is a crash state of the contract, and every crash state is a subset: R3 has pending
/// writes survive in part, unit by unit, and R4 has no order among them that R1 and R2 do not make.
/// Two subsets may have the same content: see [`is_shadowed`].
pub fn pending<'h, H: History + ?Sized>(history: &'h H, cut: &Cut) -> Pending<'h, H> {
    Pending {
        history,
        cut: *cut,
        indices: cut.window(),
        current: None,
    }
}

/// The iterator that [`pending`] returns.
#[derive(Clone, Debug)]
pub struct Pending<'h, H: History + ?Sized> {
    history: &'h H,
    cut: Cut,
    indices: Range<usize>,
    current: Option<(usize, Entry, Range<u64>)>,
}

impl<H: History + ?Sized> Iterator for Pending<'_, H> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        loop {
            if let Some((index, entry, units)) = &mut self.current {
                for unit in units.by_ref() {
                    let piece = Piece {
                        entry: *index,
                        unit,
                    };

                    if !visible(self.history, &self.cut, piece, entry).is_empty() {
                        return Some(piece);
                    }
                }
            }

            let index = self.indices.next()?;

            self.current = self
                .history
                .entry(index)
                .filter(|entry| self.cut.is_pending(entry))
                .map(|entry| (index, entry, units(self.cut.geometry(), &entry)));
        }
    }
}

impl<H: History + ?Sized> FusedIterator for Pending<'_, H> {}

/// Whether `piece` may be kept at a cut, as one of a selection in which it follows `previous`.
///
/// Accepts what [`pending`] yields, and nothing else.
///
/// # Errors
///
/// The rule that forbids it.
pub fn check_piece<H: History + ?Sized>(
    history: &H,
    cut: &Cut,
    piece: Piece,
    previous: Option<Piece>,
) -> Result<(), Illegal> {
    if previous.is_some_and(|previous| previous >= piece) {
        return Err(Illegal::OutOfOrder);
    }

    let entry = history.entry(piece.entry).ok_or(Illegal::NotAWrite)?;

    if !entry.is_write() {
        Err(Illegal::NotAWrite)
    } else if entry.submit > cut.event {
        Err(Illegal::NotSubmitted)
    } else if entry.start > cut.event {
        Err(Illegal::NotStarted)
    } else if cut.is_stable(&entry) {
        Err(Illegal::AlreadyStable)
    } else if !units(cut.geometry(), &entry).contains(&piece.unit) {
        Err(Illegal::OutsideWrite)
    } else if visible(history, cut, piece, &entry).is_empty() {
        Err(Illegal::Retired)
    } else {
        Ok(())
    }
}

/// Whether a legal piece of a selection can't be seen in it, because the newer ones among the kept
/// pieces, and newer stable writes, cover all of its sectors.
///
/// Such a selection is legal, but has the content of the one without the piece. Those that hold no
/// shadowed piece are one for each content, as far as the log can tell contents apart. `kept` may
/// hold pieces of other units and `piece` itself; they make no difference.
pub fn is_shadowed<H: History + ?Sized>(
    history: &H,
    cut: &Cut,
    piece: Piece,
    kept: impl IntoIterator<Item = Piece>,
) -> bool {
    let Some(entry) = history.entry(piece.entry) else {
        return false;
    };
    let mut visible = visible(history, cut, piece, &entry);

    for other in kept {
        if other.unit == piece.unit && !visible.is_empty() {
            if let Some(newer) = history.entry(other.entry) {
                if newer.start > entry.start {
                    visible = visible.without(coverage(cut.geometry(), &newer, piece.unit));
                }
            }
        }
    }
    visible.is_empty()
}
