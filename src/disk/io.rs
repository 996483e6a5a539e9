// SPDX-License-Identifier: GPL-2.0

//! The way of a bio.
//!
//! [`RecordedDisk::submit_bio`] tells what it is; a flush arrives at
//! [`RecordedDisk::flush`], and so on. Each takes effect here, in the context of
//! whoever submitted it; when it is complete is another matter ([`Served`]).

use super::{
    apply::garbage_page,
    in_flight::Served,
    power::Off,
    segments::{
        copy_pages,
        place, //
    },
    RecordedDisk, //
};
use crate::{
    block::{
        Bio,
        Flags,
        NoIo,
        Op, //
    },
    fault::{
        Access,
        Fate,
        Kinds,
        Met, //
    },
    model,
    patience::Patience,
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
    sync::{
        atomic::Relaxed,
        Arc, //
    }, //
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
    pub(crate) patience: Patience,
}

impl Request {
    /// The pages it touches: none if it is lost.
    pub(crate) fn pages(&self) -> Range<u64> {
        match self.met.kinds.contains(Kinds::LOST) {
            true => 0..0,
            false => store::pages(self.sector, u64::from(self.nr_sectors)),
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
    fn submit_further(self: &Arc<Self>, mut bio: Bio) {
        if bio.is_nowait() && !self.can_hurry(&bio) {
            return bio.end(Err(EAGAIN));
        }
        let _noio = NoIo::enter();
        let mut fate = Fate::default();
        match self.serve(&mut bio, &mut fate) {
            Ok(Served::Done) => bio.end(Ok(())),
            Ok(later) => self.keep(bio, later, fate.delay_us),
            Err(error) => bio.end(Err(error)),
        }
    }

    /// Whether a bio that may not wait is worth a try.
    fn can_hurry(&self, bio: &Bio) -> bool {
        let is_write = bio.op() == Op::Write && bio.len_bytes() != 0;
        is_write && self.completion.is_inline() && !self.is_odd.load(Relaxed)
    }

    /// Serves a bio that `fate` may be in store for.
    fn serve(&self, bio: &mut Bio, fate: &mut Fate) -> Result<Served> {
        let mut request = self.check(bio)?;
        let op = bio.op();
        if self.is_odd.load(Relaxed) {
            let mut state = self.state.lock();
            if let Some(off) = state.supply.off() {
                return off.serve();
            }
            if let Some(access) = Access::of(op, &request) {
                *fate = state.meet(&access)?;
                request.met.kinds = fate.kinds;
                request.delay_us = fate.delay_us;
            }
        }

        match op {
            Op::Read => {
                self.read(bio, fate.is(Kinds::STALE))?;
                Ok(Served::after(fate.delay_us))
            }
            Op::Write if request.nr_sectors == 0 => match request.flags.contains(Flags::PREFLUSH) {
                true => self.flush(Request {
                    sector: bio.origin(),
                    ..request
                }),
                // Neither data nor a flush: there is nothing to do.
                false => Ok(Served::Done),
            },
            Op::Write if fate.kinds.is_empty() => self.write(&request, bio),
            Op::Write => self.write_faulty(&request, bio, fate),
            Op::Discard | Op::WriteZeroes => self.write_zeroes(request),
            Op::Other => Err(EOPNOTSUPP),
        }
    }

    /// What a bio asks for. [`EINVAL`] if it is not made of whole blocks: for
    /// bio-based disks the block layer does not see to that.
    fn check(&self, bio: &Bio) -> Result<Request> {
        if !self.is_in_blocks(bio) {
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
            nr_sectors: bio.len_bytes() / SECTOR_SIZE as u32,
            met: Met::default(),
            delay_us: 0,
            patience: match bio.is_nowait() {
                true => Patience::NoWait,
                false => Patience::Wait,
            },
        })
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
            match is_stale {
                true => self.read_stale(page, mask, &mut segment),
                false => self.read_page(page, mask, &mut segment),
            }
        }
        Ok(())
    }

    /// A flush without data, of the member that begins at the request's sector.
    pub(super) fn flush(&self, request: Request) -> Result<Served> {
        if !self.recording_hint() {
            return Ok(self.unrecorded(&request));
        }
        let mut state = self.state.lock();
        if let Some(off) = state.supply.off() {
            return off.serve();
        }
        match state.recording() {
            None => Ok(self.unrecorded(&request)),
            Some(record) => {
                record.reserve(0, true, request.patience)?;
                let flush = Request {
                    op: model::Op::Flush,
                    flags: request.flags | Flags::PREFLUSH,
                    nr_sectors: 0,
                    ..request
                };
                let is_done = state.is_done_at_once(&flush, self);
                let record = state.recording().ok_or(ENODATA)?;
                let index = record.push_bio(&flush.to_log(0, is_done))?;
                state.submitted(index, &flush, is_done, self)
            }
        }
    }

    #[inline(always)]
    fn write(&self, request: &Request, bio: &mut Bio) -> Result<Served> {
        loop {
            let pages = copy_pages(request, bio.segments(), &self.spare);
            if let Some(served) = self.write_pages(request, pages)? {
                return Ok(served);
            }
        }
    }

    /// Writes data that is in `pages`, one for each page that the request touches. [`None`] if
    /// the record began or ended meanwhile: then it is to be tried again.
    pub(super) fn write_pages(
        &self,
        request: &Request,
        pages: Result<PageList>,
    ) -> Result<Option<Served>> {
        match self.recording_hint() {
            true => self.write_recorded(request, pages),
            false => {
                let pages = pages.map_err(|error| request.patience.failure(error))?;
                self.write_plain(request, pages)
            }
        }
    }

    /// Likewise, what is not to be recorded. [`None`] if it is.
    pub(super) fn write_plain(&self, request: &Request, pages: PageList) -> Result<Option<Served>> {
        let mut state = request.patience.lock(&self.state)?;
        if let Some(off) = state.supply.off() {
            return off.serve().map(Some);
        }
        if state.recording().is_some() {
            return Ok(None);
        }
        let keep_base = state.record.is_some();
        for (page, data) in request.pages().zip(pages) {
            let mask = request.mask(page);
            match request.patience {
                Patience::Wait => state.store.put(page, mask, keep_base, data)?,
                Patience::NoWait if keep_base => return Err(EAGAIN),
                Patience::NoWait => state.store.try_put(page, mask, data)?,
            }
        }
        Ok(Some(self.unrecorded(request)))
    }

    /// Likewise, what is to be recorded. [`None`] if there is nothing to record it in.
    pub(super) fn write_recorded(
        &self,
        request: &Request,
        pages: Result<PageList>,
    ) -> Result<Option<Served>> {
        let mut state = request.patience.lock(&self.state)?;
        if let Some(off) = state.supply.off() {
            return off.serve().map(Some);
        }
        let Some(record) = state.recording() else {
            return Ok(None);
        };
        let pages = pages.map_err(|error| record.fail(error, request.patience))?;
        let is_done = state.is_done_at_once(request, self);
        let index = state.apply_write(request, pages, |record, bytes| {
            record.push_bio(&request.to_log(bytes, is_done)).map(|_| ())
        })?;
        state.submitted(index, request, is_done, self).map(Some)
    }

    /// DISCARD and WRITE_ZEROES: only pages that were written to take any notice.
    pub(super) fn write_zeroes(&self, request: Request) -> Result<Served> {
        // What lies below does not change, so it can be looked through unlocked.
        let below = self.below().map_or(Ok(KVVec::new()), |below| {
            written_pages(request.pages(), |page| below.next_written(page))
        });

        let mut state = self.state.lock();
        if let Some(off) = state.supply.off() {
            return off.serve();
        }
        let written = below.and_then(|below| {
            written_pages(request.pages(), |page| {
                let first = below.partition_point(|other| *other < page);
                earliest(state.store.next_written(page), below.get(first).copied())
            })
        });
        if let Some(record) = state.recording() {
            let written = written.map_err(|error| record.truncate(error))?;
            let is_done = state.is_done_at_once(&request, self);
            let index = state.apply_zeroes(&request, &written, |record, bytes| {
                record.push_bio(&request.to_log(bytes, is_done)).map(|_| ())
            })?;
            return state.submitted(index, &request, is_done, self);
        }
        let keep_base = state.record.is_some();
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
        Ok(self.unrecorded(&request))
    }

    /// What becomes of a bio that took effect and is in no record.
    fn unrecorded(&self, request: &Request) -> Served {
        match self.completion.is_inline() {
            true => Served::after(request.delay_us),
            false => Served::Later(None),
        }
    }
}

impl Served {
    /// At once, if there is no delay.
    fn after(delay_us: u64) -> Self {
        match delay_us {
            0 => Self::Done,
            _ => Self::Later(None),
        }
    }
}

impl Off {
    /// What becomes of a bio.
    pub(super) fn serve(self) -> Result<Served> {
        match self {
            Self::Eio => Err(EIO),
            Self::Hang => Ok(Served::Never),
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
            patience: self.patience,
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
