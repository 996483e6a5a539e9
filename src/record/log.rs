// SPDX-License-Identifier: GPL-2.0

//! The log of a record: one entry per bio or mark, in the order of their submits.

use crate::{
    block::Flags,
    fault::Kinds,
    model,
    patience::Patience, //
};
use kernel::prelude::*;

/// How many events after an entry's submit something happened; or not yet.
type After = u32;

const NOT_YET: After = After::MAX;

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

/// An entry as it is kept: in as little memory as will do.
#[derive(Clone, Copy)]
struct Packed {
    submit: u32,
    sector: u32,
    /// Upper bits of `submit` (4) and of the sector (4), number of sectors.
    lengths: u32,
    /// Operation (4), whether it met a fault (1), flags (7), task.
    kind: u32,
    start_after: After,
    complete_after: After,
    duration_ns: u32,
    submit_ns: [u32; 2],
}

/// The memory that an entry takes, in bytes.
pub(crate) const ENTRY_BYTES: usize = size_of::<Packed>();

/// As `value`, if it has no more than so many bits.
fn fit(value: u64, bits: u32) -> Result<u64> {
    if value >> bits == 0 {
        Ok(value)
    } else {
        Err(EOVERFLOW)
    }
}

impl Packed {
    /// [`EOVERFLOW`] if there is no room for it: that takes an event or a sector beyond
    /// 2^36, a length beyond 2^24 sectors (no bio has) or 2^20 tasks.
    fn new(entry: &LogEntry) -> Result<Self> {
        let submit = fit(entry.submit, 36)?;
        let sector = fit(entry.sector, 36)?;
        let nr_sectors = fit(entry.nr_sectors.into(), 24)?;
        let task = fit(entry.task.into(), 20)?;
        let op = entry.op as u64;
        let flags = fit(entry.flags.bits().into(), 7)?;
        let flags = flags | u64::from(!entry.faults.is_empty()) << 7;
        let lengths = submit >> 32 << 28 | sector >> 32 << 24 | nr_sectors;
        let kind = op << 28 | flags << 20 | task;

        // No truncation: what is cut off is elsewhere.
        Ok(Self {
            submit: submit as u32,
            sector: sector as u32,
            lengths: lengths as u32,
            kind: kind as u32,
            start_after: entry.start_after,
            complete_after: entry.complete_after,
            duration_ns: entry.duration_ns,
            submit_ns: [entry.submit_ns as u32, (entry.submit_ns >> 32) as u32],
        })
    }

    fn is_faulty(&self) -> bool {
        self.kind >> 27 & 1 != 0
    }

    fn submit(&self) -> u64 {
        u64::from(self.lengths >> 28) << 32 | u64::from(self.submit)
    }

    fn is_complete_by(&self, event: u64) -> bool {
        let after = u64::from(self.complete_after);
        self.complete_after != NOT_YET && self.submit() + after <= event
    }

    /// All but the faults.
    fn unpack(&self) -> Option<LogEntry> {
        let [ns_low, ns_high] = self.submit_ns;
        Some(LogEntry {
            submit: self.submit(),
            sector: u64::from(self.lengths >> 24 & 15) << 32 | u64::from(self.sector),
            submit_ns: u64::from(ns_high) << 32 | u64::from(ns_low),
            start_after: self.start_after,
            complete_after: self.complete_after,
            duration_ns: self.duration_ns,
            nr_sectors: self.lengths & 0xff_ffff,
            task: self.kind & 0xf_ffff,
            // No truncation: 4 bits.
            op: model::Op::try_from((self.kind >> 28) as u8).ok()?,
            flags: Flags::from_bits(self.kind >> 20 & 0x7f)?,
            faults: Kinds::default(),
            asked: 0,
        })
    }
}

/// Entries in a chunk: 4032 bytes.
const CHUNK_ENTRIES: usize = 112;

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

    /// The entry of that index.
    pub(crate) fn get(&self, index: usize) -> Option<LogEntry> {
        let packed = self.packed(index)?;
        let mut entry = packed.unpack()?;
        if packed.is_faulty() {
            let at = self.faulty.partition_point(|other| other.index < index);
            let faulty = self.faulty.get(at)?;
            entry.faults = faulty.kinds;
            entry.asked = faulty.asked;
        }
        Some(entry)
    }

    /// Has `f` change the entry of that index, unless it fails. Its faults stay.
    pub(crate) fn update(
        &mut self,
        index: usize,
        f: impl FnOnce(&mut LogEntry) -> Result,
    ) -> Result {
        let mut entry = self.get(index).ok_or(EINVAL)?;
        f(&mut entry)?;
        let chunk = self.chunks.get_mut(index / CHUNK_ENTRIES).ok_or(EINVAL)?;
        let packed = chunk.entries.get_mut(index % CHUNK_ENTRIES);
        *packed.ok_or(EINVAL)? = Packed::new(&entry)?;
        Ok(())
    }

    /// The events of an entry that are still to come follow `event`, the newest so far.
    /// Returns the last of them.
    pub(crate) fn finish(&mut self, index: usize, event: u64) -> Result<u64> {
        let chunk = self.chunks.get_mut(index / CHUNK_ENTRIES).ok_or(EINVAL)?;
        let packed = chunk.entries.get_mut(index % CHUNK_ENTRIES);
        let packed = packed.ok_or(EINVAL)?;
        let after = event.checked_sub(packed.submit()).ok_or(EINVAL)?;
        let mut after = u32::try_from(after).map_err(|_| EOVERFLOW)?;
        for slot in [&mut packed.start_after, &mut packed.complete_after] {
            if *slot == NOT_YET {
                after = after.checked_add(1).ok_or(EOVERFLOW)?;
                if after == NOT_YET {
                    return Err(EOVERFLOW);
                }
                *slot = after;
            }
        }
        let newest = packed.submit() + u64::from(after);
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

    /// Makes room for one more entry, so that the next [`Self::push`] can't fail.
    pub(crate) fn reserve(&mut self, patience: Patience) -> Result {
        if self.len % CHUNK_ENTRIES == 0 && self.chunks.len() == self.len / CHUNK_ENTRIES {
            let flags = patience.gfp();
            let entries = KVec::with_capacity(CHUNK_ENTRIES, flags)?;
            let chunk = Chunk {
                entries,
                settled_len: 0,
            };
            self.chunks.push(chunk, flags)?;
        }
        Ok(())
    }

    /// Appends an entry, for which there must be room. Whether an older one was in
    /// flight at its submit.
    pub(crate) fn push(&mut self, entry: LogEntry) -> Result<bool> {
        let packed = Packed::new(&entry)?;
        if !entry.faults.is_empty() {
            let faulty = Faulty {
                index: self.len,
                kinds: entry.faults,
                asked: entry.asked,
            };
            self.faulty.push(faulty, GFP_KERNEL | __GFP_NOWARN)?;
        }
        // Each entry is passed once: this costs next to nothing.
        while self.settled_len < self.len {
            let old = self.packed(self.settled_len).ok_or(EINVAL)?;
            // Not at its own submit: no two events have one number.
            if !old.is_complete_by(entry.submit) {
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
        if !overlaps && matches!((entry.start_after, entry.complete_after), (0, 1) | (1, 2)) {
            self.settled_len += 1;
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
        let is_by = |entry: &Packed| entry.is_complete_by(event);
        while index < submitted && self.packed(index).is_some_and(is_by) {
            index += 1;
        }
        index
    }
}
