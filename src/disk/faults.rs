// SPDX-License-Identifier: GPL-2.0

//! Faults that a disk was told to have, and what they do to its data.

use super::{
    in_flight::Served,
    segments::copy_pages,
    Member,
    RecordedDisk,
    State, //
};
use crate::{
    block::{
        noio,
        Bio,
        Flags,
        ReqOp, //
    },
    fault::{
        Access,
        AccessOp,
        Faults,
        Injected,
        Kinds, //
    },
    model,
    record::Write,
    store::{
        DataPage,
        PageList,
        SectorMask,
        Sink,
        PAGE_SECTORS,
        SECTOR_SIZE, //
    }, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

impl Access {
    /// What rules see of a bio; [`None`] if it does nothing.
    pub(super) fn of(bio: ReqOp, write: &Write) -> Option<Self> {
        let is_read = bio == ReqOp::Read;
        let entry = &write.entry;
        let op = match entry.op {
            _ if is_read => AccessOp::Read,
            model::Op::Flush => AccessOp::Flush,
            model::Op::Write | model::Op::WriteZeroes => AccessOp::Write,
            model::Op::Discard => AccessOp::Discard,
            model::Op::Mark => return None,
        };
        Some(Self {
            op,
            sector: entry.sector,
            nr_sectors: entry.nr_sectors,
            flushes: !is_read && write.flags.contains(Flags::PREFLUSH),
            is_fua: !is_read && write.flags.contains(Flags::FUA),
            has_data: !is_read && entry.op == model::Op::Write,
        })
    }
}

impl State {
    /// The faults that an I/O is to meet; the record is told of those that leave nothing in the
    /// log. The error that it fails with, if that is one of them.
    pub(super) fn meet(&mut self, access: &Access) -> Result<Injected> {
        let injected = self.faults.inject(access)?;
        let fails = Kinds::EIO | Kinds::BAD_SECTOR;
        let unlogged = injected.kinds.and(fails | Kinds::STALE);
        if !unlogged.is_empty() {
            if let Some(record) = self.recording() {
                record.met(unlogged);
            }
        }
        if injected.kinds.and(fails).is_empty() {
            Ok(injected)
        } else {
            Err(EIO)
        }
    }
}

impl RecordedDisk {
    /// Has `f` change what faults the disk has.
    pub(crate) fn change_faults(&self, f: impl FnOnce(&mut Faults) -> Result) -> Result {
        let mut state = self.state.lock();
        // Bios take this lock, too.
        let changed = noio(|| f(&mut state.faults));
        state.update(self);
        changed
    }

    /// Shows `f` what faults it has.
    pub(crate) fn with_faults<R>(&self, f: impl FnOnce(&Faults) -> R) -> R {
        noio(|| f(&self.state.lock().faults))
    }

    /// Serves a write of data that is to meet faults.
    // Not where it is called from: few writes do.
    #[inline(never)]
    pub(super) fn write_faulty(
        &self,
        asked: &Write,
        bio: &mut Bio,
        injected: &Injected,
        has_room: bool,
    ) -> Result<Served> {
        let mut write = *asked;
        if injected.is(Kinds::MISDIRECTED) {
            write.entry.sector = self.within(asked, injected.sector);
            write.asked = asked.entry.sector;
        }
        let mut copy = || {
            if injected.is(Kinds::LOST) {
                return Ok(PageList::default());
            }
            let pages = copy_pages(asked, bio.segments(), &self.spare)?;
            corrupt(asked, &pages, injected);
            moved(asked, &write, pages)
        };
        let pages = copy();
        self.write_pages(&mut write, pages, has_room)
    }

    /// Where a write that is to go to `sector` ends up: no further than the block device that
    /// it was for.
    fn within(&self, write: &Write, sector: u64) -> u64 {
        let has = |member: &&Member| {
            let end = member.start.saturating_add(member.nr_sectors);
            (member.start..end).contains(&write.entry.sector)
        };
        match self.members().as_slice().iter().find(has) {
            None => sector,
            Some(member) => {
                let nr_sectors = u64::from(write.entry.nr_sectors);
                let room = member.nr_sectors.saturating_sub(nr_sectors);
                sector.clamp(member.start, member.start.saturating_add(room))
            }
        }
    }

    /// As [`Self::read_page`], but what was there before the newest write to the page, as
    /// far as the disk still knows: what a record keeps, or lies below.
    pub(super) fn read_stale(&self, page: u64, wanted: SectorMask, to: &mut dyn Sink) {
        let has_below = self.below().is_some();
        let rest = self.tree.read_older(page, wanted, has_below, to);
        self.read_below(page, rest, to);
    }
}

/// Changes bytes of a write's data, if it is to be corrupted.
pub(super) fn corrupt(write: &Write, data: &PageList, injected: &Injected) {
    let len_bytes = u64::from(write.entry.nr_sectors) * SECTOR_SIZE as u64;
    let before = write.entry.sector % PAGE_SECTORS as u64 * SECTOR_SIZE as u64;
    for (at, change) in injected.corrupted_bytes(len_bytes) {
        // No truncation: a bio has less than 4 GiB.
        let at = (before + at) as usize;
        if let Some(page) = data.iter().nth(at / PAGE_SIZE) {
            let mut byte = [0];
            page.read(at % PAGE_SIZE, &mut byte);
            page.write(at % PAGE_SIZE, &byte.map(|byte| byte ^ change));
        }
    }
}

/// The data of a write for other sectors than it was for.
pub(super) fn moved(from: &Write, to: &Write, data: PageList) -> Result<PageList> {
    let page_sectors = PAGE_SECTORS as u64;
    let (from, to) = (&from.entry, &to.entry);
    if from.sector % page_sectors == to.sector % page_sectors {
        return Ok(data);
    }
    let place = |first: u64, n: u64| {
        let sector = first % page_sectors + n;
        // No truncation: a bio has less than 2^32 sectors.
        let (page, sector) = (sector / page_sectors, sector % page_sectors);
        (page as usize, sector as usize * SECTOR_SIZE)
    };
    let mut moved = PageList::default();
    let mut source = data.iter().enumerate().peekable();
    for n in 0..u64::from(to.nr_sectors) {
        let (page, offset) = place(to.sector, n);
        if moved.len() <= page {
            moved.push(DataPage::new()?)?;
        }
        let (from_page, from_offset) = place(from.sector, n);
        while source.next_if(|(index, _)| *index < from_page).is_some() {}
        let mut sector = [0; SECTOR_SIZE];
        let (_, from_data) = source.peek().ok_or(EIO)?;
        from_data.read(from_offset, &mut sector);
        moved.last().ok_or(EIO)?.write(offset, &sector);
    }
    Ok(moved)
}
