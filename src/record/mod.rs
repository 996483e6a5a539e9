// SPDX-License-Identifier: GPL-2.0

//! A record: what happened to a disk since `record start`, in order.
//!
//! It numbers events, keeps the log and the marks, counts its memory, and ends
//! early rather than leave something out. The data of the writes is in the store.

mod log;
mod tasks;
#[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
mod tests;

pub(crate) use log::{
    LogEntry,
    ENTRY_BYTES, //
};

use crate::{
    block::{
        task::TaskId,
        Flags, //
    },
    fault::{
        Kinds,
        Met, //
    },
    model, //
};
use core::ops::Range;
use kernel::{
    prelude::*,
    time::{
        Instant,
        Monotonic, //
    }, //
};
use log::Log;
use tasks::Tasks;

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

/// What happened to a disk since its record began.
pub(crate) struct Record {
    log: Log,
    tasks: Tasks,
    marks: KVVec<KVVec<u8>>,
    /// The entries that flush, by index, for each member.
    flushes: [KVVec<u32>; model::MAX_MEMBERS],
    /// The writes with FUA, by index.
    fua_writes: KVVec<u32>,
    geometry: model::Geometry,
    began: Instant<Monotonic>,
    last_event: u64,
    bytes: u64,
    limit_bytes: u64,
    truncated: Option<Truncation>,
    is_recording: bool,
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
            tasks: Tasks::new(),
            marks: KVVec::new(),
            flushes: [const { KVVec::new() }; model::MAX_MEMBERS],
            fua_writes: KVVec::new(),
            geometry,
            began: Instant::now(),
            last_event: 0,
            bytes: 0,
            limit_bytes,
            truncated: None,
            is_recording: true,
            has_overlaps: false,
            generation,
            faults: Kinds::default(),
            garbage: None,
        }
    }

    /// Whether it is still being written.
    pub(crate) fn is_recording(&self) -> bool {
        self.is_recording
    }

    /// Ends it: from now on it does not change.
    pub(crate) fn stop(&mut self) {
        self.is_recording = false;
    }

    /// The memory it takes, in bytes, data included.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
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
    pub(crate) fn log_entry(&self, index: usize) -> Option<LogEntry> {
        self.log.get(index)
    }

    /// The indices that what was in flight at the newest submit lies in; others may lie
    /// there too.
    pub(crate) fn unsettled(&self) -> core::ops::Range<usize> {
        self.log.settled_len()..self.log.len()
    }

    /// Who issued an entry.
    pub(crate) fn task(&self, entry: &LogEntry) -> TaskId {
        self.tasks.get(entry.task)
    }

    /// The text of the mark that an entry is.
    pub(crate) fn mark_text(&self, entry: &LogEntry) -> Option<&[u8]> {
        if entry.op != model::Op::Mark {
            return None;
        }
        self.marks
            .get(usize::try_from(entry.sector).ok()?)
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

    /// Takes over where the log that this one was rebuilt from ended early; 0: it
    /// didn't.
    pub(crate) fn imported_truncation(&mut self, event: u64) {
        if event != 0 {
            self.truncated = Some(Truncation { event, error: EIO });
        }
    }

    /// Makes sure that one more entry, and `data_bytes` of memory beside it, fit.
    /// If not, or if the log ended early before, it is truncated from here on.
    pub(crate) fn reserve(&mut self, data_bytes: u64) -> Result {
        if let Some(truncated) = self.truncated {
            return Err(truncated.error);
        }
        let bytes = self
            .bytes
            .saturating_add(data_bytes)
            .saturating_add(ENTRY_BYTES as u64);
        if self.limit_bytes != 0 && bytes > self.limit_bytes {
            return Err(self.truncate(ENOSPC));
        }
        if u32::try_from(self.log.len() + 1).is_err() {
            return Err(self.truncate(ENOSPC));
        }
        let flags = GFP_KERNEL | __GFP_NOWARN;
        let reserved = self.log.reserve().and_then(|()| {
            let flushes = self.flushes.iter_mut();
            for list in flushes.take(self.geometry.members.count()) {
                list.reserve(1, flags)?;
            }
            Ok(self.fua_writes.reserve(1, flags)?)
        });
        reserved.map_err(|error| self.truncate(error))
    }

    /// The index that the next entry will have.
    pub(crate) fn next_index(&self) -> Result<u32> {
        Ok(u32::try_from(self.log.len())?)
    }

    /// Appends a bio that is being submitted, for which [`Self::reserve`] was called,
    /// with the memory it takes and the faults that it met. Returns its index.
    pub(crate) fn push_bio(
        &mut self,
        op: model::Op,
        flags: Flags,
        sector: u64,
        nr_sectors: u32,
        data_bytes: u64,
        met: Met,
    ) -> Result<u32> {
        let task = self
            .tasks
            .index_of(TaskId::current())
            .map_err(|error| self.truncate(error))?;
        let index = self.next_index()?;
        let entry = LogEntry {
            sector,
            submit_ns: self.now_ns(),
            nr_sectors,
            task,
            faults: met.kinds,
            asked: met.asked,
            ..LogEntry::new(op, flags, self.last_event + 1)
        };
        self.push(entry, data_bytes)?;
        Ok(index)
    }

    /// A bio that flushes first is done with that: its own data starts.
    pub(crate) fn start_bio(&mut self, index: u32) -> Result {
        let event = self.next_event()?;
        let result = self
            .log
            .update(index as usize, |entry| entry.set_start(event));
        result.map_err(|error| self.truncate(error))?;
        self.last_event = event;
        Ok(())
    }

    /// A bio is complete.
    pub(crate) fn complete_bio(&mut self, index: u32) -> Result {
        let event = self.next_event()?;
        let now_ns = self.now_ns();
        let result = self.log.update(index as usize, |entry| {
            entry.duration_ns = u32::try_from(now_ns - entry.submit_ns).unwrap_or(u32::MAX);
            entry.set_complete(event)
        });
        result.map_err(|error| self.truncate(error))?;
        self.last_event = event;
        Ok(())
    }

    /// A bio is complete already: its events follow its submit.
    pub(crate) fn complete_bio_inline(&mut self, index: u32) -> Result {
        let is_started = match self.log_entry(index as usize) {
            Some(entry) => entry.start() != model::IN_FLIGHT,
            None => return Err(EINVAL),
        };
        if !is_started {
            self.start_bio(index)?;
        }
        let event = self.next_event()?;
        self.log
            .update(index as usize, |entry| entry.set_complete(event))?;
        self.last_event = event;
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
    pub(crate) fn push_mark(&mut self, text: &[u8]) -> Result {
        if !is_mark_text(text) {
            return Err(EINVAL);
        }
        self.reserve(text.len() as u64)?;
        let task = self
            .tasks
            .index_of(TaskId::current())
            .map_err(|error| self.truncate(error))?;
        let entry = LogEntry {
            submit_ns: self.now_ns(),
            task,
            ..LogEntry::new(model::Op::Mark, Flags::default(), self.last_event + 1)
        };
        self.push_marked(entry, text)
    }

    /// Appends an entry made elsewhere, with its own task, text (of a mark) and
    /// events. [`EINVAL`] if it can't follow the one before; whether all events were
    /// there in the end: [`Self::check_import`].
    pub(crate) fn import(
        &mut self,
        mut entry: LogEntry,
        task: TaskId,
        text: &[u8],
        data_bytes: u64,
    ) -> Result {
        let is_mark = entry.op == model::Op::Mark;
        let previous = self.log.len().checked_sub(1);
        let previous = previous.and_then(|index| self.log_entry(index));
        let is_next = entry.submit > previous.map_or(0, |entry| entry.submit);
        if !is_next || (is_mark && !is_mark_text(text)) {
            return Err(EINVAL);
        }
        let text_bytes = if is_mark { text.len() as u64 } else { 0 };
        self.reserve(data_bytes.saturating_add(text_bytes))?;
        entry.task = self.tasks.index_of(task)?;
        if is_mark {
            self.push_marked(entry, text)
        } else {
            self.push(entry, data_bytes)
        }
    }

    /// Whether the events of all entries that were imported are those up to the
    /// newest, each of them once. [`EINVAL`] if not.
    pub(crate) fn check_import(&self) -> Result {
        // No entry has more than three.
        if self.last_event > self.log.len() as u64 * 3 {
            return Err(EINVAL);
        }
        let mut seen = KVVec::zeroed(usize::try_from(self.last_event)?, GFP_KERNEL)?;
        let mut nr_seen = 0;
        for index in 0..self.log.len() {
            let entry = self.log_entry(index).ok_or(EINVAL)?;
            let mut previous = 0;
            for event in [entry.submit, entry.start(), entry.complete()] {
                if event == previous || event == model::IN_FLIGHT {
                    continue;
                }
                previous = event;
                let slot = usize::try_from(event)?.checked_sub(1);
                let seen = slot.and_then(|slot| seen.get_mut(slot)).ok_or(EINVAL)?;
                if core::mem::replace(seen, 1u8) != 0 {
                    return Err(EINVAL);
                }
                nr_seen += 1;
            }
        }
        if nr_seen == self.last_event {
            Ok(())
        } else {
            Err(EINVAL)
        }
    }

    fn push_marked(&mut self, mut entry: LogEntry, text: &[u8]) -> Result {
        let flags = GFP_KERNEL | __GFP_NOWARN;
        let mut copy = KVVec::new();
        let added = copy
            .extend_from_slice(text, flags)
            .and_then(|()| self.marks.push(copy, flags));
        if added.is_err() {
            return Err(self.truncate(ENOMEM));
        }
        entry.sector = (self.marks.len() - 1) as u64;
        self.push(entry, text.len() as u64)
    }

    fn push(&mut self, entry: LogEntry, data_bytes: u64) -> Result {
        let newest = [entry.submit, entry.start(), entry.complete()];
        let newest = newest
            .into_iter()
            .filter(|event| *event != model::IN_FLIGHT);
        let index = self.next_index()?;
        self.faults |= entry.faults;
        let overlaps = self.log.push(entry);
        self.has_overlaps |= overlaps.map_err(|error| self.truncate(error))?;
        let entry = entry.to_model();
        let member = self.geometry.members.of(entry.sector);
        let flushes = entry.flush_complete();
        let flushes = flushes.and_then(|_| self.flushes.get_mut(member));
        let fua_writes = (entry.is_write() && entry.fua).then_some(&mut self.fua_writes);
        for list in [flushes, fua_writes].into_iter().flatten() {
            list.push_within_capacity(index).map_err(|_| ENOMEM)?;
        }
        self.last_event = newest.fold(self.last_event, u64::max);
        self.bytes += data_bytes + ENTRY_BYTES as u64;
        Ok(())
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
        self.log.get(index).map(LogEntry::to_model)
    }

    fn last_event(&self) -> u64 {
        self.last_event
    }

    fn first_completing_after(&self, event: u64) -> usize {
        self.log
            .first_completing_after(event, self.submitted_by(event))
    }

    fn newest_flush(&self, within: Range<usize>, member: usize) -> Option<usize> {
        newest(self.flushes.get(member)?, within)
    }

    fn newest_fua(&self, within: Range<usize>) -> Option<usize> {
        newest(&self.fua_writes, within)
    }
}

/// The highest of `indices`, which ascend, in `within`.
fn newest(indices: &[u32], within: Range<usize>) -> Option<usize> {
    let end = indices.partition_point(|index| (*index as usize) < within.end);
    let index = *indices.get(end.checked_sub(1)?)? as usize;
    (index >= within.start).then_some(index)
}
