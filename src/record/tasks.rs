// SPDX-License-Identifier: GPL-2.0

//! Who issued the I/O of a record: each task once.

use crate::{
    block::task::TaskId,
    nowait::NoWait, //
};
use kernel::{
    prelude::*,
    rbtree::RBTree, //
};

/// The tasks seen so far, in order of appearance.
pub(crate) struct Tasks {
    tasks: KVVec<TaskId>,
    /// Where each of them is.
    indices: RBTree<TaskId, u32>,
    /// The one of the latest entry: mostly that of the next, too.
    latest: u32,
}

impl Tasks {
    pub(crate) fn new() -> Self {
        Self {
            tasks: KVVec::new(),
            indices: RBTree::new(),
            latest: 0,
        }
    }

    /// The task with that index.
    pub(crate) fn get(&self, index: u32) -> TaskId {
        self.find(index).copied().unwrap_or_default()
    }

    fn find(&self, index: u32) -> Option<&TaskId> {
        self.tasks.get(usize::try_from(index).ok()?)
    }

    /// The index of a task, added if it is new.
    pub(crate) fn index_of(&mut self, task: TaskId, nowait: NoWait) -> Result<u32> {
        if self.find(self.latest) == Some(&task) {
            return Ok(self.latest);
        }
        self.latest = match self.indices.get(&task) {
            Some(index) => *index,
            None => {
                let index = u32::try_from(self.tasks.len())?;
                self.tasks.reserve(1, nowait.gfp())?;
                self.indices
                    .try_create_and_insert(task, index, nowait.gfp())?;
                self.tasks.push_within_capacity(task).map_err(|_| ENOMEM)?;
                index
            }
        };
        Ok(self.latest)
    }
}
