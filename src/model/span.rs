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

impl<H: History + ?Sized> Spans<'_, H> {
    /// The event at which an entry makes writes stable, if it does so after `position`, and the
    /// watermark from there on.
    fn promotion(&self, entry: &Entry, position: Event) -> Option<(Event, Event)> {
        let promised = entry.fua || !self.history.geometry().write_cache;
        let flush = entry
            .flush_complete()
            .filter(|&event| event > position && entry.submit > self.watermark)
            .map(|event| (event, entry.submit));
        let write = Some(entry.complete)
            .filter(|&event| event > position && entry.is_write() && promised)
            .map(|event| (event, self.watermark));

        // One entry's flush is complete before its data.
        flush.or(write)
    }

    /// The first event after `position` at which something becomes stable, and the watermark from
    /// there on.
    fn next_promotion(&self, position: Event) -> Option<(Event, Event)> {
        let last = self.history.last_event();
        let mut found: Option<(Event, Event)> = None;

        for index in self.first..self.history.nr_entries() {
            let Some(entry) = self.history.entry(index) else {
                break;
            };

            // All events of this and later entries are at or after its submit event.
            if found.is_some_and(|(event, _)| event < entry.submit) {
                break;
            }
            if let Some((event, watermark)) = self.promotion(&entry, position) {
                if event <= last && found.is_none_or(|(earliest, _)| event < earliest) {
                    found = Some((event, watermark));
                }
            }
        }
        found
    }

    /// Whether a write started or something was marked, after the previous cut and by `event`.
    fn is_new(&self, event: Event) -> bool {
        let previous = self.previous.unwrap_or(0);

        (self.first..self.history.submitted_by(event))
            .filter_map(|index| self.history.entry(index))
            .any(|entry| {
                (entry.is_write() || entry.op == Op::Mark)
                    && entry.start > previous
                    && entry.start <= event
            })
    }

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
            let promotion = self.next_promotion(position);
            let end = match promotion {
                Some((event, _)) => event.saturating_sub(1),
                None => self.history.last_event(),
            };
            let is_new = self.is_new(end) || (promotion.is_none() && self.previous.is_none());

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
