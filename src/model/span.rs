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
        watermarks: Watermarks::NONE,
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
    /// The watermarks there.
    watermarks: Watermarks,
    /// The newest cut that was returned.
    previous: Option<Event>,
    /// No entry below this index completes after `position`.
    first: usize,
}

/// The event at which an entry makes writes stable, if it does so after `position`, where the
/// watermarks are `watermarks`; and those from there on.
fn promotion<H: History + ?Sized>(
    history: &H,
    entry: &Entry,
    position: Event,
    watermarks: &Watermarks,
) -> Option<(Event, Watermarks)> {
    let geometry = history.geometry();
    let member = geometry.members.of(entry.sector);
    let promised = entry.fua || !geometry.write_cache;
    let flush = entry
        .flush_complete()
        .filter(|&event| event > position && entry.submit > watermarks.of(member))
        .map(|event| (event, watermarks.with(member, entry.submit)));
    let write = Some(entry.complete)
        .filter(|&event| event > position && entry.is_write() && promised)
        .map(|event| (event, *watermarks));

    // One entry's flush is complete before its data.
    flush.or(write)
}

/// The first event after `position` at which something becomes stable, and the watermarks from
/// there on. No entry before the index `first` completes after `position`.
fn next_promotion<H: History + ?Sized>(
    history: &H,
    first: usize,
    position: Event,
    watermarks: &Watermarks,
) -> Option<(Event, Watermarks)> {
    let last = history.last_event();
    let mut found: Option<(Event, Watermarks)> = None;

    for index in first..history.nr_entries() {
        let Some(entry) = history.entry(index) else {
            break;
        };

        // All events of this and later entries are at or after its submit event.
        if found.is_some_and(|(event, _)| event < entry.submit) {
            break;
        }
        if let Some((event, watermarks)) = promotion(history, &entry, position, watermarks) {
            if event <= last && found.is_none_or(|(earliest, _)| event < earliest) {
                found = Some((event, watermarks));
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
            let promotion = next_promotion(self.history, self.first, position, &self.watermarks);
            let end = match promotion {
                Some((event, _)) => event.saturating_sub(1),
                None => self.history.last_event(),
            };
            let previous = self.previous.unwrap_or(0);
            let is_new = is_new(self.history, self.first, previous, end)
                || (promotion.is_none() && self.previous.is_none());

            match promotion {
                Some((event, watermarks)) => {
                    self.watermarks = watermarks;
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
