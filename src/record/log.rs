// SPDX-License-Identifier: GPL-2.0

//! The log of a record: one entry per bio or mark, in the order of their submits.

use super::packed::{
    Packed,
    Times,
    ENTRY_BYTES,
    TIMES_BYTES, //
};
use crate::{
    block::Flags,
    fault::Kinds,
    model,
    nowait::NoWait, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// How many events after an entry's submit something happened; or not yet.
pub(super) type After = u32;

pub(super) const NOT_YET: After = After::MAX;

/// One bio or mark.
#[derive(Clone, Copy)]
pub(crate) struct LogEntry {
    /// Its submit event.
    pub(crate) submit: u64,
    /// Its first sector (512 bytes); of a mark, the index of its text.
    pub(crate) sector: u64,
    /// When it was submitted, ns since the record began.
    pub(crate) submit_ns: u64,
    /// When its own data started.
    pub(super) start_after: After,
    /// When it was complete.
    pub(super) complete_after: After,
    /// How long it took, in ns.
    pub(crate) duration_ns: u32,
    /// Its length in sectors.
    pub(crate) nr_sectors: u32,
    /// Index of who issued it in the table of tasks.
    pub(crate) task: u32,
    /// What it is.
    pub(crate) op: model::Op,
    /// Its flags.
    pub(crate) flags: Flags,
    /// The faults that it met.
    pub(crate) faults: Kinds,
    /// The first sector that it was for, if it was misdirected.
    pub(crate) asked: u64,
}

impl LogEntry {
    /// An entry that was submitted just now: started, unless it flushes first, and
    /// not complete, unless it is a mark.
    pub(crate) fn new(op: model::Op, flags: Flags, submit: u64) -> Self {
        let is_mark = op == model::Op::Mark;
        let starts_later = op.is_write() && flags.contains(Flags::PREFLUSH);
        Self {
            submit,
            sector: 0,
            submit_ns: 0,
            start_after: if starts_later { NOT_YET } else { 0 },
            complete_after: if is_mark { 0 } else { NOT_YET },
            duration_ns: 0,
            nr_sectors: 0,
            task: 0,
            op,
            flags,
            faults: Kinds::default(),
            asked: 0,
        }
    }

    /// The event at which its own data started, [`model::IN_FLIGHT`] before that.
    pub(crate) fn start(&self) -> u64 {
        self.event(self.start_after)
    }

    /// Its complete event, [`model::IN_FLIGHT`] before that.
    pub(crate) fn complete(&self) -> u64 {
        self.event(self.complete_after)
    }

    /// Whether it is a write of zeroes or a discard that was done.
    pub(crate) fn is_zeroes(&self) -> bool {
        matches!(self.op, model::Op::WriteZeroes | model::Op::Discard)
            && !self.faults.contains(Kinds::LOST)
    }

    /// The last of its events so far.
    pub(crate) fn newest_event(&self) -> u64 {
        match (self.start_after, self.complete_after) {
            (NOT_YET, _) => self.submit,
            (_, NOT_YET) => self.start(),
            _ => self.complete(),
        }
    }

    /// It was submitted just now and is complete: its events follow each other.
    pub(super) fn finish(&mut self) {
        if self.start_after == NOT_YET {
            self.start_after = 1;
        }
        self.complete_after = self.start_after + 1;
    }

    /// Its own data starts at `event`. [`EOVERFLOW`] if that is too far from its submit.
    pub(crate) fn set_start(&mut self, event: u64) -> Result {
        self.start_after = self.after(event)?;
        Ok(())
    }

    /// It is complete at `event`, likewise.
    pub(crate) fn set_complete(&mut self, event: u64) -> Result {
        self.complete_after = self.after(event)?;
        Ok(())
    }

    fn event(&self, after: u32) -> u64 {
        match after {
            NOT_YET => model::IN_FLIGHT,
            after => self.submit.saturating_add(u64::from(after)),
        }
    }

    fn after(&self, event: u64) -> Result<u32> {
        if event == model::IN_FLIGHT {
            return Ok(NOT_YET);
        }
        let after = event.checked_sub(self.submit).ok_or(EINVAL)?;
        let after = u32::try_from(after).map_err(|_| EOVERFLOW)?;
        if after == NOT_YET {
            return Err(EOVERFLOW);
        }
        Ok(after)
    }

    /// What the model needs of it: of a fault, what it left.
    pub(crate) fn to_model(self) -> model::Entry {
        let is_mark = self.op == model::Op::Mark;
        let is_lost = self.faults.contains(Kinds::LOST);
        let is_fua_ignored = self.faults.contains(Kinds::FUA_IGNORED);
        model::Entry {
            op: self.op,
            preflush: self.flags.contains(Flags::PREFLUSH),
            fua: self.flags.contains(Flags::FUA) && !is_fua_ignored,
            lied: self.faults.contains(Kinds::LIED),
            sector: if is_mark { 0 } else { self.sector },
            nr_sectors: if is_lost { 0 } else { self.nr_sectors },
            submit: self.submit,
            start: self.start(),
            complete: self.complete(),
        }
    }
}

/// Entries in a chunk: as many as fit a page of memory.
pub(super) const CHUNK_ENTRIES: usize = PAGE_SIZE / ENTRY_BYTES;

struct Chunk {
    entries: KVec<Packed>,
    /// All entries before this index were complete when the first one of the chunk
    /// was submitted.
    settled_len: usize,
}

/// The faults that an entry met.
struct Faulty {
    index: usize,
    kinds: Kinds,
    asked: u64,
}

/// An entry that there is room for.
pub(super) struct Prepared {
    packed: Packed,
    /// If they are to be kept.
    times: Option<Times>,
    faulty: Option<Faulty>,
}

/// The entries, in chunks so that a long log never has to be copied to grow.
pub(crate) struct Log {
    chunks: KVVec<Chunk>,
    /// Of those that were not complete at once.
    times: KVVec<Times>,
    /// Of those that met faults, by index.
    faulty: KVVec<Faulty>,
    len: usize,
    /// All entries before this index are complete, or were when the newest was submitted.
    settled_len: usize,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self {
            chunks: KVVec::new(),
            times: KVVec::new(),
            faulty: KVVec::new(),
            len: 0,
            settled_len: 0,
        }
    }

    /// The number of entries.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn packed(&self, index: usize) -> Option<&Packed> {
        let chunk = self.chunks.get(index / CHUNK_ENTRIES)?;
        chunk.entries.get(index % CHUNK_ENTRIES)
    }

    /// The times of an entry, if they are kept.
    fn times(&self, packed: &Packed) -> Option<&Times> {
        self.times.get(packed.times()?)
    }

    fn is_complete_by(&self, packed: &Packed, event: u64) -> bool {
        packed.is_complete_by(event, self.times(packed))
    }

    /// The memory that the times take that are kept, in bytes.
    pub(crate) fn times_bytes(&self) -> u64 {
        (self.times.len() * TIMES_BYTES) as u64
    }

    /// The entry of that index.
    pub(crate) fn get(&self, index: usize) -> Option<LogEntry> {
        let packed = self.packed(index)?;
        let mut entry = packed.unpack(self.times(packed))?;
        if packed.is_faulty() {
            let at = self.faulty.partition_point(|other| other.index < index);
            let faulty = self.faulty.get(at)?;
            entry.faults = faulty.kinds;
            entry.asked = faulty.asked;
        }
        Some(entry)
    }

    /// Has `f` change the times of the entry of that index, which was not complete at once,
    /// unless it fails.
    pub(crate) fn update(
        &mut self,
        index: usize,
        f: impl FnOnce(&mut LogEntry) -> Result,
    ) -> Result {
        let place = self.packed(index).and_then(Packed::times);
        let mut entry = self.get(index).ok_or(EINVAL)?;
        f(&mut entry)?;
        *self.times.get_mut(place.ok_or(EINVAL)?).ok_or(EINVAL)? = Times::of(&entry);
        Ok(())
    }

    /// The events of an entry that are still to come follow `event`, the newest so far.
    /// Returns the last of them.
    pub(crate) fn finish(&mut self, index: usize, event: u64) -> Result<u64> {
        let chunk = self.chunks.get_mut(index / CHUNK_ENTRIES).ok_or(EINVAL)?;
        let packed = chunk.entries.get_mut(index % CHUNK_ENTRIES);
        let packed = packed.ok_or(EINVAL)?;
        let place = packed.times().ok_or(EINVAL)?;
        let times = self.times.get_mut(place).ok_or(EINVAL)?;
        let after = event.checked_sub(packed.submit()).ok_or(EINVAL)?;
        let mut after = u32::try_from(after).map_err(|_| EOVERFLOW)?;
        for slot in [&mut times.start_after, &mut times.complete_after] {
            if *slot == NOT_YET {
                after = after.checked_add(1).ok_or(EOVERFLOW)?;
                if after == NOT_YET {
                    return Err(EOVERFLOW);
                }
                *slot = after;
            }
        }
        let newest = packed.submit() + u64::from(after);
        let at_once = packed.op_and_flags();
        let at_once = at_once.map(|(op, flags)| Times::at_once(op, flags));
        if at_once == Some(*times) && place + 1 == self.times.len() {
            packed.forget_times();
            let _times = self.times.pop();
        }
        // Whatever is submitted from now on comes after that.
        if self.settled_len == index {
            self.settled_len += 1;
        }
        Ok(newest)
    }

    /// Entries before this index are complete, or were when the newest was submitted.
    pub(crate) fn settled_len(&self) -> usize {
        self.settled_len
    }

    /// Makes room for an entry, so that to [`Self::push`] it next can't fail.
    pub(super) fn prepare(&mut self, entry: LogEntry, nowait: NoWait) -> Result<Prepared> {
        let flags = nowait.gfp();
        if self.len % CHUNK_ENTRIES == 0 && self.chunks.len() == self.len / CHUNK_ENTRIES {
            let entries = KVec::with_capacity(CHUNK_ENTRIES, flags)?;
            let chunk = Chunk {
                entries,
                settled_len: 0,
            };
            self.chunks.push(chunk, flags)?;
        }
        let times = Times::of(&entry);
        let is_at_once = times == Times::at_once(entry.op, entry.flags);
        if !is_at_once {
            self.times.reserve(1, flags)?;
        }
        let faulty = (!entry.faults.is_empty()).then_some(Faulty {
            index: self.len,
            kinds: entry.faults,
            asked: entry.asked,
        });
        if faulty.is_some() {
            self.faulty.reserve(1, flags)?;
        }
        let place = (!is_at_once).then_some(self.times.len());
        Ok(Prepared {
            packed: Packed::new(&entry, place)?,
            times: (!is_at_once).then_some(times),
            faulty,
        })
    }

    /// Appends an entry. Whether an older one was in flight at its submit.
    pub(super) fn push(&mut self, prepared: Prepared) -> Result<bool> {
        let Prepared {
            packed,
            times,
            faulty,
        } = prepared;
        // Each entry is passed once: this costs next to nothing.
        while self.settled_len < self.len {
            let old = self.packed(self.settled_len).ok_or(EINVAL)?;
            // Not at its own submit: no two events have one number.
            if !self.is_complete_by(old, packed.submit()) {
                break;
            }
            self.settled_len += 1;
        }
        let settled_len = self.settled_len;
        let chunk = self
            .chunks
            .get_mut(self.len / CHUNK_ENTRIES)
            .ok_or(ENOMEM)?;
        if chunk.entries.is_empty() {
            chunk.settled_len = settled_len;
        }
        chunk
            .entries
            .push_within_capacity(packed)
            .map_err(|_| ENOMEM)?;
        let overlaps = settled_len < self.len;
        // Nothing can be submitted between its events if they follow each other.
        if !overlaps && times.is_none() {
            self.settled_len += 1;
        }
        if let Some(times) = times {
            self.times.push_within_capacity(times).map_err(|_| ENOMEM)?;
        }
        if let Some(faulty) = faulty {
            let pushed = self.faulty.push_within_capacity(faulty);
            pushed.map_err(|_| ENOMEM)?;
        }
        self.len += 1;
        Ok(overlaps)
    }

    /// How many entries were submitted at or before `event`.
    pub(crate) fn submitted_by(&self, event: u64) -> usize {
        let is_by = |entry: &Packed| entry.submit() <= event;
        let begins_by = |chunk: &Chunk| chunk.entries.first().is_some_and(is_by);
        let Some(last) = self.chunks.partition_point(begins_by).checked_sub(1) else {
            return 0;
        };
        let entries = self.chunks.get(last).map(|chunk| &chunk.entries);
        last * CHUNK_ENTRIES + entries.map_or(0, |entries| entries.partition_point(is_by))
    }

    /// The lowest index of an entry that completes after `event`; `submitted` entries
    /// were submitted by then.
    pub(crate) fn first_completing_after(&self, event: u64, submitted: usize) -> usize {
        let Some(newest) = submitted.checked_sub(1) else {
            return 0;
        };
        let chunk = self.chunks.get(newest / CHUNK_ENTRIES);
        let mut index = chunk.map_or(0, |chunk| chunk.settled_len);
        let is_by = |entry: &Packed| self.is_complete_by(entry, event);
        while index < submitted && self.packed(index).is_some_and(is_by) {
            index += 1;
        }
        index
    }
}
