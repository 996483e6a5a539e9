// SPDX-License-Identifier: GPL-2.0

//! What a recorded bio does to the store and to the log: both, or neither.

use super::{
    in_flight::{
        Served,
        Ticket, //
    },
    io::{
        written_pages,
        Request, //
    },
    RecordedDisk,
    State, //
};
use crate::{
    model,
    random::garbage,
    record::{
        Prepared,
        Record, //
    },
    store::{
        pages,
        DataPage,
        Layer,
        PageList,
        SectorMask,
        Version,
        PAGE_SECTORS,
        SECTOR_SIZE, //
    }, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

impl State {
    /// Whether a bio is complete as soon as it took effect, and nothing comes in between.
    pub(super) fn is_done_at_once(&mut self, request: &Request, disk: &RecordedDisk) -> bool {
        let is_armed = matches!(self.life.trigger(), Ok(Some(_)));
        disk.completion.is_inline() && request.delay_us == 0 && !is_armed
    }

    /// The entry of that index was submitted and took effect: whether it is complete.
    pub(super) fn submitted(
        &mut self,
        index: u32,
        request: &Request,
        is_done: bool,
        disk: &RecordedDisk,
    ) -> Result<Served> {
        if is_done {
            return Ok(Served::Done);
        }
        self.trigger(index, disk);
        if let Some(mode) = self.life.off() {
            return mode.serve();
        }
        let record = self.recording().ok_or(ENODATA)?;
        if disk.completion.is_inline() && request.delay_us == 0 {
            record.complete_bio_inline(index)?;
            return Ok(Served::Done);
        }
        Ok(Served::Later(Some(Ticket {
            generation: record.generation(),
            index,
        })))
    }

    /// Logs the next event of a bio. False if it has more of them. The error that the
    /// log ended with, if it did.
    pub(super) fn advance(&mut self, ticket: Option<Ticket>) -> Result<bool> {
        let (Some(ticket), Some(record)) = (ticket, self.recording()) else {
            return Ok(true);
        };
        if record.generation() != ticket.generation {
            return Ok(true);
        }
        let entry = record.log_entry(ticket.index as usize).ok_or(EIO)?;
        if entry.start() == model::IN_FLIGHT {
            record.start_bio(ticket.index)?;
            return Ok(false);
        }
        record.complete_bio(ticket.index)?;
        Ok(true)
    }

    /// Applies a write of data and appends its entry to the record, which `prepare` makes, given the
    /// memory that goes with it. On failure nothing was applied, and the
    /// log ends here. Returns the index of its entry.
    pub(super) fn apply_write(
        &mut self,
        request: &Request,
        data: PageList,
        prepare: impl FnOnce(&mut Record, u64) -> Result<Prepared>,
    ) -> Result<u32> {
        let data_bytes = (data.len() * (PAGE_SIZE + size_of::<Version>())) as u64;
        self.recall_zeroes(request)?;
        let pages = request.pages();
        let layers = pages.clone().zip(data);
        let layers = layers.map(|(page, data)| Layer::data(request.mask(page), data));
        self.apply(request, pages, layers, data_bytes, prepare)
    }

    /// Applies a write of zeroes to the pages `written`, all others of the request
    /// being zeroes already, and logs it, likewise. If it is a discard that leaves garbage,
    /// then in these pages.
    pub(super) fn apply_zeroes(
        &mut self,
        request: &Request,
        written: &[u64],
        prepare: impl FnOnce(&mut Record, u64) -> Result<Prepared>,
    ) -> Result<u32> {
        let record = self.recording().ok_or(ENODATA)?;
        let seed = record
            .garbage()
            .filter(|_| request.op == model::Op::Discard);
        let mut data_bytes = size_of_val(written) + written.len() * size_of::<Version>();
        let mut garbage = KVVec::new();
        for page in seed.iter().flat_map(|_| written) {
            let made = garbage_page(seed.unwrap_or(0), *page, request.mask(*page));
            let kept = made.and_then(|made| Ok(garbage.push(made, GFP_KERNEL | __GFP_NOWARN)?));
            kept.map_err(|error| record.truncate(error))?;
            data_bytes += PAGE_SIZE;
        }
        let mut garbage = garbage.into_iter();
        let layers = written.iter().map(|page| match garbage.next() {
            Some(data) => Layer::data(request.mask(*page), data),
            None => Layer::zeroes(request.mask(*page)),
        });
        let pages = written.iter().copied();
        self.apply(request, pages, layers, data_bytes as u64, prepare)
    }

    /// Adds `layers`, one for each of `pages`, and an entry that wrote them: both, or neither.
    fn apply(
        &mut self,
        request: &Request,
        pages: impl DoubleEndedIterator<Item = u64> + Clone,
        layers: impl Iterator<Item = Layer>,
        data_bytes: u64,
        prepare: impl FnOnce(&mut Record, u64) -> Result<Prepared>,
    ) -> Result<u32> {
        let record = self.life.recording().ok_or(ENODATA)?;
        let prepared = prepare(record, data_bytes)?;
        let entry = record.next_index()?;
        // Who reads takes another lock: it may see the versions before the entry is there. That
        // is then the last thing to be done, and does not fail.
        let pushed = self
            .store
            .push_versions(entry, pages, layers, request.nowait);
        pushed.map_err(|error| record.fail(error, request.nowait))?;
        record.push(prepared)
    }

    /// Gives the pages of a write the zeroes that were written to them while they held
    /// nothing else, by those still in flight: these may come to lie above it.
    fn recall_zeroes(&mut self, request: &Request) -> Result {
        let record = self.life.recording().ok_or(ENODATA)?;
        let mut nr_seen = 0;
        while let Some(index) = record.unsettled_zeroes(nr_seen) {
            nr_seen += 1;
            let zeroes = record.log_entry(index as usize).ok_or(EIO)?;
            let covered = pages(zeroes.sector, zeroes.nr_sectors.into());
            let wanted = request.pages();
            for page in wanted.start.max(covered.start)..wanted.end.min(covered.end) {
                let mask = SectorMask::of_page(page, zeroes.sector, zeroes.nr_sectors.into());
                if self.store.version(page, index).is_some() {
                    continue;
                }
                let page = core::iter::once(page);
                let zeroes = core::iter::once(Layer::zeroes(mask));
                let nowait = request.nowait;
                let pushed = self.store.push_versions(index, page, zeroes, nowait);
                pushed.map_err(|error| record.fail(error, nowait))?;
            }
        }
        Ok(())
    }

    /// The pages of a request that hold anything but zeroes.
    pub(super) fn written_pages(&self, request: &Request) -> Result<KVVec<u64>> {
        written_pages(request.pages(), |page| self.store.next_written(page))
    }
}

/// A page with what its sectors `mask` hold after a discard.
pub(super) fn garbage_page(seed: u64, page: u64, mask: SectorMask) -> Result<DataPage> {
    let data = DataPage::new_stale()?;
    for range in mask.runs() {
        for offset in range.step_by(SECTOR_SIZE) {
            let sector = page * PAGE_SECTORS as u64 + (offset / SECTOR_SIZE) as u64;
            data.write(offset, &garbage(seed, sector));
        }
    }
    Ok(data)
}
