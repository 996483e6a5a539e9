// SPDX-License-Identifier: GPL-2.0

//! What a page shows, found under a lock, to be copied after it.

use super::{
    DataPage,
    Sink,
    PAGE_SECTORS, //
};
use core::ops::Range;

/// Parts of pages, and zeroes ([`None`]), and where they go.
pub(crate) struct Pieces {
    pieces: [Option<(Option<DataPage>, Range<usize>)>; PAGE_SECTORS],
    len: usize,
}

impl Pieces {
    pub(crate) fn new() -> Self {
        Self {
            pieces: [const { None }; PAGE_SECTORS],
            len: 0,
        }
    }

    fn push(&mut self, page: Option<DataPage>, range: Range<usize>) {
        // Each has a sector at least, and none overlap, so there is room.
        if let Some(piece) = self.pieces.get_mut(self.len) {
            *piece = Some((page, range));
            self.len += 1;
        }
    }

    /// Copies them to where they go.
    pub(crate) fn copy_to(self, to: &mut dyn Sink) {
        for (page, range) in self.pieces.into_iter().flatten() {
            match page {
                Some(page) => to.copy_from(range, &page),
                None => to.zero(range),
            }
        }
    }
}

impl Sink for Pieces {
    fn copy_from(&mut self, range: Range<usize>, from: &DataPage) {
        self.push(Some(from.clone()), range);
    }

    fn zero(&mut self, range: Range<usize>) {
        self.push(None, range);
    }
}
