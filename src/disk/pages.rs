// SPDX-License-Identifier: GPL-2.0

//! Which pages of a disk hold something, and what a discard leaves in them.

use crate::{
    random::garbage,
    store::{
        DataPage,
        SectorMask,
        PAGE_SECTORS,
        SECTOR_SIZE, //
    }, //
};
use core::ops::Range;
use kernel::prelude::*;

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
