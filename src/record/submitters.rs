// SPDX-License-Identifier: GPL-2.0

//! Who issued the I/O of a record, and from where: each pair once.

use crate::{
    block::{
        stack::Stack,
        task::TaskId, //
    },
    nowait::NoWait,
    random::mix, //
};
use kernel::{
    prelude::*,
    rbtree::RBTree, //
};

/// A task, and where in the kernel it was.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Submitter {
    pub(crate) task: TaskId,
    /// The hash of its kernel stack; 0: not known.
    pub(crate) stack: u32,
}

/// The hash of the current task's kernel stack; 0 if nothing is known of it.
// Not where it is called from: the memory that it takes on that stack is to be free again.
#[inline(never)]
pub(crate) fn stack_hash() -> u32 {
    let stack = Stack::current();
    let hash = stack.offsets().fold(0, |hash, offset| mix(hash ^ offset));
    if hash == 0 {
        return 0;
    }
    // No truncation: the upper half; but not what stands for nothing known.
    ((hash >> 32) as u32).max(1)
}

/// The submitters seen so far, in order of appearance.
pub(crate) struct Submitters {
    submitters: KVVec<Submitter>,
    /// Where each of them is.
    indices: RBTree<Submitter, u32>,
    /// The one of the latest entry: mostly that of the next, too.
    latest: u32,
}

impl Submitters {
    pub(crate) fn new() -> Self {
        Self {
            submitters: KVVec::new(),
            indices: RBTree::new(),
            latest: 0,
        }
    }

    /// The submitter with that index.
    pub(crate) fn get(&self, index: u32) -> Submitter {
        self.find(index).copied().unwrap_or_default()
    }

    fn find(&self, index: u32) -> Option<&Submitter> {
        self.submitters.get(usize::try_from(index).ok()?)
    }

    /// The index of a submitter, added if it is new.
    pub(crate) fn index_of(&mut self, submitter: Submitter, nowait: NoWait) -> Result<u32> {
        if self.find(self.latest) == Some(&submitter) {
            return Ok(self.latest);
        }
        self.latest = match self.indices.get(&submitter) {
            Some(index) => *index,
            None => {
                let index = u32::try_from(self.submitters.len())?;
                self.submitters.reserve(1, nowait.gfp())?;
                self.indices
                    .try_create_and_insert(submitter, index, nowait.gfp())?;
                let pushed = self.submitters.push_within_capacity(submitter);
                pushed.map_err(|_| ENOMEM)?;
                index
            }
        };
        Ok(self.latest)
    }
}
