// SPDX-License-Identifier: GPL-2.0

//! The way of a bio.
//!
//! It arrives at [`Node::submit_bio`]. What needs no more than pages that are there is served at
//! once ([`in_place`](super::in_place)), all else by [`RecordedDisk::serve`], which makes a
//! [`Write`] of it and has that take effect: a flush by [`RecordedDisk::flush`], and so on. All
//! that happens in the context of whoever submitted it; when it is complete is another matter
//! ([`Served`]).

use super::{
    hints::{
        Hint,
        Hinted, //
    },
    in_flight::{
        Room,
        Served,
        Ticket, //
    },
    life::Life,
    segments::{
        copy_pages,
        place, //
    },
    trigger::Mode,
    RecordedDisk,
    State, //
};
use crate::{
    block::{
        noio,
        Bio,
        Operations,
        ReqOp, //
    },
    fault::{
        Access,
        Injected,
        Kinds, //
    },
    model,
    nowait::NoWait,
    record::{
        stack_hash,
        Origin,
        Write, //
    },
    store::SECTOR_SIZE, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// A block device of a disk, which may have several.
pub(crate) struct Node {
    disk: Arc<RecordedDisk>,
    /// Where it begins on the disk.
    start: u64,
}

impl Node {
    pub(crate) fn new(disk: Arc<RecordedDisk>, start: u64) -> Self {
        Self { disk, start }
    }
}

#[vtable]
impl Operations for Node {
    #[inline]
    fn submit_bio(&self, mut bio: Bio) {
        bio.set_origin(self.start);
        match self.disk.serve_in_place(&mut bio) {
            Some(result) => bio.end(result),
            None => self.disk.serve(bio),
        }
    }

    fn open(&self) -> Result {
        if self.disk.hints.has(Hint::Dying) {
            Err(EBUSY)
        } else {
            Ok(())
        }
    }
}

impl RecordedDisk {
    /// Serves a bio that takes more than pages that are there.
    // Not where it is called from: that is kept short.
    #[inline(never)]
    fn serve(self: &Arc<Self>, mut bio: Bio) {
        let mut delay_us = 0;
        let served = noio(|| {
            let mut write = Write::asked_by(&bio)?;
            // Here, for all of them: so the driver's own part of their stacks is the same.
            if self.stacks && bio.op() != ReqOp::Read {
                write.stack = stack_hash();
            }
            if !self.check(&bio, &write)? {
                return Ok((Served::Done, None));
            }
            let mut injected = Injected::default();
            let mut hints = self.hints.get();
            if hints.has(Hint::OffOrFaulty) {
                injected = self.inject(bio.op(), &write)?;
                write = write.with_faults(injected.kinds);
                write.delay_us = injected.delay_us;
            }
            delay_us = write.delay_us;
            let mut may_wait = !self.completion.is_inline() || delay_us != 0;
            loop {
                let room = if may_wait {
                    Some(self.room(write.nowait)?)
                } else {
                    None
                };
                match self.apply(&mut bio, &mut write, hints, &injected, room.is_some())? {
                    // It took no effect: it may have to wait, or the disk is not as the hints said.
                    Served::Again => may_wait = true,
                    Served::Hangs if room.is_none() => may_wait = true,
                    served => return Ok((served, room)),
                }
                hints = self.hints.get();
            }
        });
        match served {
            Ok((Served::Later(ticket), Some(room))) => self.delay(room, bio, ticket, delay_us),
            Ok((Served::Hangs, Some(room))) => self.hang(room, bio),
            Ok(_) => bio.end(Ok(())),
            Err(error) => bio.end(Err(error)),
        }
    }

    /// Room for a bio that may have to wait. If there is none to be had, a record
    /// ends here, as it does where there is no memory for anything else.
    fn room(&self, nowait: NoWait) -> Result<Room> {
        Room::new(nowait.gfp()).map_err(|error| match self.state.lock().recording() {
            Some(record) => record.fail(error, nowait),
            None => nowait.failure(error),
        })
    }

    /// Whether a bio asks for anything. [`EINVAL`] if it is
    /// not made of whole blocks, or is to be atomic and crosses a border of units: for bio-based
    /// disks the block layer does not see to that. [`EAGAIN`] if it may not wait and would have to.
    #[inline]
    fn check(&self, bio: &Bio, write: &Write) -> Result<bool> {
        let entry = &write.entry;
        if entry.op == model::Op::Flush {
            if !entry.preflush {
                let is_off = self.state.lock().life.off().is_some();
                return if is_off { Err(EIO) } else { Ok(false) };
            }
        } else if !self.is_in_blocks(bio)
            || bio.is_atomic() && !self.is_in_unit(entry.sector, entry.nr_sectors)
        {
            return Err(EINVAL);
        }
        if write.nowait.0 {
            let has_data = entry.op == model::Op::Write && bio.op() == ReqOp::Write;
            let may_be_served = has_data && self.completion.is_inline();
            if !may_be_served || self.hints.has(Hint::OffOrFaulty) {
                return Err(EAGAIN);
            }
        }
        Ok(true)
    }

    /// Whether sectors are all of one atomic unit.
    pub(super) fn is_in_unit(&self, sector: u64, nr_sectors: u32) -> bool {
        let unit_sectors = u64::from(self.properties.atomic_unit / SECTOR_SIZE as u32);
        let last = sector.saturating_add(nr_sectors.saturating_sub(1).into());
        sector / unit_sectors == last / unit_sectors
    }

    /// Whether a bio begins and ends where blocks do.
    #[inline]
    pub(super) fn is_in_blocks(&self, bio: &Bio) -> bool {
        // A power of two.
        let block_mask = self.properties().block_size.wrapping_sub(1);
        // No truncation: these are the lower bits.
        let sector_mask = block_mask / SECTOR_SIZE as u32;
        bio.len_bytes() & block_mask == 0 && bio.sector() as u32 & sector_mask == 0
    }

    /// The faults that a bio is to meet, if the power is on. The error that it fails with, if that
    /// is one of them.
    fn inject(&self, op: ReqOp, write: &Write) -> Result<Injected> {
        let mut state = self.state.lock();
        match Access::of(op, write) {
            Some(access) if state.life.off().is_none() => state.meet(&access),
            _ => Ok(Injected::default()),
        }
    }

    /// Has a bio take effect.
    fn apply(
        &self,
        bio: &mut Bio,
        write: &mut Write,
        hints: Hinted,
        injected: &Injected,
        has_room: bool,
    ) -> Result<Served> {
        if hints.has(Hint::OffOrFaulty) {
            if let Some(mode) = self.state.lock().life.off() {
                return mode.serve();
            }
        }
        match write.entry.op {
            _ if bio.op() == ReqOp::Read => {
                self.read(bio, injected.is(Kinds::STALE))?;
                Ok(Served::after(write.delay_us))
            }
            model::Op::Flush => self.flush(write, has_room),
            model::Op::Write if injected.kinds.is_empty() => {
                let pages = copy_pages(write, bio.segments(), &self.spare);
                self.write_pages(write, pages, has_room)
            }
            model::Op::Write => self.write_faulty(write, bio, injected, has_room),
            model::Op::WriteZeroes | model::Op::Discard => self.write_zeroes(write, has_room),
            model::Op::Mark => Err(EINVAL),
        }
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

    /// A flush without data, of the member that begins at its sector.
    pub(super) fn flush(&self, flush: &mut Write, has_room: bool) -> Result<Served> {
        if !self.hints.has(Hint::Recording) {
            return Ok(self.unrecorded(flush));
        }
        self.record(flush, has_room, |state, flush, origin| {
            let record = state.recording().ok_or(ENODATA)?;
            record.push(flush, origin, 0, |_| Ok(()))
        })
    }

    /// Has a bio take effect and be recorded, by `apply`, which gives the index of its entry.
    /// [`Served::Again`] if there is no record.
    #[inline]
    pub(super) fn record(
        &self,
        write: &mut Write,
        has_room: bool,
        apply: impl FnOnce(&mut State, &mut Write, Origin) -> Result<u32>,
    ) -> Result<Served> {
        let mut state = write.nowait.lock(&self.state)?;
        if let Some(mode) = state.life.off() {
            return mode.serve();
        }
        let Life::Recording { trigger, .. } = &state.life else {
            return Ok(Served::Again);
        };
        let is_inline = self.completion.is_inline() && write.delay_us == 0;
        let is_done = is_inline && trigger.is_none();
        if !is_done && !has_room {
            return Ok(Served::Again);
        }
        let index = apply(&mut state, write, Origin::Submit { is_done })?;
        if is_done {
            return Ok(Served::Done);
        }
        state.trigger(index, self);
        if let Some(mode) = state.life.off() {
            return mode.serve();
        }
        let record = state.recording().ok_or(ENODATA)?;
        if is_inline {
            record.complete_bio_inline(index)?;
            return Ok(Served::Done);
        }
        Ok(Served::Later(Some(Ticket {
            generation: record.generation(),
            index,
        })))
    }

    /// What becomes of a bio that took effect and is in no record.
    pub(super) fn unrecorded(&self, write: &Write) -> Served {
        if self.completion.is_inline() {
            Served::after(write.delay_us)
        } else {
            Served::Later(None)
        }
    }
}

impl Write {
    /// What a bio asks for, a read as if it were a write. [`EOPNOTSUPP`] if that is something else.
    #[inline(always)]
    fn asked_by(bio: &Bio) -> Result<Self> {
        let nr_sectors = bio.len_bytes() / SECTOR_SIZE as u32;
        let (op, sector) = match bio.op() {
            // Where it is says nothing.
            ReqOp::Write if nr_sectors == 0 => (model::Op::Flush, bio.origin()),
            ReqOp::Read | ReqOp::Write => (model::Op::Write, bio.sector()),
            ReqOp::WriteZeroes => (model::Op::WriteZeroes, bio.sector()),
            ReqOp::Discard => (model::Op::Discard, bio.sector()),
            ReqOp::Other => return Err(EOPNOTSUPP),
        };
        let mut write = Self::new(op, bio.flags(), sector, nr_sectors);
        write.nowait = NoWait(bio.is_nowait());
        Ok(write)
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
