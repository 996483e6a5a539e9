// SPDX-License-Identifier: GPL-2.0

//! A bio's data and the pages of the disk that it is for.

use crate::{
    block::{
        Segment,
        SparePages, //
    },
    nowait::NoWait,
    record::Write,
    store::{
        DataPage,
        PageList,
        SectorMask,
        Sink,
        Source,
        PAGE_SECTORS,
        SECTOR_SIZE, //
    }, //
};
use core::ops::Range;
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::Mutex, //
};

/// Where on the disk a segment lies: its page, and the sectors of that. [`None`] if it is
/// not made of whole sectors.
pub(super) fn place(segment: &Segment<'_>) -> Option<(u64, SectorMask)> {
    if segment.len_bytes() % SECTOR_SIZE != 0 {
        return None;
    }
    let page = segment.sector() / PAGE_SECTORS as u64;
    // Most are whole pages.
    if segment.len_bytes() == PAGE_SIZE {
        return Some((page, SectorMask::FULL));
    }
    let first = segment.offset_bytes() / SECTOR_SIZE;
    let end = first + segment.len_bytes() / SECTOR_SIZE;
    Some((page, SectorMask::from_range(first..end)))
}

/// Copies a bio's data, to a page of `spare` for each page of the disk that it touches.
pub(super) fn copy_pages<'a>(
    write: &Write,
    segments: impl Iterator<Item = Segment<'a>>,
    spare: &Mutex<SparePages>,
) -> Result<PageList> {
    let wanted = write.pages();
    if wanted.end - wanted.start == 1 {
        let data = take_page(spare, write.nowait)?;
        for segment in segments {
            let _place = place(&segment).ok_or(EINVAL)?;
            data.write_whole(&segment);
        }
        return Ok(PageList::one(data));
    }
    let pages = take_pages(wanted, spare, write.nowait)?;
    let mut rest = pages.iter();
    let mut current = None;
    for segment in segments {
        let (page, _) = place(&segment).ok_or(EINVAL)?;
        let data = match current {
            Some((number, data)) if number == page => data,
            // Only the sectors that are written count.
            _ => rest.next().ok_or(EIO)?,
        };
        data.write_whole(&segment);
        current = Some((page, data));
    }
    let is_filled = rest.next().is_none();
    drop(rest);
    if is_filled {
        Ok(pages)
    } else {
        Err(EIO)
    }
}

/// A page. Who finds `spare` taken does not wait for it: one that is allocated alone costs less.
fn take_page(spare: &Mutex<SparePages>, nowait: NoWait) -> Result<DataPage> {
    match spare.try_lock() {
        Some(mut spare) => spare.take(nowait.0),
        None => DataPage::new_stale_with(nowait.0),
    }
}

/// A page for each page of the disk in a range.
fn take_pages(wanted: Range<u64>, spare: &Mutex<SparePages>, nowait: NoWait) -> Result<PageList> {
    let mut pages = PageList::with_capacity(usize::try_from(wanted.end - wanted.start)?, nowait)?;
    let mut spare = nowait.lock(spare)?;
    for _ in wanted {
        pages.push(spare.take(nowait.0)?)?;
    }
    Ok(pages)
}

impl Source for Segment<'_> {
    fn copy_to(&self, range: Range<usize>, to: &DataPage) {
        if let Some(offset) = range.start.checked_sub(self.offset_bytes()) {
            to.write_segment(range, self, offset);
        }
    }
}

impl Sink for Segment<'_> {
    fn copy_from(&mut self, range: Range<usize>, from: &DataPage) {
        if let Some(offset) = range.start.checked_sub(self.offset_bytes()) {
            from.read_segment(range, self, offset);
        }
    }

    fn zero(&mut self, range: Range<usize>) {
        if let Some(offset) = range.start.checked_sub(self.offset_bytes()) {
            Segment::zero(self, offset, range.len());
        }
    }
}
