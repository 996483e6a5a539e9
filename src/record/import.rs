// SPDX-License-Identifier: GPL-2.0

//! A record that is rebuilt from a log that was written elsewhere.

use super::{
    Origin,
    Record,
    Submitter,
    Truncation,
    Write, //
};
use crate::model;
use kernel::prelude::*;

impl Record {
    /// Takes over where the log that this one was rebuilt from ended early; 0: it
    /// didn't.
    pub(crate) fn imported_truncation(&mut self, event: u64) {
        if event != 0 {
            self.truncated = Some(Truncation { event, error: EIO });
        }
    }

    /// Appends an entry made elsewhere, as [`Self::push`] does, with its own submitter, text (of a
    /// mark) and events. [`EINVAL`] if it can't follow the one before; whether all events were
    /// there in the end: [`Self::check_import`].
    pub(crate) fn import(
        &mut self,
        write: &mut Write,
        submitter: Submitter,
        text: &[u8],
    ) -> Result<u32> {
        let origin = Origin::Import { submitter };
        if write.entry.op == model::Op::Mark {
            self.push_text(write, origin, text)
        } else {
            self.push(write, origin, 0, |_| Ok(()))
        }
    }

    /// Whether an entry made elsewhere may follow the one before. [`EINVAL`] if not.
    pub(super) fn check_next(&mut self, write: &mut Write, submitter: Submitter) -> Result {
        let previous = self.log.len().checked_sub(1);
        let previous = previous.and_then(|index| self.log_entry(index));
        if write.entry.submit <= previous.map_or(0, |previous| previous.entry.submit) {
            return Err(EINVAL);
        }
        self.next_event()?;
        write.submitter = self.submitters.index_of(submitter, write.nowait)?;
        Ok(())
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
