// SPDX-License-Identifier: GPL-2.0

//! Pages of data, which nobody keeps.

#[path = "../../../src/store/mask.rs"]
mod mask;

use std::cell::RefCell;

use crate::prelude::*;

pub(crate) use mask::SectorMask;

pub(crate) const SECTOR_SIZE: usize = 512;
pub(crate) const PAGE_SECTORS: usize = 8;

pub(crate) fn pages(sector: u64, nr_sectors: u64) -> core::ops::Range<u64> {
    let end = sector.saturating_add(nr_sectors);
    sector / PAGE_SECTORS as u64..end.div_ceil(PAGE_SECTORS as u64)
}

/// The parts of a page that were written.
pub(crate) struct DataPage(RefCell<Vec<u8>>);

impl DataPage {
    pub(crate) fn new_stale() -> Result<Self> {
        Ok(Self(RefCell::default()))
    }

    pub(crate) fn write(&self, offset: usize, bytes: &[u8]) {
        assert!(offset + bytes.len() <= PAGE_SECTORS * SECTOR_SIZE);
        self.0.borrow_mut().extend_from_slice(bytes);
    }
}

#[derive(Default)]
pub(crate) struct PageList(Vec<DataPage>);

impl PageList {
    pub(crate) fn push(&mut self, page: DataPage) -> Result {
        self.0.push(page);
        Ok(())
    }

    /// All that was written.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let pages = self.0.iter();
        pages.flat_map(|page| page.0.borrow().clone()).collect()
    }
}
