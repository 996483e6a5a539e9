// SPDX-License-Identifier: GPL-2.0

//! A content with its record, rebuilt beside a disk and then put in its place.

use super::{
    RecordedDisk,
    State, //
};
use crate::{
    block::noio,
    fault::Kinds,
    model::{
        History,
        Op, //
    },
    record::{
        Origin,
        Submitter,
        Write, //
    },
    store::{
        pages,
        PageList,
        SectorMask, //
    }, //
};
use kernel::prelude::*;

/// See the module's documentation.
pub(crate) struct Staged {
    state: State,
    truncated: u64,
    /// What the discards so far have left, if there were any.
    garbage: Option<Option<u64>>,
}

impl Staged {
    /// The event at which the log that is rebuilt ended early.
    pub(crate) fn truncated(&mut self, event: u64) {
        self.truncated = event;
    }

    /// What the discard that comes next leaves. [`EINVAL`] if others left something else: no
    /// disk does that.
    pub(crate) fn garbage(&mut self, seed: Option<u64>) -> Result {
        if *self.garbage.get_or_insert(seed) != seed {
            return Err(EINVAL);
        }
        let record = self.state.recording().ok_or(EINVAL)?;
        record.set_garbage(seed);
        Ok(())
    }

    /// Whether all events up to `last_event` have arrived, and of faults none but `faults`,
    /// which the record met. [`EINVAL`] if not.
    pub(crate) fn check(&mut self, last_event: u64, faults: Kinds) -> Result {
        let record = self.state.recording().ok_or(EINVAL)?;
        if record.last_event() != last_event || !faults.contains(record.faults()) {
            return Err(EINVAL);
        }
        record.met(faults);
        record.check_import()
    }

    /// Content of the disk from before the record, a page of memory for each of its
    /// pages.
    pub(crate) fn base(&mut self, sector: u64, nr_sectors: u32, data: &PageList) -> Result {
        for (page, data) in pages(sector, nr_sectors.into()).zip(data.iter()) {
            let mask = SectorMask::of_page(page, sector, nr_sectors.into());
            self.state.store.write(page, mask, false, data)?;
        }
        Ok(())
    }

    /// An entry of the log: of a mark with its text, of a write with its data.
    pub(crate) fn entry(
        &mut self,
        write: &Write,
        submitter: Submitter,
        text: &[u8],
        data: PageList,
    ) -> Result {
        let mut write = *write;
        let origin = Origin::Import { submitter };
        match write.entry.op {
            Op::Write => {
                self.state.apply_write(&mut write, origin, data)?;
            }
            Op::WriteZeroes | Op::Discard => {
                let written = self.state.written_pages(&write)?;
                self.state.apply_zeroes(&mut write, origin, &written)?;
            }
            Op::Flush | Op::Mark => {
                let record = self.state.recording().ok_or(EINVAL)?;
                record.import(&mut write, submitter, text)?;
            }
        }
        Ok(())
    }
}

impl RecordedDisk {
    /// Begins to rebuild a record for this disk. [`EEXIST`] if it has one, [`EINVAL`]
    /// if it shows a crash state: that would shine through.
    pub(crate) fn stage(&self) -> Result<Staged> {
        if self.below.is_some() {
            return Err(EINVAL);
        }
        let mut staged = State::new(self.properties)?;
        let mut state = self.state.lock();
        if state.life.record().is_some() {
            return Err(EEXIST);
        }
        let record = state.new_record(self);
        drop(state);
        staged.life.start(record)?;
        Ok(Staged {
            state: staged,
            truncated: 0,
            garbage: None,
        })
    }

    /// Puts what was rebuilt in the place of what there is; nobody may have the disk
    /// open. [`EEXIST`] if it has a record by now.
    pub(crate) fn adopt(&self, staged: Staged) -> Result {
        let Staged {
            state: mut new,
            truncated,
            ..
        } = staged;
        let mut record = new.life.end()?;
        record.imported_truncation(truncated);

        let mut state = self.state.lock();
        if state.life.record().is_some() {
            return Err(EEXIST);
        }
        noio(|| state.store.replace(new.store))?;
        state.life.import(record)?;
        state.update(self);
        Ok(())
    }
}
