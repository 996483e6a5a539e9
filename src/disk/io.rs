// SPDX-License-Identifier: GPL-2.0

//! The way of a bio.
//!
//! [`RecordedDisk::submit_bio`] tells what it is; a flush arrives at
//! [`RecordedDisk::flush`], and so on. All bios are completed inline, in the
//! context of whoever submitted them.

use super::{
    RecordedDisk,
    State, //
};
use crate::{
    block::{
        Bio,
        Flags,
        NoIo,
        Op,
        Operations,
        Segment, //
    },
    model,
    record::Record,
    store::{
        self,
        new_page,
        DataPage,
        Layer,
        SectorMask,
        Sink,
        Source,
        Version,
        PAGE_SECTORS,
        SECTOR_SIZE, //
    }, //
};
use core::ops::Range;
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// A write of any kind, without its data.
#[derive(Clone, Copy)]
pub(crate) struct Request {
    pub(crate) op: model::Op,
    pub(crate) flags: Flags,
    pub(crate) sector: u64,
    pub(crate) nr_sectors: u32,
}

impl Request {
    /// The pages it touches.
    pub(crate) fn pages(&self) -> Range<u64> {
        store::pages(self.sector, u64::from(self.nr_sectors))
    }

    /// The sectors of a page that it covers.
    pub(crate) fn mask(&self, page: u64) -> SectorMask {
        SectorMask::of_page(page, self.sector, u64::from(self.nr_sectors))
    }
}

impl Operations for RecordedDisk {
    fn submit_bio(&self, mut bio: Bio) {
        let _noio = NoIo::enter();
        let result = self.serve(&mut bio);
        bio.end(result);
    }
}

impl RecordedDisk {
    fn serve(&self, bio: &mut Bio) -> Result {
        let request = self.check(bio)?;

        match bio.op() {
            Op::Read => self.read(bio),
            Op::Write if request.nr_sectors == 0 => match request.flags.contains(Flags::PREFLUSH) {
                true => self.flush(request.flags),
                // Neither data nor a flush: there is nothing to do.
                false => Ok(()),
            },
            Op::Write => self.write(request, bio),
            Op::Discard | Op::WriteZeroes => self.write_zeroes(request),
            Op::Other => Err(EOPNOTSUPP),
        }
    }

    /// What a bio asks for. [`EINVAL`] if it is not made of whole blocks: for
    /// bio-based disks the block layer does not see to that.
    fn check(&self, bio: &mut Bio) -> Result<Request> {
        let block_sectors = u64::from(self.geometry().block_size) / SECTOR_SIZE as u64;
        let len_bytes = bio.len_bytes() as usize;
        let whole_sectors = match bio.op() {
            Op::Read | Op::Write => bio
                .segments()
                .all(|segment| segment.len_bytes() % SECTOR_SIZE == 0),
            _ => true,
        };
        let whole_blocks = bio.sector() % block_sectors == 0
            && len_bytes % self.geometry().block_size as usize == 0;
        if !whole_sectors || !whole_blocks {
            return Err(EINVAL);
        }

        Ok(Request {
            op: match bio.op() {
                Op::Discard => model::Op::Discard,
                Op::WriteZeroes => model::Op::WriteZeroes,
                _ => model::Op::Write,
            },
            flags: bio.flags(),
            sector: bio.sector(),
            nr_sectors: u32::try_from(len_bytes / SECTOR_SIZE)?,
        })
    }

    fn read(&self, bio: &mut Bio) -> Result {
        for mut segment in bio.segments() {
            let (page, mask) = place(&segment);
            self.read_page(page, mask, &mut segment);
        }
        Ok(())
    }

    /// A flush without data.
    pub(super) fn flush(&self, flags: Flags) -> Result {
        if !self.recording_hint() {
            return Ok(());
        }
        let mut state = self.state.lock();
        match state.recording() {
            None => Ok(()),
            Some(record) => {
                record.reserve(0)?;
                record.push_bio(model::Op::Flush, flags | Flags::PREFLUSH, 0, 0, 0)
            }
        }
    }

    fn write(&self, request: Request, bio: &mut Bio) -> Result {
        loop {
            if self.recording_hint() {
                let pages = copy_pages(&request, bio.segments());
                if self.write_recorded(request, pages)? {
                    return Ok(());
                }
            } else {
                let mut state = self.state.lock();
                if state.recording().is_none() {
                    let keep_base = state.record.is_some();
                    for segment in bio.segments() {
                        let (page, mask) = place(&segment);
                        state.store.write(page, mask, keep_base, &segment)?;
                    }
                    return Ok(());
                }
            }
            // The record began or ended in between: look again.
        }
    }

    /// Records a write whose data is in `pages`, one for each page it touches.
    /// False if there is nothing to record it in.
    pub(super) fn write_recorded(
        &self,
        request: Request,
        pages: Result<KVVec<DataPage>>,
    ) -> Result<bool> {
        let mut state = self.state.lock();
        let Some(record) = state.recording() else {
            return Ok(false);
        };
        let pages = pages.map_err(|error| record.truncate(error))?;
        state.apply_write(&request, pages, &mut |record, bytes| {
            request.log(record, bytes)
        })?;
        Ok(true)
    }

    /// DISCARD and WRITE_ZEROES: only pages that were written to take any notice.
    pub(super) fn write_zeroes(&self, request: Request) -> Result {
        // What lies below does not change, so it can be looked through unlocked.
        let below = self.below().map_or(Ok(KVVec::new()), |below| {
            written_pages(request.pages(), |page| below.next_written(page))
        });

        let mut state = self.state.lock();
        let written = below.and_then(|below| {
            written_pages(request.pages(), |page| {
                let first = below.partition_point(|other| *other < page);
                earliest(state.store.next_written(page), below.get(first).copied())
            })
        });
        if let Some(record) = state.recording() {
            let written = written.map_err(|error| record.truncate(error))?;
            return state.apply_zeroes(&request, &written, &mut |record, bytes| {
                request.log(record, bytes)
            });
        }
        let keep_base = state.record.is_some();
        for page in &written? {
            let mask = request.mask(*page);
            let is_bottom = self.below().is_none();
            state
                .store
                .write_zeroes(*page, mask, keep_base, is_bottom)?;
        }
        Ok(())
    }
}

/// Appends an entry to a record, given the memory that goes with it.
type Log<'a> = &'a mut dyn FnMut(&mut Record, u64) -> Result;

impl State {
    /// Applies a write of data and logs it. On failure nothing was applied, and the
    /// log ends here.
    pub(super) fn apply_write(
        &mut self,
        request: &Request,
        data: KVVec<DataPage>,
        log: Log<'_>,
    ) -> Result {
        let data_bytes = (data.len() * (PAGE_SIZE + size_of::<Version>())) as u64;
        let entry = self.reserve(request.pages(), data_bytes)?;
        log(self.record.as_mut().ok_or(ENODATA)?, data_bytes)?;
        for (page, data) in request.pages().zip(data) {
            let layer = Layer::data(request.mask(page), data);
            self.store.push_version(page, Version { entry, layer })?;
        }
        Ok(())
    }

    /// Applies a write of zeroes to the pages `written`, all others of the request
    /// being zeroes already, and logs it, likewise.
    pub(super) fn apply_zeroes(
        &mut self,
        request: &Request,
        written: &[u64],
        log: Log<'_>,
    ) -> Result {
        let data_bytes = size_of_val(written) + written.len() * size_of::<Version>();
        let entry = self.reserve(written.iter().copied(), data_bytes as u64)?;
        log(self.record.as_mut().ok_or(ENODATA)?, data_bytes as u64)?;
        for page in written {
            let layer = Layer::zeroes(request.mask(*page));
            self.store.push_version(*page, Version { entry, layer })?;
        }
        Ok(())
    }

    /// The pages of a request that hold anything but zeroes.
    pub(super) fn written_pages(&self, request: &Request) -> Result<KVVec<u64>> {
        written_pages(request.pages(), |page| self.store.next_written(page))
    }

    /// Makes room for an entry that writes to `pages`, so that applying it can't
    /// fail. Returns the index that it will have.
    fn reserve(&mut self, mut pages: impl Iterator<Item = u64>, data_bytes: u64) -> Result<u32> {
        let record = self.record.as_mut().ok_or(ENODATA)?;
        record.reserve(data_bytes)?;
        let reserved = pages.try_for_each(|page| self.store.reserve_version(page));
        reserved.map_err(|error| record.truncate(error))?;
        record.next_index()
    }
}

impl Request {
    /// Logs it as complete by now.
    fn log(&self, record: &mut Record, data_bytes: u64) -> Result {
        record.push_bio(
            self.op,
            self.flags,
            self.sector,
            self.nr_sectors,
            data_bytes,
        )
    }
}

/// The pages in `range` that `next` finds.
fn written_pages(range: Range<u64>, next: impl Fn(u64) -> Option<u64>) -> Result<KVVec<u64>> {
    let mut pages = KVVec::new();
    let mut from = range.start;
    while let Some(page) = next(from).filter(|page| *page < range.end) {
        pages.push(page, GFP_KERNEL | __GFP_NOWARN)?;
        from = page + 1;
    }
    Ok(pages)
}

/// The lower of two page numbers, where there are any.
pub(super) fn earliest(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Where on the disk a segment lies: its page, and the sectors of that.
fn place(segment: &Segment<'_>) -> (u64, SectorMask) {
    let page = segment.sector() / PAGE_SECTORS as u64;
    let nr_sectors = (segment.len_bytes() / SECTOR_SIZE) as u64;
    (
        page,
        SectorMask::of_page(page, segment.sector(), nr_sectors),
    )
}

/// Copies a bio's data, to a new page for each page of the disk that it touches.
fn copy_pages<'a>(
    request: &Request,
    segments: impl Iterator<Item = Segment<'a>>,
) -> Result<KVVec<DataPage>> {
    let mut pages = KVVec::new();
    let mut current = None;
    for segment in segments {
        let (page, mask) = place(&segment);
        if current != Some(page) {
            pages.push(new_page()?, GFP_KERNEL | __GFP_NOWARN)?;
            current = Some(page);
        }
        if let Some(data) = pages.last_mut() {
            for range in mask.runs() {
                if let Some(to) = data.get_mut(range.clone()) {
                    Source::copy_to(&segment, range, to);
                }
            }
        }
    }
    if pages.len() as u64 == request.pages().end - request.pages().start {
        Ok(pages)
    } else {
        Err(EIO)
    }
}

/// How far into its page of the disk a segment starts, in bytes.
fn offset_bytes(segment: &Segment<'_>) -> usize {
    // No truncation: less than a page.
    (segment.sector() % PAGE_SECTORS as u64) as usize * SECTOR_SIZE
}

impl Source for Segment<'_> {
    fn copy_to(&self, range: Range<usize>, to: &mut [u8]) {
        if let Some(offset) = range.start.checked_sub(offset_bytes(self)) {
            Segment::copy_to(self, offset, to);
        }
    }
}

impl Sink for Segment<'_> {
    fn copy_from(&mut self, range: Range<usize>, from: &[u8]) {
        if let Some(offset) = range.start.checked_sub(offset_bytes(self)) {
            Segment::copy_from(self, offset, from);
        }
    }

    fn zero(&mut self, range: Range<usize>) {
        if let Some(offset) = range.start.checked_sub(offset_bytes(self)) {
            Segment::zero(self, offset, range.len());
        }
    }
}
