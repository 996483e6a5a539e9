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

mod chain;
#[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
mod chain_tests;
mod layer;
mod mask;
mod page_list;
mod pieces;
mod slot;
#[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
pub(crate) mod tests;
mod tree;
#[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
mod tree_tests;
mod versions;

pub(crate) use crate::block::DataPage;
pub(crate) use chain::Version;
pub(crate) use layer::{
    Layer,
    Sink,
    Source, //
};
pub(crate) use mask::SectorMask;
pub(crate) use page_list::PageList;
pub(crate) use pieces::Pieces;
pub(crate) use slot::{
    Slot,
    Survival, //
};
pub(crate) use tree::{
    Found,
    Tree, //
};

use crate::nowait::NoWait;
use kernel::{
    prelude::*,
    sync::Arc, //
};
use tree::{
    Pages,
    LEAF_PAGES, //
};

/// Bytes in a sector.
pub(crate) const SECTOR_SIZE: usize = 512;
/// Sectors in a page of the store.
pub(crate) const PAGE_SECTORS: usize = 8;

/// The pages that `nr_sectors` from `sector` on touch.
pub(crate) fn pages(sector: u64, nr_sectors: u64) -> core::ops::Range<u64> {
    let end = sector.saturating_add(nr_sectors);
    sector / PAGE_SECTORS as u64..end.div_ceil(PAGE_SECTORS as u64)
}

/// The content of a disk. It takes memory for what was written, none for its size.
pub(crate) struct Store {
    tree: Arc<Tree>,
    /// The leaves where there may be chains, each by its first page, so that ending a
    /// record takes time in proportion to the record.
    listed: KVVec<u64>,
}

impl Store {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            tree: Arc::new(Tree::new()?, GFP_KERNEL)?,
            listed: KVVec::new(),
        })
    }

    /// The table of its pages, for those who do without the store.
    pub(crate) fn tree(&self) -> Arc<Tree> {
        self.tree.clone()
    }

    /// Lets pages be written to in place without the store.
    pub(crate) fn open(&mut self) {
        self.tree.open();
    }

    /// No more, and waits until none is.
    pub(crate) fn close(&mut self) {
        self.tree.close();
    }

    /// Shows a page's slot to `f`, if it has one.
    fn slot<R>(&self, page: u64, f: impl FnOnce(&Slot) -> R) -> Option<R> {
        self.tree.leaf(page)?.lock().slot(page).map(f)
    }

    /// Has `f` change a page's slot, which is made if need be.
    fn slot_or_new<R>(&mut self, page: u64, f: impl FnOnce(&mut Slot) -> Result<R>) -> Result<R> {
        let leaf = self.tree.leaf_or_new(page, NoWait(false))?;
        f(leaf.lock_mut().slot_mut(page).ok_or(EINVAL)?)
    }

    /// The first page at or after `page` that was ever written to.
    pub(crate) fn next_written(&self, page: u64) -> Option<u64> {
        let is_written = |pages: &Pages, page| {
            let slot = pages.slot(page);
            slot.is_some_and(|slot| !slot.is_empty())
        };
        let mut from = page;
        loop {
            let (first, leaf) = self.tree.next_leaf(from)?;
            let end = first - first % LEAF_PAGES + LEAF_PAGES;
            let pages = leaf.lock();
            if let Some(page) = (first..end).find(|page| is_written(&pages, *page)) {
                return Some(page);
            }
            from = end;
        }
    }

    /// Drops all content.
    pub(crate) fn clear(&mut self) {
        for (_, leaf) in self.tree.leaves() {
            let mut pages = leaf.lock_mut();
            pages.is_listed = false;
            // Most are empty.
            for slot in pages.slots.iter_mut().filter(|slot| !slot.is_empty()) {
                *slot = Slot::Empty;
            }
        }
        self.listed = KVVec::new();
    }

    /// Takes over the content of another, whose own is gone then. On failure nothing
    /// has changed.
    pub(crate) fn replace(&mut self, other: Self) -> Result {
        for (first, _) in other.tree.leaves() {
            self.tree.leaf_or_new(first, NoWait(false))?;
        }
        self.clear();
        for (first, leaf) in other.tree.leaves() {
            let own = self.tree.leaf_or_new(first, NoWait(false))?;
            // One lock at a time: they are of the same kind.
            let is_listed = leaf.lock().is_listed;
            own.lock_mut().is_listed = is_listed;
            for page in first..first + LEAF_PAGES {
                let slot = leaf.lock_mut().slot_mut(page).map(core::mem::take);
                if let (Some(own), Some(slot)) = (own.lock_mut().slot_mut(page), slot) {
                    *own = slot;
                }
            }
        }
        self.listed = other.listed;
        Ok(())
    }

    /// As [`Tree::read`].
    #[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
    pub(crate) fn read(&self, page: u64, wanted: SectorMask, to: &mut dyn Sink) -> SectorMask {
        self.tree.read(page, wanted, to)
    }

    /// As [`Tree::read`], but as a crash left them.
    pub(crate) fn read_crashed(
        &self,
        page: u64,
        wanted: SectorMask,
        survival: &dyn Survival,
        to: &mut dyn Sink,
    ) -> SectorMask {
        self.slot(page, |slot| slot.read_crashed(page, wanted, survival, to))
            .unwrap_or(wanted)
    }

    /// Whether a page was written to since the record began.
    pub(crate) fn is_chained(&self, page: u64) -> bool {
        self.slot(page, Slot::is_chain).unwrap_or(false)
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
        self.slot_or_new(page, |slot| slot.write_plain(mask, from))
    }

    /// As [`Self::write`], from a page that is taken over where nothing was before.
    pub(crate) fn put(
        &mut self,
        page: u64,
        mask: SectorMask,
        keep_base: bool,
        data: DataPage,
    ) -> Result {
        if keep_base {
            return self.write(page, mask, keep_base, &data);
        }
        self.slot_or_new(page, |slot| slot.put_plain(mask, data))
    }

    /// As [`Self::put`], without waiting: [`EAGAIN`] if that can't be, or if something was
    /// there before.
    pub(crate) fn try_put(&mut self, page: u64, mask: SectorMask, data: DataPage) -> Result {
        let leaf = self.tree.leaf_or_new(page, NoWait(true));
        let pages = leaf.map_err(|_| EAGAIN)?.lock_mut_if(false);
        match pages.ok_or(EAGAIN)?.slot_mut(page) {
            Some(slot) if slot.is_empty() => slot.put_plain(mask, data),
            _ => Err(EAGAIN),
        }
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
        if bottom && self.slot(page, Slot::is_empty).unwrap_or(true) {
            return Ok(());
        }
        if keep_base {
            self.make_chain(page)?;
        }
        self.slot_or_new(page, |slot| slot.zero_plain(mask, bottom && !keep_base))
    }

    /// Gives a page a chain, if it has none.
    fn make_chain(&mut self, page: u64) -> Result {
        let leaf = self.tree.leaf_or_new(page, NoWait(false))?;
        let mut pages = leaf.lock_mut();
        list(&mut self.listed, &mut pages, page, NoWait(false))?;
        pages.slot_mut(page).ok_or(EINVAL)?.chain_mut()?;
        Ok(())
    }

    /// What the entry with index `entry` wrote to a page.
    pub(crate) fn version(&self, page: u64, entry: u32) -> Option<Layer> {
        self.slot(page, |slot| slot.version(entry).cloned())?
    }

    /// What a page held when the record began.
    pub(crate) fn base(&self, page: u64) -> Option<Layer> {
        self.slot(page, |slot| slot.base().cloned())?
    }

    /// The first page at or after `page` that has a base.
    pub(crate) fn next_base(&self, page: u64) -> Option<u64> {
        let mut from = page;
        loop {
            let page = self.next_written(from)?;
            if self.base(page).is_some() {
                return Some(page);
            }
            from = page.checked_add(1)?;
        }
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
        let mut slots = KVVec::new();
        for first in &self.listed {
            let Some(leaf) = self.tree.leaf(*first) else {
                continue;
            };
            let pages = leaf.lock();
            let chains = (*first..).zip(&pages.slots);
            for (page, slot) in chains.filter(|(_, slot)| slot.is_chain()) {
                let survivor = slot.crashed(page, survival)?;
                slots.push(survivor, GFP_KERNEL | __GFP_NOWARN)?;
            }
        }
        let mut survivors = slots.iter_mut();
        self.end_chains(|slot| {
            if let Some(survivor) = survivors.next() {
                core::mem::swap(slot, survivor);
            }
        });
        Ok(slots)
    }

    /// Has `end` turn all chains into something else, leaf by leaf as they are listed, and in each
    /// by page.
    fn end_chains(&mut self, mut end: impl FnMut(&mut Slot)) {
        for first in core::mem::replace(&mut self.listed, KVVec::new()) {
            if let Some(leaf) = self.tree.leaf(first) {
                let mut pages = leaf.lock_mut();
                pages.is_listed = false;
                pages
                    .slots
                    .iter_mut()
                    .filter(|slot| slot.is_chain())
                    .for_each(&mut end);
            }
        }
    }
}

/// Puts the leaf of a page on the list of those where there may be chains, if it isn't.
fn list(listed: &mut KVVec<u64>, pages: &mut Pages, page: u64, nowait: NoWait) -> Result {
    if !pages.is_listed {
        listed.push(page - page % LEAF_PAGES, nowait.gfp())?;
        pages.is_listed = true;
    }
    Ok(())
}
