// SPDX-License-Identifier: GPL-2.0

//! Which entries of a log are looked for: those that flush, those with FUA, and zeroes.

use super::write::Write;
use crate::model;
use core::ops::Range;
use kernel::prelude::*;

/// Indices of entries, which ascend.
type List = KVVec<u32>;

/// See the module's documentation.
pub(super) struct Lists {
    /// The entries that flush, for each member.
    flushes: [List; model::MAX_MEMBERS],
    /// The writes with FUA.
    fua_writes: List,
    /// The writes of zeroes and discards that were done.
    zeroes: List,
}

impl Lists {
    pub(super) fn new() -> Self {
        Self {
            flushes: [const { List::new() }; model::MAX_MEMBERS],
            fua_writes: List::new(),
            zeroes: List::new(),
        }
    }

    /// Room on the lists that an entry may have to be on.
    pub(super) fn reserve(&mut self, write: &Write, members: &model::Members) -> Result {
        let flags = write.nowait.gfp();
        if write.promises() {
            for list in self.flushes.iter_mut().take(members.count()) {
                list.reserve(1, flags)?;
            }
            self.fua_writes.reserve(1, flags)?;
        }
        if write.is_zeroes() {
            self.zeroes.reserve(1, flags)?;
        }
        Ok(())
    }

    /// Puts an entry on the lists where it belongs, which have room.
    pub(super) fn put(&mut self, write: &Write, index: u32, members: &model::Members) -> Result {
        if write.promises() {
            let entry = write.to_model();
            if entry.flush_complete().is_some() {
                let list = self.flushes.get_mut(members.of(entry.sector));
                put(list.ok_or(EINVAL)?, index)?;
            }
            if entry.is_write() && entry.fua {
                put(&mut self.fua_writes, index)?;
            }
        }
        if write.is_zeroes() {
            put(&mut self.zeroes, index)?;
        }
        Ok(())
    }

    /// The newest entry in a range that flushes a member.
    pub(super) fn newest_flush(&self, within: Range<usize>, member: usize) -> Option<usize> {
        newest(self.flushes.get(member)?, within)
    }

    /// The newest write in a range that has FUA.
    pub(super) fn newest_fua(&self, within: Range<usize>) -> Option<usize> {
        newest(&self.fua_writes, within)
    }

    /// The `n`-th of the writes of zeroes and discards from that index on.
    pub(super) fn zeroes_from(&self, first: usize, n: usize) -> Option<u32> {
        let before = |index: &u32| (*index as usize) < first;
        let first = self.zeroes.partition_point(before);
        self.zeroes.get(first + n).copied()
    }
}

/// Appends an index to a list that has room.
fn put(list: &mut List, index: u32) -> Result {
    list.push_within_capacity(index).map_err(|_| ENOMEM)
}

/// The highest of `indices` in `within`.
fn newest(indices: &[u32], within: Range<usize>) -> Option<usize> {
    let end = indices.partition_point(|index| (*index as usize) < within.end);
    let index = *indices.get(end.checked_sub(1)?)? as usize;
    (index >= within.start).then_some(index)
}
