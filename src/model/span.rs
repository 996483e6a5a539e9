// SPDX-License-Identifier: GPL-2.0

//! The cuts that dominate: to look at all crash states, only these need be looked at.

use core::iter::FusedIterator;

use super::{
    cut::{
        watermark,
        Cut, //
    },
    history::{
        Entry,
        Event,
        History,
        Op, //
    },
};

/// The dominating cuts of a history, in ascending order.
///
/// From one event to the next, pending writes are added, or some become stable, or neither. As
/// long as none becomes stable, each cut allows every content that the one before it allows: so
/// the last cut of such a span stands for all of them. A span ends before the events at which
///
/// - the watermark changes (R1),
/// - a FUA write completes (R2), or
/// - any write completes, when the cache is off (R6),
///
/// and at the last event. Marks only add up, so the last cut also has all that was acknowledged in
/// its span: what is a violation before it, is one there.
///
/// A cut is left out if since the one before it no write has started and nothing was marked: what
/// it allows, that one allows, with the same acknowledgements. There is always at least one cut.
///
/// In the trace at the top of this module, these are the cuts after 3, 4 and 7: before the watermark
/// changes at 4, before C is stable at 5, and the last. With two more flushes at the end there
/// would be no more.
pub fn spans<H: History + ?Sized>(history: &H) -> Spans<'_, H> {
    Spans {
        history,
        position: Some(0),
        watermark: 0,
        previous: None,
        first: 0,
    }
}

/// The iterator that [`spans`] returns.
#[derive(Clone, Debug)]
pub struct Spans<'h, H: History + ?Sized> {
    history: &'h H,
    /// The event up to which the history has been looked at; [`None`] after its end.
    position: Option<Event>,
    /// The watermark there.
    watermark: Event,
    /// The newest cut that was returned.
    previous: Option<Event>,
    /// No entry below this index completes after `position`.
    first: usize,
}

/// The event at which an entry makes writes stable, if it does so after `position`, where the
/// watermark is `watermark`; and the watermark from there on.
fn promotion<H: History + ?Sized>(
    history: &H,
    entry: &Entry,
    position: Event,
    watermark: Event,
) -> Option<(Event, Event)> {
    let promised = entry.fua || !history.geometry().write_cache;
    let flush = entry
        .flush_complete()
        .filter(|&event| event > position && entry.submit > watermark)
        .map(|event| (event, entry.submit));
    let write = Some(entry.complete)
        .filter(|&event| event > position && entry.is_write() && promised)
        .map(|event| (event, watermark));

    // One entry's flush is complete before its data.
    flush.or(write)
}

/// The first event after `position` at which something becomes stable, and the watermark from there
/// on. No entry before the index `first` completes after `position`.
fn next_promotion<H: History + ?Sized>(
    history: &H,
    first: usize,
    position: Event,
    watermark: Event,
) -> Option<(Event, Event)> {
    let last = history.last_event();
    let mut found: Option<(Event, Event)> = None;

    for index in first..history.nr_entries() {
        let Some(entry) = history.entry(index) else {
            break;
        };

        // All events of this and later entries are at or after its submit event.
        if found.is_some_and(|(event, _)| event < entry.submit) {
            break;
        }
        if let Some((event, watermark)) = promotion(history, &entry, position, watermark) {
            if event <= last && found.is_none_or(|(earliest, _)| event < earliest) {
                found = Some((event, watermark));
            }
        }
    }
    found
}

/// Whether a write started or something was marked, after `previous` and by `event`. No entry before
/// the index `first` completes after `previous`.
fn is_new<H: History + ?Sized>(history: &H, first: usize, previous: Event, event: Event) -> bool {
    (first..history.submitted_by(event))
        .filter_map(|index| history.entry(index))
        .any(|entry| {
            (entry.is_write() || entry.op == Op::Mark)
                && entry.start > previous
                && entry.start <= event
        })
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
            let promotion = next_promotion(self.history, self.first, position, self.watermark);
            let end = match promotion {
                Some((event, _)) => event.saturating_sub(1),
                None => self.history.last_event(),
            };
            let previous = self.previous.unwrap_or(0);
            let is_new = is_new(self.history, self.first, previous, end)
                || (promotion.is_none() && self.previous.is_none());

            match promotion {
                Some((event, watermark)) => {
                    self.watermark = watermark;
                    self.position = Some(event);
                    if is_new {
                        self.previous = Some(end);
                    }
                    // Nothing that `is_new` has yet to see is left out: what starts at `event` or
                    // later completes after it, and what started before it has been seen.
                    self.advance(event);
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

/// The dominating cuts of a group of disks, in ascending order: [`spans`] of all of them together.
///
/// Such a cut is before something becomes stable on any disk, and something has started or been
/// marked on any disk since the one before. Those of each disk alone are not enough: what is new on
/// one may have been there only before something became stable on another, where nothing was new.
///
/// A disk whose `last_event` is before that of the others is one to which nothing happened since.
pub fn group_spans<H: History>(disks: &[H]) -> GroupSpans<'_, H> {
    GroupSpans {
        disks,
        position: Some(0),
        previous: None,
    }
}

/// The iterator that [`group_spans`] returns.
#[derive(Clone, Debug)]
pub struct GroupSpans<'h, H: History> {
    disks: &'h [H],
    /// The event up to which the histories have been looked at; [`None`] after their end.
    position: Option<Event>,
    /// The newest cut that was returned.
    previous: Option<Event>,
}

impl<H: History> Iterator for GroupSpans<'_, H> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let last = self.disks.iter().map(History::last_event).max();

        while let Some(position) = self.position {
            let promotion = self
                .disks
                .iter()
                .filter_map(|disk| {
                    let watermark = watermark(disk, disk.submitted_by(position), position);
                    let first = disk.first_completing_after(position);

                    next_promotion(disk, first, position, watermark)
                })
                .map(|(event, _)| event)
                .min();
            let end = match promotion {
                Some(event) => event.saturating_sub(1),
                None => last.unwrap_or(0),
            };
            let previous = self.previous.unwrap_or(0);
            let is_new = self
                .disks
                .iter()
                .any(|disk| is_new(disk, disk.first_completing_after(previous), previous, end))
                || (promotion.is_none() && self.previous.is_none());

            self.position = promotion;
            if is_new {
                self.previous = Some(end);
                return Some(end);
            }
        }
        None
    }
}

impl<H: History> FusedIterator for GroupSpans<'_, H> {}
