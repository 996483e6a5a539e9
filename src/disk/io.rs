// SPDX-License-Identifier: GPL-2.0

//! The way of a bio.
//!
//! [`RecordedDisk::submit_bio`] tells what it is; a flush arrives at
//! [`RecordedDisk::flush`], and so on. Each takes effect here, in the context of
//! whoever submitted it; when it is complete is another matter ([`Served`]).

use super::{
    apply::garbage_page,
    hints::Hint,
    in_flight::{
        Room,
        Served, //
    },
    segments::{
        copy_pages,
        place, //
    },
    trigger::Mode,
    RecordedDisk, //
};
use crate::{
    block::{
        noio,
        Bio,
        Flags,
        Op, //
    },
    fault::{
        Access,
        Injected,
        Kinds,
        Met, //
    },
    model,
    nowait::NoWait,
    record::NewBio,
    store::{
        self,
        PageList,
        SectorMask,
        SECTOR_SIZE, //
    }, //
};
use core::ops::Range;
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// A write of any kind, without its data.
#[derive(Clone, Copy)]
pub(crate) struct Request {
    pub(crate) op: model::Op,
    pub(crate) flags: Flags,
    pub(crate) sector: u64,
    pub(crate) nr_sectors: u32,
    /// The faults that it met.
    pub(crate) met: Met,
    /// How much later than others it is complete.
    pub(crate) delay_us: u64,
    /// Whether it may be kept waiting.
    pub(crate) nowait: NoWait,
}

impl Request {
    /// The pages it touches: none if it is lost.
    pub(crate) fn pages(&self) -> Range<u64> {
        if self.met.kinds.contains(Kinds::LOST) {
            0..0
        } else {
            store::pages(self.sector, u64::from(self.nr_sectors))
        }
    }

    /// The sectors of a page that it covers.
    pub(crate) fn mask(&self, page: u64) -> SectorMask {
        SectorMask::of_page(page, self.sector, u64::from(self.nr_sectors))
    }
}

impl RecordedDisk {
    /// Serves a bio, whose sectors are those of the whole disk.
    #[inline]
    pub(crate) fn submit_bio(self: &Arc<Self>, mut bio: Bio) {
        match self.serve_in_place(&mut bio) {
            Some(result) => bio.end(result),
            None => self.submit_further(bio),
        }
    }

    // Not where it is called from: that is kept short.
    #[inline(never)]
    fn submit_further(self: &Arc<Self>, bio: Bio) {
        if bio.is_nowait() && !self.can_hurry(&bio) {
            return bio.end(Err(EAGAIN));
        }
        noio(|| self.serve(bio));
    }

    /// Whether a bio that may not wait is worth a try.
    fn can_hurry(&self, bio: &Bio) -> bool {
        let is_write = bio.op() == Op::Write && bio.len_bytes() != 0;
        is_write && self.completion.is_inline() && !self.hints.has(Hint::OffOrFaulty)
    }

    /// Serves a bio.
    fn serve(self: &Arc<Self>, mut bio: Bio) {
        let mut request = match self.check(&bio) {
            Ok(request) => request,
            Err(error) => return bio.end(Err(error)),
        };
        let injected = match self.inject(&bio, &mut request) {
            Ok(injected) => injected,
            Err(error) => return bio.end(Err(error)),
        };
        let mut may_wait = !self.completion.is_inline() || request.delay_us != 0;
        loop {
            let room = match self.room(&request, may_wait) {
                Ok(room) => room,
                Err(error) => return bio.end(Err(error)),
            };
            let served = self.apply(&mut bio, &request, &injected, room.is_some());
            match (served, room) {
                (Ok(Served::Done), _) => return bio.end(Ok(())),
                (Ok(Served::Later(ticket)), Some(room)) => {
                    return self.delay(room, bio, ticket, request.delay_us);
                }
                (Ok(Served::Hangs), Some(room)) => return self.hang(room, bio),
                // It took no effect: it may have to wait, or the disk is not as the hints said.
                (Ok(_), _) => may_wait = true,
                (Err(error), _) => return bio.end(Err(error)),
            }
        }
    }

    /// Room for a bio, if it may have to wait. If there is none to be had, a record
    /// ends here, as it does where there is no memory for anything else.
    fn room(&self, request: &Request, may_wait: bool) -> Result<Option<Room>> {
        if !may_wait {
            return Ok(None);
        }
        Room::new(request.nowait.gfp()).map(Some).map_err(|error| {
            match self.state.lock().recording() {
                Some(record) => record.fail(error, request.nowait),
                None => request.nowait.failure(error),
            }
        })
    }

    /// The faults that a bio is to meet, if the power is on. The error that it fails with, if that
    /// is one of them.
    fn inject(&self, bio: &Bio, request: &mut Request) -> Result<Injected> {
        let mut injected = Injected::default();
        if self.hints.has(Hint::OffOrFaulty) {
            let mut state = self.state.lock();
            if state.life.off().is_none() {
                if let Some(access) = Access::of(bio.op(), request) {
                    injected = state.meet(&access)?;
                    request.met.kinds = injected.kinds;
                    request.delay_us = injected.delay_us;
                }
            }
        }
        Ok(injected)
    }

    /// Has a bio take effect.
    fn apply(
        &self,
        bio: &mut Bio,
        request: &Request,
        injected: &Injected,
        has_room: bool,
    ) -> Result<Served> {
        if self.hints.has(Hint::OffOrFaulty) {
            if let Some(mode) = self.state.lock().life.off() {
                return mode.serve();
            }
        }
        match bio.op() {
            Op::Read => {
                self.read(bio, injected.is(Kinds::STALE))?;
                Ok(Served::after(injected.delay_us))
            }
            Op::Write if request.nr_sectors == 0 => {
                if request.flags.contains(Flags::PREFLUSH) {
                    let sector = bio.origin();
                    self.flush(Request { sector, ..*request }, has_room)
                } else {
                    // Neither data nor a flush: there is nothing to do.
                    Ok(Served::Done)
                }
            }
            Op::Write if injected.kinds.is_empty() => self.write(request, bio, has_room),
            Op::Write => self.write_faulty(request, bio, injected, has_room),
            Op::Discard | Op::WriteZeroes => self.write_zeroes(request, has_room),
            Op::Other => Err(EOPNOTSUPP),
        }
    }

    /// What a bio asks for. [`EINVAL`] if it is not made of whole blocks, or is to be atomic and
    /// crosses a border of units: for bio-based disks the block layer does not see to that.
    fn check(&self, bio: &Bio) -> Result<Request> {
        // Where an empty one is says nothing.
        let is_empty = bio.len_bytes() == 0;
        if !is_empty && !self.is_in_blocks(bio) {
            return Err(EINVAL);
        }
        let flags = bio.flags();
        let nr_sectors = bio.len_bytes() / SECTOR_SIZE as u32;
        if flags.contains(Flags::ATOMIC) && !self.is_in_unit(bio.sector(), nr_sectors) {
            return Err(EINVAL);
        }

        Ok(Request {
            op: match bio.op() {
                Op::Discard => model::Op::Discard,
                Op::WriteZeroes => model::Op::WriteZeroes,
                _ => model::Op::Write,
            },
            flags,
            sector: bio.sector(),
            nr_sectors,
            met: Met::default(),
            delay_us: 0,
            nowait: NoWait(bio.is_nowait()),
        })
    }

    /// Whether sectors are all of one atomic unit.
    pub(super) fn is_in_unit(&self, sector: u64, nr_sectors: u32) -> bool {
        let unit_sectors = u64::from(self.geometry.atomic_unit / SECTOR_SIZE as u32);
        let last = sector.saturating_add(nr_sectors.saturating_sub(1).into());
        sector / unit_sectors == last / unit_sectors
    }

    /// Whether a bio begins and ends where blocks do.
    #[inline]
    pub(super) fn is_in_blocks(&self, bio: &Bio) -> bool {
        // A power of two.
        let block_mask = self.geometry().block_size.wrapping_sub(1);
        // No truncation: these are the lower bits.
        let sector_mask = block_mask / SECTOR_SIZE as u32;
        bio.len_bytes() & block_mask == 0 && bio.sector() as u32 & sector_mask == 0
    }

    fn read(&self, bio: &mut Bio, is_stale: bool) -> Result {
        for mut segment in bio.segments() {
            let (page, mask) = place(&segment).ok_or(EINVAL)?;
            if is_stale {
                self.read_stale(page, mask, &mut segment);
            } else {
                self.read_page(page, mask, &mut segment);
            }
        }
        Ok(())
    }

    /// A flush without data, of the member that begins at the request's sector.
    pub(super) fn flush(&self, request: Request, has_room: bool) -> Result<Served> {
        if !self.hints.has(Hint::Recording) {
            return Ok(self.unrecorded(&request));
        }
        let flush = Request {
            op: model::Op::Flush,
            flags: request.flags | Flags::PREFLUSH,
            nr_sectors: 0,
            ..request
        };
        let mut state = self.state.lock();
        if let Some(mode) = state.life.off() {
            return mode.serve();
        }
        let is_done = state.is_done_at_once(&flush, self);
        if state.recording().is_none() {
            return Ok(self.unrecorded(&request));
        }
        if !is_done && !has_room {
            return Ok(Served::Again);
        }
        let record = state.recording().ok_or(ENODATA)?;
        let prepared = record.prepare(&flush.to_log(0, is_done))?;
        let index = record.push(prepared)?;
        state.submitted(index, &flush, is_done, self)
    }

    #[inline(always)]
    fn write(&self, request: &Request, bio: &mut Bio, has_room: bool) -> Result<Served> {
        let pages = copy_pages(request, bio.segments(), &self.spare);
        self.write_pages(request, pages, has_room)
    }

    /// Writes data that is in `pages`, one for each page that the request touches.
    pub(super) fn write_pages(
        &self,
        request: &Request,
        pages: Result<PageList>,
        has_room: bool,
    ) -> Result<Served> {
        if self.hints.has(Hint::Recording) {
            self.write_recorded(request, pages, has_room)
        } else {
            let pages = pages.map_err(|error| request.nowait.failure(error))?;
            self.write_plain(request, pages)
        }
    }

    /// Likewise, what is not to be recorded.
    pub(super) fn write_plain(&self, request: &Request, pages: PageList) -> Result<Served> {
        let mut state = request.nowait.lock(&self.state)?;
        if let Some(mode) = state.life.off() {
            return mode.serve();
        }
        if state.recording().is_some() {
            return Ok(Served::Again);
        }
        let keep_base = state.life.record().is_some();
        for (page, data) in request.pages().zip(pages) {
            let mask = request.mask(page);
            if !request.nowait.0 {
                state.store.put(page, mask, keep_base, data)?;
            } else if keep_base {
                return Err(EAGAIN);
            } else {
                state.store.try_put(page, mask, data)?;
            }
        }
        Ok(self.unrecorded(request))
    }

    /// Likewise, what is to be recorded.
    pub(super) fn write_recorded(
        &self,
        request: &Request,
        pages: Result<PageList>,
        has_room: bool,
    ) -> Result<Served> {
        let mut state = request.nowait.lock(&self.state)?;
        if let Some(mode) = state.life.off() {
            return mode.serve();
        }
        let is_done = state.is_done_at_once(request, self);
        let Some(record) = state.recording() else {
            return Ok(Served::Again);
        };
        if !is_done && !has_room {
            return Ok(Served::Again);
        }
        let pages = pages.map_err(|error| record.fail(error, request.nowait))?;
        let index = state.apply_write(request, pages, |record, bytes| {
            record.prepare(&request.to_log(bytes, is_done))
        })?;
        state.submitted(index, request, is_done, self)
    }

    /// DISCARD and WRITE_ZEROES: only pages that were written to take any notice.
    pub(super) fn write_zeroes(&self, request: &Request, has_room: bool) -> Result<Served> {
        // What lies below does not change, so it can be looked through unlocked.
        let below = self.below().map_or(Ok(KVVec::new()), |below| {
            written_pages(request.pages(), |page| below.next_written(page))
        });

        let mut state = self.state.lock();
        if let Some(mode) = state.life.off() {
            return mode.serve();
        }
        let is_done = state.is_done_at_once(request, self);
        if !is_done && !has_room {
            return Ok(Served::Again);
        }
        let written = below.and_then(|below| {
            written_pages(request.pages(), |page| {
                let first = below.partition_point(|other| *other < page);
                earliest(state.store.next_written(page), below.get(first).copied())
            })
        });
        if let Some(record) = state.recording() {
            let written = written.map_err(|error| record.truncate(error))?;
            let index = state.apply_zeroes(request, &written, |record, bytes| {
                record.prepare(&request.to_log(bytes, is_done))
            })?;
            return state.submitted(index, request, is_done, self);
        }
        let keep_base = state.life.record().is_some();
        for page in &written? {
            let mask = request.mask(*page);
            if let Some(seed) = self.garbage.filter(|_| request.op == model::Op::Discard) {
                let garbage = garbage_page(seed, *page, mask)?;
                state.store.put(*page, mask, keep_base, garbage)?;
                continue;
            }
            let is_bottom = self.below().is_none();
            state
                .store
                .write_zeroes(*page, mask, keep_base, is_bottom)?;
        }
        Ok(self.unrecorded(request))
    }

    /// What becomes of a bio that took effect and is in no record.
    fn unrecorded(&self, request: &Request) -> Served {
        if self.completion.is_inline() {
            Served::after(request.delay_us)
        } else {
            Served::Later(None)
        }
    }
}

impl Served {
    /// At once, if there is no delay.
    fn after(delay_us: u64) -> Self {
        if delay_us == 0 {
            Self::Done
        } else {
            Self::Later(None)
        }
    }
}

impl Mode {
    /// What becomes of a bio once the power is off.
    pub(super) fn serve(self) -> Result<Served> {
        match self {
            Self::Eio => Err(EIO),
            Self::Hang => Ok(Served::Hangs),
        }
    }
}

impl Request {
    /// As it is logged, with data that takes so much memory.
    pub(super) fn to_log(self, data_bytes: u64, is_done: bool) -> NewBio {
        NewBio {
            op: self.op,
            flags: self.flags,
            sector: self.sector,
            nr_sectors: self.nr_sectors,
            met: self.met,
            data_bytes,
            is_done,
            nowait: self.nowait,
        }
    }
}

/// The pages in `range` that `next` finds.
pub(super) fn written_pages(
    range: Range<u64>,
    next: impl Fn(u64) -> Option<u64>,
) -> Result<KVVec<u64>> {
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
