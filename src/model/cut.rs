// SPDX-License-Identifier: GPL-2.0

//! A power failure after some event: what is stable there, and what is pending.

use core::ops::Range;

use super::{
    history::{
        Entry,
        Event,
        Geometry,
        History,
        IN_FLIGHT, //
    },
    legal::Illegal,
    members::Watermarks, //
};

/// A power failure between an event and the next.
///
/// It holds everything that depends on the cut and not on a single write, so that asking about a
/// write costs a few comparisons. It belongs to the [`History`] that it was made for, as that was
/// then: a history that grows makes no cut wrong, as long as nothing at or before it changes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cut {
    /// The last event before the power failed.
    pub event: Event,
    watermarks: Watermarks,
    geometry: Geometry,
    window_start: usize,
    window_end: usize,
    /// One more than the index of the newest FUA write in the window; 0 if it has none.
    fua_end: usize,
}

impl Cut {
    /// Cuts the power after `event`; 0 leaves the base.
    ///
    /// # Errors
    ///
    /// [`Illegal::CutAfterLastEvent`] if the history has not come that far.
    pub fn new<H: History + ?Sized>(history: &H, event: Event) -> Result<Self, Illegal> {
        if event > history.last_event() {
            return Err(Illegal::CutAfterLastEvent);
        }

        let geometry = history.geometry();
        let window_end = history.submitted_by(event);
        let watermarks = watermarks(history, window_end, event);

        // Whatever is pending completes after this: see `is_stable`.
        let settled = if geometry.write_cache {
            watermarks.least(&geometry.members)
        } else {
            event
        };
        let window_start = history.first_completing_after(settled).min(window_end);
        let fua_end = history
            .newest_fua(window_start..window_end)
            .map_or(0, |index| index.saturating_add(1));

        Ok(Self {
            event,
            watermarks,
            geometry,
            window_start,
            window_end,
            fua_end,
        })
    }

    /// `D`: the largest submit event of a flush that is complete at the cut, of those sent to the
    /// member that has `sector`; 0 if there is none.
    pub fn watermark(&self, sector: u64) -> Event {
        self.watermarks.of(self.geometry.members.of(sector))
    }

    /// Whether a write must have survived, but for stable writes newer than it.
    ///
    /// - R1: it completed before a flush of its member was submitted that is complete at the cut.
    ///   If any flush is of that kind then so is the one with the largest submit event, the
    ///   watermark.
    /// - R2: it is a FUA write that is complete at the cut.
    /// - R6: it is complete at the cut, and there is no write cache.
    pub fn is_stable(&self, entry: &Entry) -> bool {
        let promised = entry.fua || !self.geometry.write_cache;

        entry.is_write()
            && (entry.complete <= self.watermark(entry.sector)
                || (promised && entry.complete <= self.event))
    }

    /// Whether a write may have survived, in whole or in part (R3).
    ///
    /// It does from the start of its own data on, complete or not. Before that, a write with
    /// PREFLUSH is still flushing: R1 has everything that the flush covers stable *by the time*
    /// its own data starts, so there is no cut at which its data is there and the covered
    /// writes are not.
    pub fn is_pending(&self, entry: &Entry) -> bool {
        entry.is_write() && entry.start <= self.event && !self.is_stable(entry)
    }

    /// When a write is taken to have got its place above or below others on the same sectors.
    ///
    /// Any moment from its submit to its completion will do, for it could have been that (R5). A
    /// stable write takes its place at once, and a pending one, if it is kept, as late as it can:
    /// so any one pending write can be seen above the stable ones that it was in flight with. Those
    /// in flight at the cut do so after it, in the order of the log.
    pub fn arrival(&self, entry: &Entry) -> Event {
        if self.is_stable(entry) {
            entry.submit
        } else if entry.complete <= self.event {
            entry.complete
        } else {
            IN_FLIGHT
        }
    }

    /// Whether a write lies above another one that was submitted after it, both being stable or
    /// kept. Only a pending one can, above one that it was in flight with.
    pub fn lies_above(&self, older: &Entry, newer: &Entry) -> bool {
        self.arrival(older) > self.arrival(newer)
    }

    /// The indices that pending writes lie in; others may lie there too.
    pub const fn window(&self) -> Range<usize> {
        self.window_start..self.window_end
    }

    /// The properties of the disk.
    pub const fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// The indices from `index` on that FUA writes of the window lie in: see [`super::visible`].
    pub(super) const fn fua_from(&self, index: usize) -> Range<usize> {
        index..self.fua_end
    }
}

/// For each member, the largest submit event of a flush of it that is complete at `event`, which
/// `submitted` entries precede.
fn watermarks<H: History + ?Sized>(history: &H, submitted: usize, event: Event) -> Watermarks {
    let members = 0..history.geometry().members.count();

    members.fold(Watermarks::NONE, |found, member| {
        found.with(member, watermark(history, member, submitted, event))
    })
}

fn watermark<H: History + ?Sized>(
    history: &H,
    member: usize,
    submitted: usize,
    event: Event,
) -> Event {
    let mut end = submitted;

    // Entries are ordered by submit event: the first one found from the end is the largest.
    while let Some(index) = history.newest_flush(0..end, member) {
        if let Some(entry) = history.entry(index) {
            if entry.flush_complete().is_some_and(|done| done <= event) {
                return entry.submit;
            }
        }
        end = index;
    }
    0
}
