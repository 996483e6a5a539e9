// SPDX-License-Identifier: GPL-2.0

//! What the writes of a record leave in the store: a version of each page that they touch.

use super::{
    list,
    tree::{
        Pages,
        LEAF_PAGES, //
    },
    Layer,
    Store,
    Version, //
};
use crate::nowait::NoWait;
use kernel::prelude::*;

impl Store {
    /// Adds what the entry with index `entry` wrote to some pages, which ascend: `layers`, of each
    /// the newest version. On failure nothing was added.
    pub(crate) fn push_versions(
        &mut self,
        entry: u32,
        pages: impl DoubleEndedIterator<Item = u64> + Clone,
        mut layers: impl Iterator<Item = Layer>,
        nowait: NoWait,
    ) -> Result {
        let mut ends = pages.clone();
        let Some(first) = ends.next() else {
            return Ok(());
        };
        let last = ends.next_back().unwrap_or(first);
        let is_with = |first: u64, page: u64| page / LEAF_PAGES == first / LEAF_PAGES;
        if is_with(first, last) {
            let leaf = self.tree.leaf_or_new(first, nowait)?;
            let mut locked = leaf.lock_mut_if(!nowait.0).ok_or(EAGAIN)?;
            if first == last {
                // Most writes: the page is looked up once.
                list(&mut self.listed, &mut locked, first, nowait)?;
                let slot = locked.slot_mut(first).ok_or(EINVAL)?;
                let layer = layers.next().ok_or(EINVAL)?;
                return slot.push_version(Version { entry, layer }, nowait);
            }
            reserve(&mut self.listed, &mut locked, pages.clone(), nowait)?;
            return push(&mut locked, entry, pages.zip(layers));
        }

        // Of several leaves one can't be sure to get the locks twice.
        if nowait.0 {
            return Err(EAGAIN);
        }
        let mut rest = pages.clone().peekable();
        while let Some(first) = rest.peek().copied() {
            let leaf = self.tree.leaf_or_new(first, nowait)?;
            let those = core::iter::from_fn(|| rest.next_if(|page| is_with(first, *page)));
            reserve(&mut self.listed, &mut leaf.lock_mut(), those, nowait)?;
        }
        let mut rest = pages.zip(layers).peekable();
        while let Some(first) = rest.peek().map(|(page, _)| *page) {
            let leaf = self.tree.leaf_or_new(first, nowait)?;
            let those = core::iter::from_fn(|| rest.next_if(|(page, _)| is_with(first, *page)));
            push(&mut leaf.lock_mut(), entry, those)?;
        }
        Ok(())
    }
}

/// Makes room for a version more in each of these pages, which are all of one leaf.
fn reserve(
    listed: &mut KVVec<u64>,
    leaf: &mut Pages,
    pages: impl Iterator<Item = u64>,
    nowait: NoWait,
) -> Result {
    for page in pages {
        list(listed, leaf, page, nowait)?;
        let chain = leaf.slot_mut(page).ok_or(EINVAL)?.chain_mut()?;
        chain.reserve(nowait)?;
    }
    Ok(())
}

/// Adds a version of these pages, for which there is room.
fn push(leaf: &mut Pages, entry: u32, versions: impl Iterator<Item = (u64, Layer)>) -> Result {
    for (page, layer) in versions {
        let chain = leaf.slot_mut(page).ok_or(EINVAL)?.chain_mut()?;
        chain.push(Version { entry, layer })?;
    }
    Ok(())
}
