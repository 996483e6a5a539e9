// SPDX-License-Identifier: GPL-2.0

//! The log of a record: one entry per bio or mark, in the order of their submits.

use super::{
    packed::{
        Packed,
        Times,
        ENTRY_BYTES,
        NOT_YET,
        TIMES_BYTES, //
    },
    write::Write, //
};
use crate::fault::Kinds;
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

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
    pub(crate) fn get(&self, index: usize) -> Option<Write> {
        let packed = self.packed(index)?;
        let mut write = packed.unpack(self.times(packed))?;
        if packed.is_faulty() {
            let at = self.faulty.partition_point(|other| other.index < index);
            let faulty = self.faulty.get(at)?;
            write = write.with_faults(faulty.kinds);
            write.asked = faulty.asked;
        }
        Some(write)
    }

    /// Has `f` change the times of the entry of that index, which was not complete at once.
    /// [`EOVERFLOW`] if they get too far from its submit.
    pub(crate) fn update(&mut self, index: usize, f: impl FnOnce(&mut Write)) -> Result {
        let place = self.packed(index).and_then(Packed::times);
        let mut write = self.get(index).ok_or(EINVAL)?;
        f(&mut write);
        *self.times.get_mut(place.ok_or(EINVAL)?).ok_or(EINVAL)? = Times::of(&write)?;
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

    /// Appends an entry, once there is room for it and `store` has put its data in place: both are
    /// done, or neither. Whether an older one was in flight at its submit.
    #[inline]
    pub(super) fn push(&mut self, write: &Write, store: impl FnOnce() -> Result) -> Result<bool> {
        let is_at_once = Times::are_at_once(write);
        let mut times = None;
        if !is_at_once {
            times = Some(Times::of(write)?);
        }
        let packed = Packed::new(write, times.map(|_| self.times.len()))?;
        if times.is_some() || !write.faults.is_empty() || self.is_full() {
            self.reserve(write, is_at_once)?;
        }
        store()?;

        // Nothing fails from here on.
        if let Some(times) = times {
            self.times.push_within_capacity(times).map_err(|_| ENOMEM)?;
        }
        if !write.faults.is_empty() {
            let faulty = Faulty {
                index: self.len,
                kinds: write.faults,
                asked: write.asked,
            };
            let pushed = self.faulty.push_within_capacity(faulty);
            pushed.map_err(|_| ENOMEM)?;
        }
        self.settle(packed.submit())?;
        let overlaps = self.settled_len < self.len;
        let settled_len = self.settled_len;
        let chunk = self.chunks.last_mut().ok_or(ENOMEM)?;
        if chunk.entries.is_empty() {
            chunk.settled_len = settled_len;
        }
        let pushed = chunk.entries.push_within_capacity(packed);
        pushed.map_err(|_| ENOMEM)?;
        self.len += 1;
        // Nothing can be submitted between its events if they follow each other.
        if !overlaps && is_at_once {
            self.settled_len += 1;
        }
        Ok(overlaps)
    }

    /// Whether there is no chunk with room for another entry.
    fn is_full(&self) -> bool {
        self.chunks.len() == self.len / CHUNK_ENTRIES
    }

    /// Makes room for an entry, its times unless it is complete at once, and its faults.
    fn reserve(&mut self, write: &Write, is_at_once: bool) -> Result {
        let flags = write.nowait.gfp();
        if self.is_full() {
            let chunk = Chunk {
                entries: KVec::with_capacity(CHUNK_ENTRIES, flags)?,
                settled_len: 0,
            };
            self.chunks.push(chunk, flags)?;
        }
        if !is_at_once {
            self.times.reserve(1, flags)?;
        }
        if !write.faults.is_empty() {
            self.faulty.reserve(1, flags)?;
        }
        Ok(())
    }

    /// Passes the entries that are complete at an event. Each is passed once: this costs next to
    /// nothing.
    fn settle(&mut self, event: u64) -> Result {
        while self.settled_len < self.len {
            let old = self.packed(self.settled_len).ok_or(EINVAL)?;
            // Not at its own submit: no two events have one number.
            if !self.is_complete_by(old, event) {
                break;
            }
            self.settled_len += 1;
        }
        Ok(())
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
