// SPDX-License-Identifier: GPL-2.0

//! A record: what happened to a disk since `record start`, in order.
//!
//! It numbers events, keeps the log and the marks, counts its memory, and ends
//! early rather than leave something out. The data of the writes is in the store.

mod import;
mod lists;
mod log;
mod packed;
mod submitters;
#[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
mod tests;
mod write;

pub(crate) use packed::ENTRY_BYTES;
pub(crate) use submitters::{
    stack_hash,
    Submitter, //
};
pub(crate) use write::Write;

use crate::{
    block::{
        task::TaskId,
        Flags, //
    },
    fault::Kinds,
    model,
    nowait::NoWait, //
};
use core::ops::Range;
use kernel::{
    prelude::*,
    time::{
        Instant,
        Monotonic, //
    }, //
};
use lists::Lists;
use log::Log;
use submitters::Submitters;

/// The longest mark, in bytes.
pub(crate) const MARK_MAX_BYTES: usize = 1024;

/// Whether `text` can be a mark.
pub(crate) fn is_mark_text(text: &[u8]) -> bool {
    (1..=MARK_MAX_BYTES).contains(&text.len()) && !text.contains(&0)
}

/// Where and why a log ended early.
#[derive(Clone, Copy)]
pub(crate) struct Truncation {
    /// The event that could not be recorded.
    pub(crate) event: u64,
    /// What the I/O that caused it, and all later ones, fail with.
    pub(crate) error: Error,
}

/// Where an entry comes from.
#[derive(Clone, Copy)]
pub(crate) enum Origin {
    /// The current task submits a bio, or a mark.
    Submit {
        /// Whether it is complete at once.
        is_done: bool,
    },
    /// It was written elsewhere, and has its events.
    Import {
        /// Who issued it there.
        submitter: Submitter,
    },
}

/// What happened to a disk since its record began.
pub(crate) struct Record {
    log: Log,
    submitters: Submitters,
    marks: KVVec<KVVec<u8>>,
    lists: Lists,
    geometry: model::Geometry,
    began: Instant<Monotonic>,
    last_event: u64,
    bytes: u64,
    limit_bytes: u64,
    truncated: Option<Truncation>,
    /// Whether a bio was ever submitted while another was in flight.
    has_overlaps: bool,
    /// Tells this record from others, to those who come back to it.
    generation: u64,
    /// The faults that its I/O met.
    faults: Kinds,
    /// What discarded sectors hold follows from this; without, they are zeroes.
    garbage: Option<u64>,
}

impl Record {
    /// An empty record that may take `limit_bytes` of memory (0: any).
    pub(crate) fn new(geometry: model::Geometry, limit_bytes: u64, generation: u64) -> Self {
        Self {
            log: Log::new(),
            submitters: Submitters::new(),
            marks: KVVec::new(),
            lists: Lists::new(),
            geometry,
            began: Instant::now(),
            last_event: 0,
            bytes: 0,
            limit_bytes,
            truncated: None,
            has_overlaps: false,
            generation,
            faults: Kinds::default(),
            garbage: None,
        }
    }

    /// The memory it takes, in bytes, data included.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes + self.log.times_bytes()
    }

    /// Whether a bio was ever submitted while another was in flight.
    pub(crate) fn has_overlaps(&self) -> bool {
        self.has_overlaps
    }

    /// The number of marks.
    pub(crate) fn nr_marks(&self) -> usize {
        self.marks.len()
    }

    /// Where it ended early, if it did.
    pub(crate) fn truncated(&self) -> Option<Truncation> {
        self.truncated
    }

    /// A number that no other record of this disk has.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The faults that its I/O met, that which is not in the log, too.
    pub(crate) fn faults(&self) -> Kinds {
        self.faults
    }

    /// What discarded sectors hold follows from this; without, they are zeroes.
    pub(crate) fn garbage(&self) -> Option<u64> {
        self.garbage
    }

    /// Sets that, before anything is discarded.
    pub(crate) fn set_garbage(&mut self, seed: Option<u64>) {
        self.garbage = seed;
    }

    /// I/O met faults that leave nothing in the log.
    pub(crate) fn met(&mut self, faults: Kinds) {
        self.faults |= faults;
    }

    /// The entry of that index.
    pub(crate) fn log_entry(&self, index: usize) -> Option<Write> {
        self.log.get(index)
    }

    /// The index of the `n`-th of the writes of zeroes and discards that may have been in flight at
    /// the newest submit, oldest first.
    pub(crate) fn unsettled_zeroes(&self, n: usize) -> Option<u32> {
        self.lists.zeroes_from(self.log.settled_len(), n)
    }

    /// Who issued an entry.
    pub(crate) fn submitter(&self, write: &Write) -> Submitter {
        self.submitters.get(write.submitter)
    }

    /// The text of the mark that an entry is.
    pub(crate) fn mark_text(&self, write: &Write) -> Option<&[u8]> {
        if write.entry.op != model::Op::Mark {
            return None;
        }
        self.marks
            .get(usize::try_from(write.entry.sector).ok()?)
            .map(|text| text.as_slice())
    }

    /// Ends the log before the next event, because of `error`, and returns it.
    pub(crate) fn truncate(&mut self, error: Error) -> Error {
        match self.truncated {
            Some(truncated) => truncated.error,
            None => {
                self.truncated = Some(Truncation {
                    event: self.last_event + 1,
                    error,
                });
                error
            }
        }
    }

    /// Ends the log because of `error`, unless what failed may come again: [`EAGAIN`] then.
    pub(crate) fn fail(&mut self, error: Error, nowait: NoWait) -> Error {
        match nowait {
            NoWait(false) => self.truncate(error),
            NoWait(true) => EAGAIN,
        }
    }

    /// The index that the next entry will have.
    pub(crate) fn next_index(&self) -> Result<u32> {
        Ok(u32::try_from(self.log.len())?)
    }

    /// Appends an entry with `data_bytes` of memory beside it, once `store`, which is given its
    /// index, has put its data in place: both are done, or neither. If they are not, the log ends
    /// here, unless it may come again. Returns its index.
    pub(crate) fn push(
        &mut self,
        write: &mut Write,
        origin: Origin,
        data_bytes: u64,
        store: impl FnOnce(u32) -> Result,
    ) -> Result<u32> {
        match origin {
            Origin::Submit { is_done } => {
                write.submit(self.next_event()?);
                if is_done {
                    write.complete_at_once();
                }
                write.submit_ns = self.now_ns();
                let submitter = Submitter {
                    task: TaskId::current(),
                    stack: write.stack,
                };
                let index = self.submitters.index_of(submitter, write.nowait);
                write.submitter = index.map_err(|error| self.fail(error, write.nowait))?;
            }
            Origin::Import { submitter } => self.check_next(write, submitter)?,
        }
        let bytes = self
            .bytes()
            .saturating_add(data_bytes)
            .saturating_add(ENTRY_BYTES as u64);
        let is_full = self.limit_bytes != 0 && bytes > self.limit_bytes;
        let index = u32::try_from(self.log.len()).unwrap_or(u32::MAX);
        // That one stands for something else in the store.
        if is_full || index == u32::MAX {
            return Err(self.truncate(ENOSPC));
        }
        let members = &self.geometry.members;
        // Most writes are on none.
        let is_listed = write.promises() || write.is_zeroes();
        let room = if is_listed {
            self.lists.reserve(write, members)
        } else {
            Ok(())
        };
        let pushed = room.and_then(|()| self.log.push(write, || store(index)));
        let overlaps = pushed.map_err(|error| self.fail(error, write.nowait))?;
        if is_listed {
            self.lists.put(write, index, &self.geometry.members)?;
        }
        self.has_overlaps |= overlaps;
        self.faults |= write.faults;
        self.last_event = self.last_event.max(write.newest_event());
        self.bytes += data_bytes + ENTRY_BYTES as u64;
        Ok(index)
    }

    /// A bio that flushes first is done with that: its own data starts.
    pub(crate) fn start_bio(&mut self, index: u32) -> Result {
        let event = self.next_event()?;
        let result = self
            .log
            .update(index as usize, |write| write.entry.start = event);
        result.map_err(|error| self.truncate(error))?;
        self.last_event = event;
        Ok(())
    }

    /// A bio is complete.
    pub(crate) fn complete_bio(&mut self, index: u32) -> Result {
        let event = self.next_event()?;
        let now_ns = self.now_ns();
        let result = self.log.update(index as usize, |write| {
            write.duration_ns = u32::try_from(now_ns - write.submit_ns).unwrap_or(u32::MAX);
            write.entry.complete = event;
        });
        result.map_err(|error| self.truncate(error))?;
        self.last_event = event;
        Ok(())
    }

    /// A bio is complete already: its events follow its submit.
    pub(crate) fn complete_bio_inline(&mut self, index: u32) -> Result {
        // If the log ended early, there are none.
        self.next_event()?;
        let finished = self.log.finish(index as usize, self.last_event);
        self.last_event = finished.map_err(|error| self.truncate(error))?;
        Ok(())
    }

    /// The number of the next event. If the log ended early, the error it ended with.
    fn next_event(&self) -> Result<u64> {
        match self.truncated {
            Some(truncated) => Err(truncated.error),
            None => Ok(self.last_event + 1),
        }
    }

    /// Appends a mark.
    pub(crate) fn push_mark(&mut self, text: &[u8]) -> Result<u32> {
        let mut mark = Write::new(model::Op::Mark, Flags::default(), 0, 0);
        self.push_text(&mut mark, Origin::Submit { is_done: false }, text)
    }

    /// Appends a mark from anywhere.
    fn push_text(&mut self, mark: &mut Write, origin: Origin, text: &[u8]) -> Result<u32> {
        if !is_mark_text(text) {
            return Err(EINVAL);
        }
        self.next_event()?;
        let flags = GFP_KERNEL | __GFP_NOWARN;
        let mut copy = KVVec::new();
        let added = copy
            .extend_from_slice(text, flags)
            .and_then(|()| self.marks.push(copy, flags));
        added.map_err(|_| self.truncate(ENOMEM))?;
        mark.entry.sector = self.marks.len() as u64 - 1;
        let pushed = self.push(mark, origin, text.len() as u64, |_| Ok(()));
        if pushed.is_err() {
            let _text = self.marks.pop();
        }
        pushed
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(0)
    }
}

impl model::History for Record {
    fn geometry(&self) -> model::Geometry {
        self.geometry
    }

    fn nr_entries(&self) -> usize {
        self.log.len()
    }

    fn entry(&self, index: usize) -> Option<model::Entry> {
        self.log.get(index).map(Write::to_model)
    }

    fn last_event(&self) -> u64 {
        self.last_event
    }

    fn submitted_by(&self, event: u64) -> usize {
        self.log.submitted_by(event)
    }

    fn first_completing_after(&self, event: u64) -> usize {
        self.log
            .first_completing_after(event, self.submitted_by(event))
    }

    fn newest_flush(&self, within: Range<usize>, member: usize) -> Option<usize> {
        self.lists.newest_flush(within, member)
    }

    fn newest_fua(&self, within: Range<usize>) -> Option<usize> {
        self.lists.newest_fua(within)
    }
}
