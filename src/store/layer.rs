// SPDX-License-Identifier: GPL-2.0

//! What one write, or a run of them, left in one page.

use super::SectorMask;
use crate::block::DataPage;
use core::ops::Range;
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// Where data for a page comes from. `range` is in bytes of that page.
pub(crate) trait Source {
    /// Copies the bytes `range` to the same place in `to`.
    fn copy_to(&self, range: Range<usize>, to: &DataPage);
}

/// Where data of a page goes. `range` is in bytes of that page.
pub(crate) trait Sink {
    /// Takes the bytes `range` of `from`.
    fn copy_from(&mut self, range: Range<usize>, from: &DataPage);
    /// Takes zeroes for the bytes `range`.
    fn zero(&mut self, range: Range<usize>);
}

impl Source for DataPage {
    fn copy_to(&self, range: Range<usize>, to: &DataPage) {
        DataPage::copy_to(self, range, to);
    }
}

impl Sink for DataPage {
    fn copy_from(&mut self, range: Range<usize>, from: &DataPage) {
        from.copy_to(range, self);
    }

    fn zero(&mut self, range: Range<usize>) {
        DataPage::zero(self, range);
    }
}

impl Sink for [u8; PAGE_SIZE] {
    fn copy_from(&mut self, range: Range<usize>, from: &DataPage) {
        let offset_bytes = range.start;
        if let Some(to) = self.get_mut(range) {
            from.read(offset_bytes, to);
        }
    }

    fn zero(&mut self, range: Range<usize>) {
        if let Some(to) = self.get_mut(range) {
            to.fill(0);
        }
    }
}

/// Some sectors of a page, with their content; through the others one sees what
/// lies below.
#[derive(Clone)]
// The tag first, where it is of most use.
#[repr(C)]
pub(crate) struct Layer {
    tag: Tag,
    valid: SectorMask,
    /// [`None`]: zeroes. What of it is not in `valid` may be anything.
    page: Option<DataPage>,
}

/// Has one value only, so that what can be a layer, or two, or something else, has others left
/// to tell these apart, and takes no more memory than the layers.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Tag {
    Layer,
}

impl Layer {
    /// No sector.
    pub(crate) const NOTHING: Self = Self::zeroes(SectorMask::EMPTY);

    /// Whether it has no sector.
    pub(crate) fn is_nothing(&self) -> bool {
        self.valid.is_empty()
    }

    /// The sectors `valid` of `page`.
    pub(crate) fn data(valid: SectorMask, page: DataPage) -> Self {
        Self {
            page: Some(page),
            ..Self::zeroes(valid)
        }
    }

    /// Zeroes in the sectors `valid`; needs no page.
    pub(crate) const fn zeroes(valid: SectorMask) -> Self {
        Self {
            tag: Tag::Layer,
            valid,
            page: None,
        }
    }

    /// The sectors it has.
    pub(crate) fn valid(&self) -> SectorMask {
        self.valid
    }

    /// Its page of memory, if it has one.
    pub(crate) fn page(&self) -> Option<&DataPage> {
        self.page.as_ref()
    }

    /// Copies those of the sectors `wanted` that it has, and returns which they are.
    pub(crate) fn read(&self, wanted: SectorMask, to: &mut dyn Sink) -> SectorMask {
        let found = wanted.and(self.valid);
        for range in found.runs() {
            match &self.page {
                None => to.zero(range),
                Some(page) => to.copy_from(range, page),
            }
        }
        found
    }

    /// Puts the sectors `mask` of `from` in place.
    pub(crate) fn write(&mut self, mask: SectorMask, from: &dyn Source) -> Result {
        let page = match self.page.take() {
            Some(page) => page,
            None => DataPage::new()?,
        };
        for range in mask.runs() {
            from.copy_to(range, &page);
        }
        self.page = Some(page);
        self.valid = self.valid.or(mask);
        Ok(())
    }

    /// Puts zeroes into the sectors `mask`; frees the page if nothing else is in it.
    pub(crate) fn write_zeroes(&mut self, mask: SectorMask) {
        if mask.contains(self.valid) {
            self.page = None;
        }
        if let Some(page) = &self.page {
            for range in mask.runs() {
                page.zero(range);
            }
        }
        self.valid = self.valid.or(mask);
    }

    /// One layer that shows what `self` on top of `older` shows. Needs no memory.
    pub(crate) fn merge(mut self, mut older: Self) -> Self {
        let below = older.valid.without(self.valid);
        match (&mut self.page, &older.page) {
            (Some(page), _) => {
                let _found = older.read(below, page);
            }
            (None, Some(_)) if !below.is_empty() => {
                older.write_zeroes(self.valid);
                return older;
            }
            (None, _) => (),
        }
        self.valid = self.valid.or(older.valid);
        self
    }
}
