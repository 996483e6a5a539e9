// SPDX-License-Identifier: GPL-2.0

//! Who issued the I/O of a record: each task once.

use crate::{
    block::task::TaskId,
    patience::Patience, //
};
use kernel::prelude::*;

/// The tasks seen so far, in order of appearance.
pub(crate) struct Tasks {
    tasks: KVVec<TaskId>,
    /// The one of the latest entry: mostly that of the next, too.
    latest: u32,
}

impl Tasks {
    pub(crate) fn new() -> Self {
        Self {
            tasks: KVVec::new(),
            latest: 0,
        }
    }

    /// The task with that index.
    pub(crate) fn get(&self, index: u32) -> TaskId {
        usize::try_from(index)
            .ok()
            .and_then(|index| self.tasks.get(index))
            .copied()
            .unwrap_or_default()
    }

    /// The index of a task, added if it is new.
    pub(crate) fn index_of(&mut self, task: TaskId, patience: Patience) -> Result<u32> {
        let known = if usize::try_from(self.latest)
            .ok()
            .and_then(|latest| self.tasks.get(latest))
            == Some(&task)
        {
            return Ok(self.latest);
        } else {
            self.tasks.iter().position(|other| *other == task)
        };

        let index = match known {
            Some(index) => index,
            None => {
                self.tasks.push(task, patience.gfp())?;
                self.tasks.len() - 1
            }
        };
        self.latest = u32::try_from(index)?;
        Ok(self.latest)
    }
}
