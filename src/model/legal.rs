// SPDX-License-Identifier: GPL-2.0

//! The pieces that a cut may keep or lose, one by one, and whether somebody's selection of them is
//! legal.

use core::{
    fmt,
    ops::{
        Range,
        RangeInclusive, //
    }, //
};

use super::{
    cut::Cut,
    history::{
        Entry,
        Event,
        Geometry,
        History,
        Tear, //
    },
    rmw::{
        is_loss,
        is_neighbour, //
    },
    unit::{
        coverage,
        sectors,
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
    /// An earlier piece of the write is not selected, where writes tear into prefixes
    /// ([`Tear::Prefix`]).
    Gap,
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
            Illegal::Gap => "an earlier piece of that write is lost, which tear=prefix rules out",
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

/// The sectors in which a pending piece shows if it is kept and nothing else is.
///
/// It does not where a stable write was submitted after its completion; if that is everywhere, the
/// piece is retired: it can't be seen again (R5). Means nothing for a piece that is not pending.
pub fn visible<H: History + ?Sized>(history: &H, cut: &Cut, piece: Piece) -> Mask {
    match history.entry(piece.entry) {
        Some(entry) if is_loss(history, cut, piece, &entry) => whole(cut.geometry()),
        Some(entry) => visible_of(history, cut, piece, &entry),
        None => Mask::EMPTY,
    }
}

/// All sectors of a unit.
fn whole(geometry: Geometry) -> Mask {
    Mask::from_range(0, 1 << geometry.unit_shift())
}

/// The same, with the piece's entry at hand.
///
/// Only a FUA write can retire a pending one. Say a write was stable by the watermark: then what
/// completed before its submit, in the same unit and so of the same member, completed before the
/// watermark, and is stable too. Say the cache was off: then what is pending is in flight still,
/// and nothing was submitted after its completion.
pub(super) fn visible_of<H: History + ?Sized>(
    history: &H,
    cut: &Cut,
    piece: Piece,
    entry: &Entry,
) -> Mask {
    let geometry = cut.geometry();
    let mut visible = coverage(geometry, entry, piece.unit);

    if cut.fua_from(piece.entry).is_empty() {
        return visible;
    }

    let sectors = sectors(geometry, piece.unit, piece.unit);
    let mut newer = cut.fua_from(history.submitted_by(entry.complete));

    while !visible.is_empty() && !newer.is_empty() {
        let Some(index) = history.newest_fua_touching(newer.clone(), sectors.clone()) else {
            break;
        };

        if let Some(over) = history.entry(index).filter(|over| cut.is_stable(over)) {
            visible = visible.without(coverage(geometry, &over, piece.unit));
        }
        newer.end = index;
    }
    visible
}

/// Whether `piece` may be kept at a cut, as one of a selection in which it follows `previous`.
///
/// Accepts what [`pending()`](super::pending()) yields, and nothing else; with [`Tear::Prefix`]
/// only what it yields next of the same write, or first; with [`Tear::Rmw`] what
/// [`losses`](super::losses()) yields, too.
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
    check_pieces(history, cut, piece.entry, piece.unit..=piece.unit, previous)
}

/// Whether all pieces of one write in a run of units may be kept at a cut, as part of a selection
/// in which they follow `previous`: [`check_piece`] for each, in as many steps as FUA writes after
/// the write touch the run, however long it is; or, with [`Tear::Prefix`], what lies before it.
///
/// # Errors
///
/// A rule that forbids one of them; [`Illegal::OutsideWrite`] for a run without units.
pub fn check_pieces<H: History + ?Sized>(
    history: &H,
    cut: &Cut,
    index: usize,
    run: RangeInclusive<u64>,
    previous: Option<Piece>,
) -> Result<(), Illegal> {
    let (first, last) = (*run.start(), *run.end());
    let end = last.saturating_add(1);
    let piece = |unit| Piece { entry: index, unit };

    if previous.is_some_and(|previous| previous >= piece(first)) {
        return Err(Illegal::OutOfOrder);
    }

    let entry = history.entry(index).ok_or(Illegal::NotAWrite)?;
    let units = units(cut.geometry(), &entry);
    let next = match previous.filter(|previous| previous.entry == index) {
        Some(previous) => previous.unit.saturating_add(1),
        None => units.start,
    };
    // Those before and after what the write touches; few, if they may be lost.
    let (mut before, mut after) = (first..end.min(units.start), first.max(units.end)..end);
    let own = first.max(units.start)..end.min(units.end);
    let is_outside = |unit| !is_neighbour(cut.geometry(), &entry, unit);
    let is_retired = |unit| !is_loss(history, cut, piece(unit), &entry);

    if !entry.is_write() {
        Err(Illegal::NotAWrite)
    } else if entry.submit > cut.event {
        Err(Illegal::NotSubmitted)
    } else if entry.start > cut.event {
        Err(Illegal::NotStarted)
    } else if cut.is_stable(&entry) {
        Err(Illegal::AlreadyStable)
    } else if first >= end || before.clone().any(is_outside) || after.clone().any(is_outside) {
        Err(Illegal::OutsideWrite)
    } else if any_retired(history, cut, index, &entry, own)
        || before.any(is_retired)
        || after.any(is_retired)
    {
        Err(Illegal::Retired)
    } else if cut.geometry().tear == Tear::Prefix
        && any_visible(history, cut, index, &entry, next..first)
    {
        Err(Illegal::Gap)
    } else {
        Ok(())
    }
}

/// Whether a pending write's piece in one of `units` is retired.
fn any_retired<H: History + ?Sized>(
    history: &H,
    cut: &Cut,
    index: usize,
    entry: &Entry,
    units: Range<u64>,
) -> bool {
    if cut.fua_from(index).is_empty() {
        return false;
    }

    let newer = cut.fua_from(history.submitted_by(entry.complete));

    if newer.is_empty() {
        return false;
    }

    let mut units = units;
    let mut step = units.end.saturating_sub(units.start);

    // Where no FUA write has been, nothing is retired: goes over that in large steps.
    while !units.is_empty() {
        let end = units.start.saturating_add(step).min(units.end);
        let here = sectors(cut.geometry(), units.start, end.saturating_sub(1));

        if history.newest_fua_touching(newer.clone(), here).is_none() {
            units.start = end;
            step = step.saturating_mul(2);
        } else if step > 1 {
            step >>= 1;
        } else {
            let unit = units.start;
            let piece = Piece { entry: index, unit };

            if visible_of(history, cut, piece, entry).is_empty() {
                return true;
            }
            units.start = end;
        }
    }
    false
}

/// Whether a pending write's piece in one of `units` is not retired: in no more steps than there
/// are FUA writes after it.
fn any_visible<H: History + ?Sized>(
    history: &H,
    cut: &Cut,
    index: usize,
    entry: &Entry,
    units: Range<u64>,
) -> bool {
    let mut units = units;

    while !units.is_empty() {
        let unit = units.start;
        let piece = Piece { entry: index, unit };

        if !visible_of(history, cut, piece, entry).is_empty() {
            return true;
        }
        units.start = retired_until(history, cut, entry, unit);
    }
    false
}

/// The first unit after `unit`, which is retired, that is not retired by the writes which retire
/// that.
fn retired_until<H: History + ?Sized>(history: &H, cut: &Cut, entry: &Entry, unit: u64) -> u64 {
    let here = sectors(cut.geometry(), unit, unit);
    let mut newer = cut.fua_from(history.submitted_by(entry.complete));
    let mut end = unit.saturating_add(1);

    while !newer.is_empty() {
        let Some(index) = history.newest_fua_touching(newer.clone(), here.clone()) else {
            break;
        };

        // Whatever it covers from here on it covers whole, but for its last unit.
        if let Some(over) = history.entry(index).filter(|over| cut.is_stable(over)) {
            let sectors_end = over.sector.saturating_add(u64::from(over.nr_sectors));

            end = end.max(sectors_end >> cut.geometry().unit_shift());
        }
        newer.end = index;
    }
    end
}

/// Whether a legal piece of a selection can't be seen in it, because those of the kept pieces that
/// lie above it, and stable writes that do, cover all of its sectors.
///
/// Such a selection is legal, but has the content of the one without the piece. Those that hold no
/// shadowed piece are one for each content, as far as the log can tell contents apart. `kept` may
/// hold pieces of other units and `piece` itself; they make no difference. What is lost with
/// [`Tear::Rmw`] lies above all that is kept, for it is when the power fails that it is lost.
pub fn is_shadowed<H: History + ?Sized>(
    history: &H,
    cut: &Cut,
    piece: Piece,
    kept: impl IntoIterator<Item = Piece>,
) -> bool {
    let Some(entry) = history.entry(piece.entry) else {
        return false;
    };
    let is_lost = |entry: &Entry| is_neighbour(cut.geometry(), entry, piece.unit);
    let place = |index: usize, entry: &Entry| (is_lost(entry), cut.arrival(entry), index);
    let covered = |entry: &Entry| {
        if is_lost(entry) {
            whole(cut.geometry())
        } else {
            coverage(cut.geometry(), entry, piece.unit)
        }
    };
    let mut left = visible(history, cut, piece);

    for other in kept {
        if other.unit == piece.unit && !left.is_empty() {
            if let Some(above) = history.entry(other.entry) {
                if place(other.entry, &above) > place(piece.entry, &entry) {
                    left = left.without(covered(&above));
                }
            }
        }
    }
    left.is_empty()
}
