// SPDX-License-Identifier: GPL-2.0

//! The pages of a write.

use super::DataPage;
use crate::nowait::NoWait;
use kernel::{
    alloc::{
        allocator::KVmalloc,
        kvec, //
    },
    prelude::*, //
};

/// Pages in order. A single one, as most writes have, takes no memory beside it.
#[derive(Default)]
pub(crate) struct PageList {
    first: Option<DataPage>,
    // Not an empty one: to drop that takes a call of the allocator.
    others: Option<KVVec<DataPage>>,
}

impl PageList {
    /// A single page.
    pub(crate) fn one(page: DataPage) -> Self {
        Self {
            first: Some(page),
            others: None,
        }
    }

    /// Room for so many.
    pub(crate) fn with_capacity(nr_pages: usize, nowait: NoWait) -> Result<Self> {
        let others = match nr_pages.saturating_sub(1) {
            0 => None,
            others => Some(KVVec::with_capacity(others, nowait.gfp())?),
        };
        Ok(Self {
            first: None,
            others,
        })
    }

    /// Adds a page.
    pub(crate) fn push(&mut self, page: DataPage) -> Result {
        if self.first.is_none() {
            self.first = Some(page);
        } else {
            let others = self.others.get_or_insert_with(KVVec::new);
            others.push(page, GFP_KERNEL | __GFP_NOWARN)?;
        }
        Ok(())
    }

    fn others(&self) -> &[DataPage] {
        self.others.as_deref().unwrap_or_default()
    }

    /// The page added last.
    pub(crate) fn last(&self) -> Option<&DataPage> {
        self.others().last().or(self.first.as_ref())
    }

    /// Their number.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others().len()
    }

    /// The pages, first to last.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &DataPage> {
        Iterator::chain(self.first.iter(), self.others())
    }
}

/// See [`PageList::into_iter`].
pub(crate) struct Pages {
    first: Option<DataPage>,
    others: Option<kvec::IntoIter<DataPage, KVmalloc>>,
}

impl Iterator for Pages {
    type Item = DataPage;

    fn next(&mut self) -> Option<DataPage> {
        match self.first.take() {
            Some(first) => Some(first),
            None => self.others.as_mut()?.next(),
        }
    }
}

impl IntoIterator for PageList {
    type Item = DataPage;
    type IntoIter = Pages;

    fn into_iter(self) -> Pages {
        Pages {
            first: self.first,
            others: self.others.map(IntoIterator::into_iter),
        }
    }
}
