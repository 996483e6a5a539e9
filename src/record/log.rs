// SPDX-License-Identifier: GPL-2.0

//! The log of a record: one entry per bio or mark, in the order of their submits.

use crate::{
    block::Flags,
    model, //
};
use kernel::prelude::*;

/// One bio or mark.
#[derive(Clone, Copy)]
pub(crate) struct LogEntry {
    /// Its submit event.
    pub(crate) submit: u64,
    /// Its complete event, [`model::IN_FLIGHT`] before that.
    pub(crate) complete: u64,
    /// Its first sector (512 bytes); of a mark, the index of its text.
    pub(crate) sector: u64,
    /// When it was submitted, ns since the record began.
    pub(crate) submit_ns: u64,
    /// How long it took, in ns.
    pub(crate) duration_ns: u32,
    /// Its length in sectors.
    pub(crate) nr_sectors: u32,
    /// Index of who issued it in the table of tasks.
    pub(crate) task: u32,
    /// How many events after the submit its own data started.
    pub(crate) start_after: u8,
    /// What it is.
    pub(crate) op: model::Op,
    /// Its flags.
    pub(crate) flags: Flags,
}

impl LogEntry {
    /// The event at which its own data started.
    pub(crate) fn start(&self) -> u64 {
        self.submit.saturating_add(u64::from(self.start_after))
    }

    /// What the model needs of it.
    pub(crate) fn to_model(self) -> model::Entry {
        let is_mark = self.op == model::Op::Mark;
        model::Entry {
            op: self.op,
            preflush: self.flags.contains(Flags::PREFLUSH),
            fua: self.flags.contains(Flags::FUA),
            sector: if is_mark { 0 } else { self.sector },
            nr_sectors: self.nr_sectors,
            submit: self.submit,
            start: self.start(),
            complete: self.complete,
        }
    }
}

/// Entries in a chunk: of a size that a plain kmalloc serves well.
const CHUNK_ENTRIES: usize = 64;

/// The entries, in chunks so that a long log never has to be copied to grow.
pub(crate) struct Log {
    chunks: KVVec<KVec<LogEntry>>,
    len: usize,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self {
            chunks: KVVec::new(),
            len: 0,
        }
    }

    /// The number of entries.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The entry of that index.
    pub(crate) fn get(&self, index: usize) -> Option<&LogEntry> {
        self.chunks
            .get(index / CHUNK_ENTRIES)?
            .get(index % CHUNK_ENTRIES)
    }

    /// Makes room for one more entry, so that the next [`Self::push`] can't fail.
    pub(crate) fn reserve(&mut self) -> Result {
        if self.len % CHUNK_ENTRIES == 0 && self.chunks.len() == self.len / CHUNK_ENTRIES {
            let flags = GFP_KERNEL | __GFP_NOWARN;
            let chunk = KVec::with_capacity(CHUNK_ENTRIES, flags)?;
            self.chunks.push(chunk, flags)?;
        }
        Ok(())
    }

    /// Appends an entry, for which there must be room.
    pub(crate) fn push(&mut self, entry: LogEntry) -> Result {
        let chunk = self
            .chunks
            .get_mut(self.len / CHUNK_ENTRIES)
            .ok_or(ENOMEM)?;
        chunk.push_within_capacity(entry).map_err(|_| ENOMEM)?;
        self.len += 1;
        Ok(())
    }
}
