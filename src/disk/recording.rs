// SPDX-License-Identifier: GPL-2.0

//! Records of a disk: begun, ended, marked, read.

use super::{
    life::Life,
    pages,
    RecordedDisk,
    State, //
};
use crate::{
    block::noio,
    crash::Selection,
    model::History,
    record::Record,
    store::{
        Pieces,
        SectorMask,
        Sink,
        Store, //
    }, //
};
use kernel::{
    fmt,
    page::PAGE_SIZE,
    prelude::*, //
};

/// What `record` reads as.
pub(crate) struct Status {
    /// `off`, `recording` or `stopped`.
    pub(crate) state: &'static str,
    /// Entries of the log.
    pub(crate) nr_entries: usize,
    /// The newest event.
    pub(crate) last_event: u64,
    /// Marks among the entries.
    pub(crate) nr_marks: usize,
    /// Memory that the record takes.
    pub(crate) bytes: u64,
    /// The event at which the log ended early; 0: it didn't.
    pub(crate) truncated: u64,
}

impl State {
    /// The record, if it is being written.
    pub(super) fn recording(&mut self) -> Option<&mut Record> {
        self.life.recording()
    }

    /// Ends the record, which is returned to be freed, unless somebody needs it.
    fn end_record(&mut self) -> Result<Record> {
        if self.nr_views != 0 {
            return Err(EBUSY);
        }
        self.life.end()
    }

    /// A new, empty record.
    pub(super) fn new_record(&mut self, disk: &RecordedDisk) -> Record {
        self.nr_records += 1;
        let mut record = Record::new(
            disk.properties.to_model(disk.members.to_model()),
            disk.log_limit_bytes,
            self.nr_records,
        );
        record.set_garbage(disk.garbage);
        record
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "state={} entries={} events={} marks={} bytes={} truncated={}",
            self.state, self.nr_entries, self.last_event, self.nr_marks, self.bytes, self.truncated,
        )
    }
}

impl Default for Status {
    fn default() -> Self {
        Self {
            state: "off",
            nr_entries: 0,
            last_event: 0,
            nr_marks: 0,
            bytes: 0,
            truncated: 0,
        }
    }
}

impl RecordedDisk {
    /// Makes what the disk holds now the base, and begins an empty log.
    pub(crate) fn start_record(&self) -> Result {
        let mut state = self.state.lock();
        let record = state.new_record(self);
        state.life.start(record)?;
        state.update(self);
        Ok(())
    }

    /// Ends the log. The disk goes on, unrecorded.
    pub(crate) fn stop_record(&self) -> Result {
        let mut state = self.state.lock();
        state.life.stop()?;
        state.update(self);
        Ok(())
    }

    /// Ends the record and returns the disk to its base. Nobody may have it open.
    pub(crate) fn reset_record(&self) -> Result {
        // Freed after unlocking.
        let _record;
        let mut state = self.state.lock();
        _record = state.end_record()?;
        state.store.reset();
        state.update(self);
        Ok(())
    }

    /// Ends the record and keeps what the disk holds.
    pub(crate) fn drop_record(&self) -> Result {
        // Freed after unlocking.
        let _record;
        let mut state = self.state.lock();
        _record = state.end_record()?;
        state.store.settle();
        state.update(self);
        Ok(())
    }

    /// What there is of a record.
    pub(crate) fn record_status(&self) -> Status {
        let state = self.state.lock();
        let Some(record) = state.life.record() else {
            return Status::default();
        };
        Status {
            state: state.life.name(),
            nr_entries: record.nr_entries(),
            last_event: record.last_event(),
            nr_marks: record.nr_marks(),
            bytes: record.bytes(),
            truncated: record.truncated().map_or(0, |truncated| truncated.event),
        }
    }

    /// Puts a mark into the log. [`ENODATA`] if none is being written.
    pub(crate) fn mark(&self, text: &[u8]) -> Result {
        let mut state = self.state.lock();
        let record = state.recording().ok_or(ENODATA)?;
        let index = record.next_index()?;
        // Bios take this lock, too.
        noio(|| record.push_mark(text))?;
        state.trigger(index, self);
        Ok(())
    }

    /// Shows the record to `f`, which must not touch this disk. [`ENODATA`] if there
    /// is none.
    pub(crate) fn with_record<R>(&self, f: impl FnOnce(&Record, &Store) -> Result<R>) -> Result<R> {
        let state = self.state.lock();
        let record = state.life.record().ok_or(ENODATA)?;
        // What `f` allocates must not wait for a bio that waits for this lock.
        noio(|| f(record, &state.store))
    }

    /// The first page at or after `page` in which the record's base may hold anything but
    /// zeroes. [`ENODATA`] without a record.
    pub(crate) fn next_base(&self, page: u64) -> Result<Option<u64>> {
        let own = self.with_record(|_, store| Ok(store.next_base(page)))?;
        // What lies below has a lock of the same kind.
        let below = self.below().and_then(|below| below.next_written(page));
        Ok(pages::earliest(own, below))
    }

    /// Fills `to` with a page of the record's base. [`ENODATA`] without a record.
    pub(crate) fn base_page(&self, page: u64, to: &mut [u8; PAGE_SIZE]) -> Result {
        let own = self.with_record(|_, store| Ok(store.base(page)))?;
        match self.below() {
            Some(below) => below.peek_page(page, SectorMask::FULL, to),
            None => to.fill(0),
        }
        if let Some(layer) = own {
            let _found = layer.read(SectorMask::FULL, to);
        }
        Ok(())
    }

    /// Counts one more crash-state disk on the record. [`ENODATA`] if there is none,
    /// [`ENODEV`] if the disk is going.
    pub(crate) fn add_view(&self) -> Result {
        let mut state = self.state.lock();
        if matches!(state.life, Life::Dying { .. }) {
            return Err(ENODEV);
        }
        state.life.record().ok_or(ENODATA)?;
        state.nr_views += 1;
        Ok(())
    }

    /// Counts one less.
    pub(crate) fn remove_view(&self) {
        let mut state = self.state.lock();
        state.nr_views = state.nr_views.saturating_sub(1);
    }

    /// Shows the sectors `wanted` of a page as a crash left them. Returns whether the
    /// record has anything of that page: if not, it is the same in all states.
    pub(crate) fn read_crashed(
        &self,
        crash: &Selection,
        page: u64,
        wanted: SectorMask,
        to: &mut dyn Sink,
    ) -> bool {
        let mut pieces = Pieces::new();
        let state = self.state.lock();
        let rest = match state.life.record() {
            Some(record) => {
                let survival = crash.over(record);
                state
                    .store
                    .read_crashed(page, wanted, &survival, &mut pieces)
            }
            None => wanted,
        };
        let is_recorded = state.store.is_chained(page);
        drop(state);
        pieces.copy_to(to);
        self.read_below(page, rest, to);
        is_recorded
    }
}
