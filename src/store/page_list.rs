// SPDX-License-Identifier: GPL-2.0

//! The pages of a write.

use super::DataPage;
use kernel::prelude::*;

/// Pages in order. A single one, as most writes have, takes no memory beside it.
pub(crate) struct PageList {
    first: Option<DataPage>,
    others: KVVec<DataPage>,
}

impl PageList {
    pub(crate) fn new() -> Self {
        Self {
            first: None,
            others: KVVec::new(),
        }
    }

    /// Adds a page.
    pub(crate) fn push(&mut self, page: DataPage) -> Result {
        if self.first.is_none() {
            self.first = Some(page);
        } else {
            self.others.push(page, GFP_KERNEL | __GFP_NOWARN)?;
        }
        Ok(())
    }

    /// The page added last.
    pub(crate) fn last(&self) -> Option<&DataPage> {
        self.others.last().or(self.first.as_ref())
    }

    /// Their number.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    /// The pages, first to last.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &DataPage> {
        Iterator::chain(self.first.iter(), self.others.iter())
    }
}

impl IntoIterator for PageList {
    type Item = DataPage;
    type IntoIter = core::iter::Chain<
        core::option::IntoIter<DataPage>,
        <KVVec<DataPage> as IntoIterator>::IntoIter,
    >;

    fn into_iter(self) -> Self::IntoIter {
        Iterator::chain(self.first.into_iter(), self.others)
    }
}
