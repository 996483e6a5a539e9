// SPDX-License-Identifier: GPL-2.0

//! The multi-version block store: page -> versions.
//!
//! A page of the disk is empty, or one [`Layer`] written in place, or, once it is
//! written to while there is a record, a chain: the base below, a version per
//! recorded write on top, and above them what was written after the record was
//! stopped. The page of memory that holds a version's data is the log's copy of it.
//!
//! A layer knows which sectors it has; through the others one sees the layer
//! below. So a write smaller than a page takes nothing of its neighbours along,
//! and a version that did not survive leaves no trace.
//!
//! The store knows nothing of legality: whoever reads a crash state says which
//! versions survived.

mod layer;
mod mask;
mod slot;
#[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
pub(crate) mod tests;

pub(crate) use layer::{
    new_page,
    DataPage,
    Layer,
    Sink,
    Source, //
};
pub(crate) use mask::SectorMask;
pub(crate) use slot::{
    Slot,
    Survival,
    Version, //
};

use kernel::{
    prelude::*,
    rbtree::RBTree, //
};

/// Bytes in a sector.
pub(crate) const SECTOR_SIZE: usize = 512;
/// Sectors in a page of the store.
pub(crate) const PAGE_SECTORS: usize = 8;
/// Pages in a leaf of the table: 2 MiB of disk.
const LEAF_PAGES: u64 = 512;

/// The pages that `nr_sectors` from `sector` on touch.
pub(crate) fn pages(sector: u64, nr_sectors: u64) -> core::ops::Range<u64> {
    let end = sector.saturating_add(nr_sectors);
    sector / PAGE_SECTORS as u64..end.div_ceil(PAGE_SECTORS as u64)
}

/// The content of a disk. It takes memory for what was written, none for its size.
pub(crate) struct Store {
    leaves: RBTree<u64, KVVec<Slot>>,
    /// The pages that have a chain, so that ending a record takes time in
    /// proportion to the record.
    chained: KVVec<u64>,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self {
            leaves: RBTree::new(),
            chained: KVVec::new(),
        }
    }

    fn slot(&self, page: u64) -> Option<&Slot> {
        // No truncation: less than `LEAF_PAGES`.
        self.leaves
            .get(&(page / LEAF_PAGES))?
            .get((page % LEAF_PAGES) as usize)
    }

    fn slot_mut(&mut self, page: u64) -> Option<&mut Slot> {
        self.leaves
            .get_mut(&(page / LEAF_PAGES))?
            .get_mut((page % LEAF_PAGES) as usize)
    }

    /// The slot of a page, made if need be.
    fn slot_or_new(&mut self, page: u64) -> Result<&mut Slot> {
        let key = page / LEAF_PAGES;
        if self.leaves.get(&key).is_none() {
            let mut leaf = KVVec::with_capacity(LEAF_PAGES as usize, GFP_KERNEL | __GFP_NOWARN)?;
            while leaf.push_within_capacity(Slot::Empty).is_ok() {}
            self.leaves
                .try_create_and_insert(key, leaf, GFP_KERNEL | __GFP_NOWARN)?;
        }
        self.slot_mut(page).ok_or(ENOMEM)
    }

    /// The first page at or after `page` that was ever written to.
    pub(crate) fn next_written(&self, page: u64) -> Option<u64> {
        let mut from = page;
        loop {
            let cursor = self.leaves.cursor_lower_bound(&(from / LEAF_PAGES))?;
            let (key, leaf) = cursor.current();
            let first = key.checked_mul(LEAF_PAGES)?;
            let skip = from.saturating_sub(first);
            let found = leaf
                .iter()
                .zip(first..)
                .skip(usize::try_from(skip).ok()?)
                .find(|(slot, _)| !slot.is_empty());
            match found {
                Some((_, page)) => return Some(page),
                None => from = first.checked_add(LEAF_PAGES)?,
            }
        }
    }

    /// Copies those of the sectors `wanted` of a page that the store has, as they
    /// are now, and returns the others.
    pub(crate) fn read(&self, page: u64, wanted: SectorMask, to: &mut dyn Sink) -> SectorMask {
        match self.slot(page) {
            Some(slot) => slot.read(wanted, to),
            None => wanted,
        }
    }

    /// As [`Self::read`], but as a crash left them.
    pub(crate) fn read_crashed(
        &self,
        page: u64,
        wanted: SectorMask,
        survival: &dyn Survival,
        to: &mut dyn Sink,
    ) -> SectorMask {
        match self.slot(page) {
            Some(slot) => slot.read_crashed(page, wanted, survival, to),
            None => wanted,
        }
    }

    /// Whether a page was written to since the record began.
    pub(crate) fn is_chained(&self, page: u64) -> bool {
        self.slot(page).is_some_and(Slot::is_chain)
    }

    /// Writes the sectors `mask` of a page in place. `keep_base`: there is a
    /// (stopped) record, whose base and versions must stay.
    pub(crate) fn write(
        &mut self,
        page: u64,
        mask: SectorMask,
        keep_base: bool,
        from: &dyn Source,
    ) -> Result {
        if keep_base {
            self.make_chain(page)?;
        }
        self.slot_or_new(page)?.write_plain(mask, from)
    }

    /// Zeroes the sectors `mask` of a page in place, likewise. `bottom`: nothing
    /// lies below this store.
    pub(crate) fn write_zeroes(
        &mut self,
        page: u64,
        mask: SectorMask,
        keep_base: bool,
        bottom: bool,
    ) -> Result {
        if bottom && self.slot(page).is_none_or(Slot::is_empty) {
            return Ok(());
        }
        if keep_base {
            self.make_chain(page)?;
        }
        self.slot_or_new(page)?
            .zero_plain(mask, bottom && !keep_base);
        Ok(())
    }

    fn make_chain(&mut self, page: u64) -> Result {
        self.chained.reserve(1, GFP_KERNEL | __GFP_NOWARN)?;
        let (_, is_new) = self.slot_or_new(page)?.chain_mut()?;
        if is_new {
            self.chained
                .push_within_capacity(page)
                .map_err(|_| ENOMEM)?;
        }
        Ok(())
    }

    /// Gets ready for one more version of a page, so that [`Self::push_version`]
    /// can't fail. The content stays as it is.
    pub(crate) fn reserve_version(&mut self, page: u64) -> Result {
        self.make_chain(page)?;
        let (chain, _) = self.slot_or_new(page)?.chain_mut()?;
        chain.reserve()
    }

    /// Adds a page's newest version, for which there must be room.
    pub(crate) fn push_version(&mut self, page: u64, version: Version) -> Result {
        let (chain, _) = self.slot_mut(page).ok_or(ENOMEM)?.chain_mut()?;
        chain.push(version)
    }

    /// What the entry with index `entry` wrote to a page.
    pub(crate) fn version(&self, page: u64, entry: u32) -> Option<&Layer> {
        self.slot(page)?.version(entry)
    }

    /// What a page held when the record began.
    pub(crate) fn base(&self, page: u64) -> Option<&Layer> {
        self.slot(page)?.base()
    }

    /// Goes back to the base: drops all that was written since the record began.
    pub(crate) fn reset(&mut self) {
        self.end_chains(Slot::reset);
    }

    /// Makes the present content the only one. Needs no memory.
    pub(crate) fn settle(&mut self) {
        self.end_chains(Slot::settle);
    }

    /// Makes what a crash left, as [`Self::read_crashed`] shows it, the only content.
    /// Returns what to free. On failure all stays as it was.
    pub(crate) fn survive(&mut self, survival: &dyn Survival) -> Result<KVVec<Slot>> {
        let mut slots = KVVec::with_capacity(self.chained.len(), GFP_KERNEL | __GFP_NOWARN)?;
        for page in &self.chained {
            let mut data = new_page()?;
            let slot = self.slot(*page).ok_or(EINVAL)?;
            let rest = slot.read_crashed(*page, SectorMask::FULL, survival, &mut *data);
            let there = SectorMask::FULL.without(rest);
            let slot = match there.is_empty() {
                true => Slot::Empty,
                false => Slot::Plain(Layer::data(there, data)),
            };
            slots.push_within_capacity(slot).map_err(|_| ENOMEM)?;
        }
        let chained = core::mem::replace(&mut self.chained, KVVec::new());
        for (page, new) in chained.iter().zip(slots.iter_mut()) {
            if let Some(slot) = self.slot_mut(*page) {
                core::mem::swap(slot, new);
            }
        }
        Ok(slots)
    }

    fn end_chains(&mut self, end: fn(&mut Slot)) {
        let chained = core::mem::replace(&mut self.chained, KVVec::new());
        for page in &chained {
            if let Some(slot) = self.slot_mut(*page) {
                end(slot);
            }
        }
    }
}
