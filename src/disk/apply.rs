// SPDX-License-Identifier: GPL-2.0

//! What a recorded bio does to the store and to the log: both, or neither.

use super::{
    in_flight::Ticket,
    pages::{
        garbage_page,
        written_pages, //
    },
    State, //
};
use crate::{
    model,
    record::{
        Origin,
        Write, //
    },
    store::{
        Layer,
        PageList,
        SectorMask,
        Version, //
    }, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

impl State {
    /// Logs the next event of a bio. False if it has more of them. The error that the
    /// log ended with, if it did.
    pub(super) fn advance(&mut self, ticket: Option<Ticket>) -> Result<bool> {
        let (Some(ticket), Some(record)) = (ticket, self.recording()) else {
            return Ok(true);
        };
        if record.generation() != ticket.generation {
            return Ok(true);
        }
        let write = record.log_entry(ticket.index as usize).ok_or(EIO)?;
        if write.entry.start == model::IN_FLIGHT {
            record.start_bio(ticket.index)?;
            return Ok(false);
        }
        record.complete_bio(ticket.index)?;
        Ok(true)
    }

    /// Applies a write of data and appends its entry to the record. On failure nothing was applied,
    /// and the log ends here. Returns the index of its entry.
    pub(super) fn apply_write(
        &mut self,
        write: &mut Write,
        origin: Origin,
        data: PageList,
    ) -> Result<u32> {
        let data_bytes = (data.len() * (PAGE_SIZE + size_of::<Version>())) as u64;
        self.recall_zeroes(write)?;
        let pages = write.pages();
        let first = write.entry.sector;
        let nr_sectors = write.entry.nr_sectors.into();
        let layers = pages
            .clone()
            .zip(data)
            .map(|(page, data)| Layer::data(SectorMask::of_page(page, first, nr_sectors), data));
        self.apply(write, origin, pages, layers, data_bytes)
    }

    /// Applies a write of zeroes to the pages `written`, all others that it touches
    /// being zeroes already, and logs it, likewise. If it is a discard that leaves garbage,
    /// then in these pages.
    pub(super) fn apply_zeroes(
        &mut self,
        write: &mut Write,
        origin: Origin,
        written: &[u64],
    ) -> Result<u32> {
        let record = self.recording().ok_or(ENODATA)?;
        let seed = record
            .garbage()
            .filter(|_| write.entry.op == model::Op::Discard);
        let mut data_bytes = size_of_val(written) + written.len() * size_of::<Version>();
        let mut garbage = KVVec::new();
        for page in seed.iter().flat_map(|_| written) {
            let made = garbage_page(seed.unwrap_or(0), *page, write.mask(*page));
            let kept = made.and_then(|made| Ok(garbage.push(made, GFP_KERNEL | __GFP_NOWARN)?));
            kept.map_err(|error| record.truncate(error))?;
            data_bytes += PAGE_SIZE;
        }
        let mut garbage = garbage.into_iter();
        let (first, nr_sectors) = (write.entry.sector, write.entry.nr_sectors.into());
        let layers = written.iter().map(|page| {
            let mask = SectorMask::of_page(*page, first, nr_sectors);
            match garbage.next() {
                Some(data) => Layer::data(mask, data),
                None => Layer::zeroes(mask),
            }
        });
        let pages = written.iter().copied();
        self.apply(write, origin, pages, layers, data_bytes as u64)
    }

    /// Adds `layers`, one for each of `pages`, and an entry that wrote them: both, or neither.
    fn apply(
        &mut self,
        write: &mut Write,
        origin: Origin,
        pages: impl DoubleEndedIterator<Item = u64> + Clone,
        layers: impl Iterator<Item = Layer>,
        data_bytes: u64,
    ) -> Result<u32> {
        let record = self.life.recording().ok_or(ENODATA)?;
        let store = &mut self.store;
        let nowait = write.nowait;
        // Who reads takes another lock: it may see the versions before the entry is there. That
        // is then the last thing to be done, and does not fail.
        record.push(write, origin, data_bytes, |index| {
            store.push_versions(index, pages, layers, nowait)
        })
    }

    /// Gives the pages of a write the zeroes that were written to them while they held
    /// nothing else, by those still in flight: these may come to lie above it.
    fn recall_zeroes(&mut self, write: &Write) -> Result {
        let record = self.life.recording().ok_or(ENODATA)?;
        let mut nr_seen = 0;
        while let Some(index) = record.unsettled_zeroes(nr_seen) {
            nr_seen += 1;
            let zeroes = record.log_entry(index as usize).ok_or(EIO)?;
            let (covered, wanted) = (zeroes.pages(), write.pages());
            for page in wanted.start.max(covered.start)..wanted.end.min(covered.end) {
                if self.store.version(page, index).is_some() {
                    continue;
                }
                let layer = core::iter::once(Layer::zeroes(zeroes.mask(page)));
                let nowait = write.nowait;
                let pushed = self
                    .store
                    .push_versions(index, page..page + 1, layer, nowait);
                pushed.map_err(|error| record.fail(error, nowait))?;
            }
        }
        Ok(())
    }

    /// The pages of a write that hold anything but zeroes.
    pub(super) fn written_pages(&self, write: &Write) -> Result<KVVec<u64>> {
        written_pages(write.pages(), |page| self.store.next_written(page))
    }
}
