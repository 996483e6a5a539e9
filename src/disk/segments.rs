// SPDX-License-Identifier: GPL-2.0

//! A bio's data and the pages of the disk that it is for.

use super::io::Request;
use crate::{
    block::Segment,
    store::{
        new_page,
        DataPage,
        SectorMask,
        Sink,
        Source,
        PAGE_SECTORS,
        SECTOR_SIZE, //
    }, //
};
use core::ops::Range;
use kernel::prelude::*;

/// Where on the disk a segment lies: its page, and the sectors of that.
pub(super) fn place(segment: &Segment<'_>) -> (u64, SectorMask) {
    let page = segment.sector() / PAGE_SECTORS as u64;
    let nr_sectors = (segment.len_bytes() / SECTOR_SIZE) as u64;
    (
        page,
        SectorMask::of_page(page, segment.sector(), nr_sectors),
    )
}

/// Copies a bio's data, to a new page for each page of the disk that it touches.
pub(super) fn copy_pages<'a>(
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
