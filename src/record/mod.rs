// SPDX-License-Identifier: GPL-2.0

//! A record: what happened to a disk since `record start`, in order.
//!
//! It numbers events, keeps the log and the marks, counts its memory, and ends
//! early rather than leave something out. The data of the writes is in the store.

mod import;
mod log;
mod packed;
mod tasks;
#[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
mod tests;
mod write;

pub(crate) use packed::ENTRY_BYTES;
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

/// An entry that there is room for.
pub(crate) struct Prepared {
    log: log::Prepared,
    /// The memory that goes with it in bytes.
    data_bytes: u64,
    newest_event: u64,
    faults: Kinds,
    is_zeroes: bool,
    /// The member that it flushes.
    flushes: Option<usize>,
    is_fua: bool,
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
    /// The writes of zeroes and discards that were done, by index.
    zeroes: KVVec<u32>,
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
            tasks: Tasks::new(),
            marks: KVVec::new(),
            flushes: [const { KVVec::new() }; model::MAX_MEMBERS],
            fua_writes: KVVec::new(),
            zeroes: KVVec::new(),
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
        let settled_len = self.log.settled_len();
        let first = self
            .zeroes
            .partition_point(|index| (*index as usize) < settled_len);
        self.zeroes.get(first + n).copied()
    }

    /// Who issued an entry.
    pub(crate) fn task(&self, write: &Write) -> TaskId {
        self.tasks.get(write.task)
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

    /// Makes sure that an entry, and `data_bytes` of memory beside it, fit: what is left to do is
    /// [`Self::push`]. If not, the log ends here.
    fn reserve(&mut self, write: &Write, data_bytes: u64) -> Result<Prepared> {
        let bytes = self
            .bytes()
            .saturating_add(data_bytes)
            .saturating_add(ENTRY_BYTES as u64);
        let is_full = self.limit_bytes != 0 && bytes > self.limit_bytes;
        if is_full || u32::try_from(self.log.len() + 1).is_err() {
            return Err(self.truncate(ENOSPC));
        }
        let reserved = self.reserve_lists(write);
        match reserved.and_then(|()| self.log.prepare(write, write.nowait)) {
            Ok(log) => Ok(self.prepared(write, log, data_bytes)),
            Err(error) => Err(self.fail(error, write.nowait)),
        }
    }

    fn prepared(&self, write: &Write, log: log::Prepared, data_bytes: u64) -> Prepared {
        let mut prepared = Prepared {
            log,
            data_bytes,
            newest_event: write.newest_event(),
            faults: write.faults,
            is_zeroes: write.is_zeroes(),
            flushes: None,
            is_fua: false,
        };
        if write.promises() {
            let entry = write.to_model();
            let member = || self.geometry.members.of(entry.sector);
            prepared.flushes = entry.flush_complete().map(|_| member());
            prepared.is_fua = entry.is_write() && entry.fua;
        }
        prepared
    }

    /// Room in the lists that an entry may have to be on.
    fn reserve_lists(&mut self, write: &Write) -> Result {
        let flags = write.nowait.gfp();
        if write.promises() {
            let flushes = self.flushes.iter_mut();
            for list in flushes.take(self.geometry.members.count()) {
                list.reserve(1, flags)?;
            }
            self.fua_writes.reserve(1, flags)?;
        }
        if write.is_zeroes() {
            self.zeroes.reserve(1, flags)?;
        }
        Ok(())
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

    /// Prepares the entry of what the current task submits, with data that takes so much memory;
    /// `is_done`: it is complete at once.
    pub(crate) fn prepare(
        &mut self,
        write: &Write,
        data_bytes: u64,
        is_done: bool,
    ) -> Result<Prepared> {
        let mut write = write.submitted(self.next_event()?);
        if is_done {
            write = write.completed();
        }
        write.submit_ns = self.now_ns();
        write.task = self
            .tasks
            .index_of(TaskId::current(), write.nowait)
            .map_err(|error| self.fail(error, write.nowait))?;
        self.reserve(&write, data_bytes)
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
    pub(crate) fn push_mark(&mut self, text: &[u8]) -> Result {
        if !is_mark_text(text) {
            return Err(EINVAL);
        }
        let mut mark = Write::new(model::Op::Mark, Flags::default(), 0, 0);
        mark = mark.submitted(self.next_event()?);
        mark.submit_ns = self.now_ns();
        mark.task = self
            .tasks
            .index_of(TaskId::current(), mark.nowait)
            .map_err(|error| self.truncate(error))?;
        let prepared = self.prepare_mark(mark, text)?;
        self.push(prepared)?;
        Ok(())
    }

    /// Prepares a mark. Its text is kept from here on.
    fn prepare_mark(&mut self, mut mark: Write, text: &[u8]) -> Result<Prepared> {
        mark.entry.sector = self.marks.len() as u64;
        let prepared = self.reserve(&mark, text.len() as u64)?;
        let flags = GFP_KERNEL | __GFP_NOWARN;
        let mut copy = KVVec::new();
        let added = copy
            .extend_from_slice(text, flags)
            .and_then(|()| self.marks.push(copy, flags));
        if added.is_err() {
            return Err(self.truncate(ENOMEM));
        }
        Ok(prepared)
    }

    /// Appends an entry that was prepared just before. Returns its index.
    pub(crate) fn push(&mut self, prepared: Prepared) -> Result<u32> {
        let index = self.next_index()?;
        let overlaps = self.log.push(prepared.log);
        self.has_overlaps |= overlaps.map_err(|error| self.truncate(error))?;
        self.faults |= prepared.faults;
        self.last_event = self.last_event.max(prepared.newest_event);
        self.bytes += prepared.data_bytes + ENTRY_BYTES as u64;
        if prepared.is_zeroes {
            put(&mut self.zeroes, index)?;
        }
        if let Some(list) = prepared.flushes.and_then(|of| self.flushes.get_mut(of)) {
            put(list, index)?;
        }
        if prepared.is_fua {
            put(&mut self.fua_writes, index)?;
        }
        Ok(index)
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
        newest(self.flushes.get(member)?, within)
    }

    fn newest_fua(&self, within: Range<usize>) -> Option<usize> {
        newest(&self.fua_writes, within)
    }
}

/// Appends an index to a list that has room.
fn put(list: &mut KVVec<u32>, index: u32) -> Result {
    list.push_within_capacity(index).map_err(|_| ENOMEM)
}

/// The highest of `indices`, which ascend, in `within`.
fn newest(indices: &[u32], within: Range<usize>) -> Option<usize> {
    let end = indices.partition_point(|index| (*index as usize) < within.end);
    let index = *indices.get(end.checked_sub(1)?)? as usize;
    (index >= within.start).then_some(index)
}
