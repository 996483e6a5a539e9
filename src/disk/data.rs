// SPDX-License-Identifier: GPL-2.0

//! What bios write: data, zeroes and discards, recorded or in place.

use super::{
    hints::Hint,
    in_flight::Served,
    pages::{
        earliest,
        garbage_page,
        written_pages, //
    },
    RecordedDisk,
    State, //
};
use crate::{
    model,
    record::Write,
    store::PageList, //
};
use kernel::prelude::*;

impl RecordedDisk {
    /// Writes data that is in `pages`, one for each page that the write touches.
    pub(super) fn write_pages(
        &self,
        write: &mut Write,
        pages: Result<PageList>,
        has_room: bool,
    ) -> Result<Served> {
        if self.hints.has(Hint::Recording) {
            self.write_recorded(write, pages, has_room)
        } else {
            let pages = pages.map_err(|error| write.nowait.failure(error))?;
            self.write_plain(write, pages)
        }
    }

    /// Likewise, what is not to be recorded.
    pub(super) fn write_plain(&self, write: &Write, pages: PageList) -> Result<Served> {
        let mut state = write.nowait.lock(&self.state)?;
        if let Some(mode) = state.life.off() {
            return mode.serve();
        }
        if state.recording().is_some() {
            return Ok(Served::Again);
        }
        let keep_base = state.life.record().is_some();
        for (page, data) in write.pages().zip(pages) {
            let mask = write.mask(page);
            if !write.nowait.0 {
                state.store.put(page, mask, keep_base, data)?;
            } else if keep_base {
                return Err(EAGAIN);
            } else {
                state.store.try_put(page, mask, data)?;
            }
        }
        Ok(self.unrecorded(write))
    }

    /// Likewise, what is to be recorded.
    pub(super) fn write_recorded(
        &self,
        write: &mut Write,
        pages: Result<PageList>,
        has_room: bool,
    ) -> Result<Served> {
        self.record(write, has_room, |state, write, origin| {
            let record = state.recording().ok_or(ENODATA)?;
            let pages = pages.map_err(|error| record.fail(error, write.nowait))?;
            state.apply_write(write, origin, pages)
        })
    }

    /// DISCARD and WRITE_ZEROES: only pages that were written to take any notice.
    pub(super) fn write_zeroes(&self, write: &mut Write, has_room: bool) -> Result<Served> {
        // What lies below does not change, so it can be looked through unlocked.
        let below = self.below().map_or(Ok(KVVec::new()), |below| {
            written_pages(write.pages(), |page| below.next_written(page))
        });
        let written = |state: &State, write: &Write| {
            let below = below?;
            written_pages(write.pages(), |page| {
                let first = below.partition_point(|other| *other < page);
                earliest(state.store.next_written(page), below.get(first).copied())
            })
        };
        if !self.hints.has(Hint::Recording) {
            return self.zero_plain(write, |state| written(state, write));
        }
        self.record(write, has_room, |state, write, origin| {
            let written = written(state, write);
            let record = state.recording().ok_or(ENODATA)?;
            let written = written.map_err(|error| record.truncate(error))?;
            state.apply_zeroes(write, origin, &written)
        })
    }

    /// Zeroes or discards the pages that `written` gives, which is not to be recorded.
    fn zero_plain(
        &self,
        write: &Write,
        written: impl FnOnce(&State) -> Result<KVVec<u64>>,
    ) -> Result<Served> {
        let mut state = self.state.lock();
        if let Some(mode) = state.life.off() {
            return mode.serve();
        }
        if state.recording().is_some() {
            return Ok(Served::Again);
        }
        let keep_base = state.life.record().is_some();
        let is_discard = write.entry.op == model::Op::Discard;
        let garbage = self.garbage.filter(|_| is_discard);
        let is_bottom = self.below().is_none();
        for page in &written(&state)? {
            let mask = write.mask(*page);
            let store = &mut state.store;
            if let Some(seed) = garbage {
                store.put(*page, mask, keep_base, garbage_page(seed, *page, mask)?)?;
            } else {
                store.write_zeroes(*page, mask, keep_base, is_bottom)?;
            }
        }
        Ok(self.unrecorded(write))
    }
}
