// SPDX-License-Identifier: GPL-2.0

//! Who issues an I/O.

use super::shim;
use kernel::current;

/// Length of a task's name (`TASK_COMM_LEN`), its NUL counted.
pub(crate) const COMM_LEN: usize = kernel::bindings::TASK_COMM_LEN as usize;

/// A thread's number and name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct TaskId {
    /// The thread's id in the initial namespace.
    pub(crate) pid: u32,
    /// Its name, padded with NULs.
    pub(crate) comm: [u8; COMM_LEN],
}

impl TaskId {
    /// The current task's.
    pub(crate) fn current() -> Self {
        let mut comm = [0; COMM_LEN];
        // SAFETY: The buffer is `TASK_COMM_LEN` bytes long.
        unsafe { shim::powercut_get_current_comm(comm.as_mut_ptr().cast()) };
        Self {
            pid: current!().pid().unsigned_abs(),
            comm,
        }
    }
}
