// SPDX-License-Identifier: GPL-2.0

//! A record that is rebuilt from a log that was written elsewhere.

use super::{
    is_mark_text,
    Prepared,
    Record,
    Truncation,
    Write, //
};
use crate::{
    block::task::TaskId,
    model, //
};
use kernel::prelude::*;

impl Record {
    /// Takes over where the log that this one was rebuilt from ended early; 0: it
    /// didn't.
    pub(crate) fn imported_truncation(&mut self, event: u64) {
        if event != 0 {
            self.truncated = Some(Truncation { event, error: EIO });
        }
    }

    /// Prepares an entry made elsewhere, with its own task, text (of a mark) and
    /// events. [`EINVAL`] if it can't follow the one before; whether all events were
    /// there in the end: [`Self::check_import`].
    pub(crate) fn prepare_import(
        &mut self,
        mut write: Write,
        task: TaskId,
        text: &[u8],
        data_bytes: u64,
    ) -> Result<Prepared> {
        let is_mark = write.entry.op == model::Op::Mark;
        let previous = self.log.len().checked_sub(1);
        let previous = previous.and_then(|index| self.log_entry(index));
        let is_next = write.entry.submit > previous.map_or(0, |previous| previous.entry.submit);
        if !is_next || (is_mark && !is_mark_text(text)) {
            return Err(EINVAL);
        }
        self.next_event()?;
        write.task = self.tasks.index_of(task, write.nowait)?;
        if is_mark {
            self.prepare_mark(write, text)
        } else {
            self.reserve(&write, data_bytes)
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
            let entry = self.log_entry(index).ok_or(EINVAL)?.entry;
            let mut previous = 0;
            for event in [entry.submit, entry.start, entry.complete] {
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
}
