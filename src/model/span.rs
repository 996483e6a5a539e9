// SPDX-License-Identifier: GPL-2.0

//! The cuts that dominate: to look at all crash states, only these need be looked at.

use core::iter::FusedIterator;

use super::{
    cut::Cut,
    history::{
        Entry,
        Event,
        History,
        Op, //
    },
    members::Watermarks, //
};

/// What one more mark may do to the verdict on a content.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Marks {
    /// Anything: a key that was put and then deleted need not be there, but must be there before
    /// the delete was acknowledged.
    #[default]
    Any,
    /// What fails with some marks fails with more, too.
    Monotone,
}

/// The dominating cuts of a history, in ascending order.
///
/// From one event to the next, pending writes are added, or some become stable, or neither. As
/// long as none becomes stable, each cut allows every content that the one before it allows: so
/// the last cut of such a span stands for all of them. A span ends before the events at which
///
/// - the watermark of any member changes (R1),
/// - a FUA write completes (R2), or
/// - any write completes, when the cache is off (R6),
///
/// and at the last event. With [`Marks::Any`] it also ends before each mark: then every content
/// that some cut allows is allowed at one of these with *the same* marks. With [`Marks::Monotone`]
/// it is allowed at one that has at least as many: what is a violation before that, is one there.
///
/// A cut is left out if since the one before it no write has started and nothing was marked: what
/// it allows, that one allows, with the same marks. There is always at least one cut.
///
/// In the trace at the top of this module, these are the cuts after 3, 4 and 7: before the
/// watermark changes at 4, before C is stable at 5, and the last. With two more flushes at the end
/// there would be no more.
pub fn spans<H: History + ?Sized>(history: &H, marks: Marks) -> Spans<'_, H> {
    Spans {
        history,
        marks,
        position: Some(0),
        watermarks: Watermarks::NONE,
        previous: None,
        first: 0,
    }
}

/// The iterator that [`spans`] returns.
#[derive(Clone, Debug)]
pub struct Spans<'h, H: History + ?Sized> {
    history: &'h H,
    marks: Marks,
    /// The event up to which the history has been looked at; [`None`] after its end.
    position: Option<Event>,
    /// The watermarks there.
    watermarks: Watermarks,
    /// The newest cut that was returned.
    previous: Option<Event>,
    /// No entry below this index completes after `position`.
    first: usize,
}

/// Why a span ends before an event.
#[derive(Clone, Copy, Debug)]
struct Boundary {
    event: Event,
    /// The watermarks from there on.
    watermarks: Watermarks,
    is_mark: bool,
}

impl Boundary {
    fn at(event: Event, watermarks: Watermarks) -> Self {
        Self {
            event,
            watermarks,
            is_mark: false,
        }
    }
}

/// The boundary that an entry makes after `position`, if any, where the watermarks are
/// `watermarks`.
fn boundary<H: History + ?Sized>(
    history: &H,
    entry: &Entry,
    marks: Marks,
    position: Event,
    watermarks: &Watermarks,
) -> Option<Boundary> {
    if entry.op == Op::Mark {
        let mark = Boundary {
            is_mark: true,
            ..Boundary::at(entry.submit, *watermarks)
        };
        return Some(mark).filter(|mark| marks == Marks::Any && mark.event > position);
    }

    let geometry = history.geometry();
    let member = geometry.members.of(entry.sector);
    let promised = entry.fua || !geometry.write_cache;
    let flush = entry
        .flush_complete()
        .filter(|&event| event > position && entry.submit > watermarks.of(member))
        .map(|event| Boundary::at(event, watermarks.with(member, entry.submit)));
    let write = Some(entry.complete)
        .filter(|&event| event > position && entry.is_write() && promised)
        .map(|event| Boundary::at(event, *watermarks));

    // One entry's flush is complete before its data.
    flush.or(write)
}

/// The first boundary after `position`. No entry before the index `first` completes after that.
fn next_boundary<H: History + ?Sized>(
    history: &H,
    first: usize,
    marks: Marks,
    position: Event,
    watermarks: &Watermarks,
) -> Option<Boundary> {
    let last = history.last_event();
    let mut found: Option<Boundary> = None;
    let mut index = history.next_completing_after(first, position);

    while let Some(entry) = history.entry(index) {
        // All events of this and later entries are at or after its submit event.
        if found.is_some_and(|found| found.event < entry.submit) {
            break;
        }
        if let Some(next) = boundary(history, &entry, marks, position, watermarks) {
            if next.event <= last && found.is_none_or(|found| next.event < found.event) {
                found = Some(next);
            }
        }
        index = history.next_completing_after(index.saturating_add(1), position);
    }
    found
}

/// Whether a write started or something was marked, after `previous` and by `event`. No entry
/// before the index `first` completes after `previous`.
fn is_new<H: History + ?Sized>(history: &H, first: usize, previous: Event, event: Event) -> bool {
    let end = history.submitted_by(event);
    let mut index = history.next_completing_after(first, previous);

    while index < end {
        if history.entry(index).is_some_and(|entry| {
            (entry.is_write() || entry.op == Op::Mark)
                && entry.start > previous
                && entry.start <= event
        }) {
            return true;
        }
        index = history.next_completing_after(index.saturating_add(1), previous);
    }
    false
}

impl<H: History + ?Sized> Spans<'_, H> {
    /// Raises `first` to leave out what completes by `position`.
    fn advance(&mut self, position: Event) {
        self.first = self
            .first
            .max(self.history.first_completing_after(position));

        while let Some(entry) = self.history.entry(self.first) {
            if entry.complete > position {
                break;
            }
            self.first = self.first.saturating_add(1);
        }
    }
}

impl<H: History + ?Sized> Iterator for Spans<'_, H> {
    type Item = Cut;

    fn next(&mut self) -> Option<Cut> {
        while let Some(position) = self.position {
            let boundary = next_boundary(
                self.history,
                self.first,
                self.marks,
                position,
                &self.watermarks,
            );
            let end = match boundary {
                Some(boundary) => boundary.event.saturating_sub(1),
                None => self.history.last_event(),
            };
            // Nothing before a mark allows the base with no marks, or else the last cut does.
            let is_needed = boundary.is_none_or(|boundary| boundary.is_mark);
            let is_new = match self.previous {
                Some(previous) => is_new(self.history, self.first, previous, end),
                None => is_needed || is_new(self.history, self.first, 0, end),
            };

            if is_new {
                self.previous = Some(end);
            }
            match boundary {
                Some(boundary) => {
                    self.watermarks = boundary.watermarks;
                    self.position = Some(boundary.event);
                    // Nothing that `is_new` has yet to see is left out: what starts at that event
                    // or later completes no earlier, and what started before it has been seen.
                    self.advance(end);
                }
                None => self.position = None,
            }

            if is_new {
                return Cut::new(self.history, end).ok();
            }
        }
        None
    }
}

impl<H: History + ?Sized> FusedIterator for Spans<'_, H> {}
