// SPDX-License-Identifier: GPL-2.0

//! What was read of a crash state.
//!
//! Two states that agree on all that a check reads are the same to it: whoever
//! explores states asks for this to know which pieces made a difference.

use crate::store::{
    SectorMask,
    PAGE_SECTORS,
    SECTOR_SIZE, //
};
use kernel::{
    prelude::*,
    rbtree::RBTree, //
};

/// Sectors that were read, by page. Only pages that the record has anything of are
/// added, so it never takes more memory than the record.
pub(crate) struct ReadSet {
    pages: RBTree<u64, SectorMask>,
    /// False once there was no memory to add a page.
    is_whole: bool,
}

impl ReadSet {
    pub(crate) fn new() -> Self {
        Self {
            pages: RBTree::new(),
            is_whole: true,
        }
    }

    /// Adds sectors of a page.
    pub(crate) fn add(&mut self, page: u64, mask: SectorMask) {
        if let Some(known) = self.pages.get_mut(&page) {
            *known = known.or(mask);
            return;
        }
        let flags = GFP_KERNEL | __GFP_NOWARN;
        if self.pages.try_create_and_insert(page, mask, flags).is_err() {
            self.is_whole = false;
        }
    }

    /// Calls `f` with each run of sectors, first sector and number, in ascending
    /// order. [`ENOMEM`] if there was no memory to keep them all.
    pub(crate) fn each_run(&self, mut f: impl FnMut(u64, u64) -> Result) -> Result {
        if !self.is_whole {
            return Err(ENOMEM);
        }
        let mut run = 0..0;
        for (page, mask) in self.pages.iter() {
            let page_sector = page * PAGE_SECTORS as u64;
            for range in mask.runs() {
                let first = page_sector + (range.start / SECTOR_SIZE) as u64;
                let end = page_sector + (range.end / SECTOR_SIZE) as u64;
                if run.end == first && !run.is_empty() {
                    run.end = end;
                    continue;
                }
                if !run.is_empty() {
                    f(run.start, run.end - run.start)?;
                }
                run = first..end;
            }
        }
        if run.is_empty() {
            Ok(())
        } else {
            f(run.start, run.end - run.start)
        }
    }
}
