// SPDX-License-Identifier: GPL-2.0

//! What one write, or a run of them, left in one page.

use super::{
    SectorMask,
    SECTOR_SIZE, //
};
use core::ops::Range;
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

/// The data of one page of the disk.
pub(crate) type DataPage = KBox<[u8; PAGE_SIZE]>;

/// Allocates a page of zeroes.
pub(crate) fn new_page() -> Result<DataPage> {
    KBox::init(pin_init::init_zeroed(), GFP_KERNEL | __GFP_NOWARN)
}

/// Where data for a page comes from. `range` is in bytes of that page.
pub(crate) trait Source {
    /// Copies the bytes `range` of the page to `to`, which is as long.
    fn copy_to(&self, range: Range<usize>, to: &mut [u8]);
}

/// Where data of a page goes. `range` is in bytes of that page.
pub(crate) trait Sink {
    /// Takes `from`, the bytes `range` of the page.
    fn copy_from(&mut self, range: Range<usize>, from: &[u8]);
    /// Takes zeroes for the bytes `range` of the page.
    fn zero(&mut self, range: Range<usize>);
}

impl Source for [u8; PAGE_SIZE] {
    fn copy_to(&self, range: Range<usize>, to: &mut [u8]) {
        if let Some(from) = self.get(range) {
            copy(from, to);
        }
    }
}

impl Sink for [u8; PAGE_SIZE] {
    fn copy_from(&mut self, range: Range<usize>, from: &[u8]) {
        if let Some(to) = self.get_mut(range) {
            copy(from, to);
        }
    }

    fn zero(&mut self, range: Range<usize>) {
        if let Some(to) = self.get_mut(range) {
            to.fill(0);
        }
    }
}

/// As `copy_from_slice`, without its panic: copies what fits.
fn copy(from: &[u8], to: &mut [u8]) {
    let len = from.len().min(to.len());
    if let (Some(from), Some(to)) = (from.get(..len), to.get_mut(..len)) {
        to.copy_from_slice(from);
    }
}

enum Content {
    Zeroes,
    Data(DataPage),
}

/// Some sectors of a page, with their content; through the others one sees what
/// lies below.
pub(crate) struct Layer {
    valid: SectorMask,
    content: Content,
}

impl Layer {
    /// The sectors `valid` of `page`.
    pub(crate) fn data(valid: SectorMask, page: DataPage) -> Self {
        Self {
            valid,
            content: Content::Data(page),
        }
    }

    /// Zeroes in the sectors `valid`; needs no page.
    pub(crate) fn zeroes(valid: SectorMask) -> Self {
        Self {
            valid,
            content: Content::Zeroes,
        }
    }

    /// The sectors it has.
    pub(crate) fn valid(&self) -> SectorMask {
        self.valid
    }

    /// Whether it holds a page of memory.
    pub(crate) fn has_page(&self) -> bool {
        matches!(self.content, Content::Data(_))
    }

    /// Copies those of the sectors `wanted` that it has, and returns which they are.
    pub(crate) fn read(&self, wanted: SectorMask, to: &mut dyn Sink) -> SectorMask {
        let found = wanted.and(self.valid);
        for range in found.runs() {
            match &self.content {
                Content::Zeroes => to.zero(range),
                Content::Data(page) => {
                    if let Some(from) = page.get(range.clone()) {
                        to.copy_from(range, from);
                    }
                }
            }
        }
        found
    }

    /// Puts the sectors `mask` of `from` in place.
    pub(crate) fn write(&mut self, mask: SectorMask, from: &dyn Source) -> Result {
        if let Content::Zeroes = self.content {
            self.content = Content::Data(new_page()?);
        }
        if let Content::Data(page) = &mut self.content {
            for range in mask.runs() {
                if let Some(to) = page.get_mut(range.clone()) {
                    from.copy_to(range, to);
                }
            }
        }
        self.valid = self.valid.or(mask);
        Ok(())
    }

    /// Puts zeroes into the sectors `mask`; frees the page if nothing else is in it.
    pub(crate) fn write_zeroes(&mut self, mask: SectorMask) {
        if mask.contains(self.valid) {
            self.content = Content::Zeroes;
        }
        if let Content::Data(page) = &mut self.content {
            for range in mask.runs() {
                page.zero(range);
            }
        }
        self.valid = self.valid.or(mask);
    }

    /// One layer that shows what `self` on top of `older` shows. Needs no memory.
    pub(crate) fn merge(mut self, mut older: Self) -> Self {
        let below = older.valid.without(self.valid);
        match (&mut self.content, &mut older.content) {
            (Content::Data(page), _) => {
                let _found = older.read(below, &mut **page);
            }
            (Content::Zeroes, Content::Data(_)) if !below.is_empty() => {
                older.write_zeroes(self.valid);
                return older;
            }
            (Content::Zeroes, _) => (),
        }
        self.valid = self.valid.or(older.valid);
        self
    }
}

const _: () = assert!(PAGE_SIZE == super::PAGE_SECTORS * SECTOR_SIZE);
