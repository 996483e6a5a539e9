// SPDX-License-Identifier: GPL-2.0

//! A disk with a volatile cache, as one would build it, in all the ways it may behave at once.
//!
//! It has never heard of watermarks, stable or pending writes. It has a medium and a cache of
//! pieces, each the part of a write in one unit. At any moment it may move any piece from the cache
//! to the medium; a unit is written there as a whole, and never gets older. It must do so only
//! before it may say that a flush, a FUA write, or without a cache any write, is complete.
//! What a power cut leaves is the medium. Being lazy in every possible way, it is followed through
//! the set of all media that it could have by now.

use crate::contents::{Cells, Set, Space};

#[derive(Clone, Copy)]
struct Cached {
    version: usize,
    cells: Cells,
    unit: u64,
}

/// The writes that were complete when a flush was submitted, by version, one bit each.
#[derive(Clone, Copy)]
pub struct Flush(u32);

#[derive(Clone)]
pub struct Device<'s> {
    space: &'s Space,
    write_cache: bool,
    cache: Vec<Cached>,
    /// By version, less one: all cells of the write.
    writes: Vec<Cells>,
    completed: u32,
    media: Set,
}

impl<'s> Device<'s> {
    pub fn new(space: &'s Space, write_cache: bool) -> Self {
        let mut media = Set::EMPTY;

        media.insert(0);
        Self {
            space,
            write_cache,
            cache: Vec::new(),
            writes: Vec::new(),
            completed: 0,
            media,
        }
    }

    /// All media that it may have now.
    pub fn media(&self) -> &Set {
        &self.media
    }

    /// A write's data arrives, unit by unit; the version it gets is returned. It may not overlap
    /// one that is in flight.
    pub fn begin(&mut self, by_unit: &[(u64, Cells)]) -> usize {
        let version = self.writes.len() + 1;

        self.writes
            .push(by_unit.iter().fold(0, |all, (_, cells)| all | cells));
        for &(unit, cells) in by_unit {
            // What it replaces is gone: the cache holds one version of a sector. What it replaces
            // in part has to stay whole, for units are written as a whole.
            self.cache
                .retain(|older| older.unit != unit || older.cells & !cells != 0);
            self.cache.push(Cached {
                version,
                cells,
                unit,
            });
        }
        self.destage();
        version
    }

    /// Any number of pieces go to the medium, in any order.
    fn destage(&mut self) {
        loop {
            let before = self.media;

            for piece in &self.cache {
                self.media = self
                    .space
                    .with_choice(&self.media, piece.version, piece.cells);
            }
            if self.media == before {
                return;
            }
        }
    }

    /// Rules out the media that do not hold a write, or something newer in its place.
    fn require(&mut self, version: usize) {
        let cells = self.writes[version - 1];
        let mut media = Set::EMPTY;

        for content in self.media.iter() {
            // Writing it again changes nothing if it is there, or newer is.
            if self.space.write(content, version, cells) == content {
                media.insert(content);
            }
        }
        self.media = media;
        self.destage();
    }

    /// A write is reported complete.
    pub fn complete(&mut self, version: usize, fua: bool) {
        if fua || !self.write_cache {
            self.require(version);
        }
        self.completed |= 1 << version;
    }

    /// A flush arrives.
    pub fn flush(&self) -> Flush {
        Flush(self.completed)
    }

    /// A flush is complete.
    pub fn flushed(&mut self, flush: Flush) {
        for version in 1..=self.writes.len() {
            if (flush.0 >> version) & 1 == 1 {
                self.require(version);
            }
        }
    }
}
