// SPDX-License-Identifier: GPL-2.0

//! A scope in which memory allocation starts no I/O.
//!
//! C header: [`include/linux/sched/mm.h`](srctree/include/linux/sched/mm.h)

use super::shim;
use core::marker::PhantomData;

/// While this lives, the current task's allocations behave as `GFP_NOIO`.
///
/// On the way of a bio an allocation that waits for I/O may wait for the very
/// disk that the bio is for.
pub(crate) struct NoIo {
    flags: u32,
    /// The flag is the current task's: not [`Send`].
    _task: PhantomData<*mut ()>,
}

impl NoIo {
    /// Enters the scope.
    pub(crate) fn enter() -> Self {
        Self {
            // SAFETY: Only touches the current task's flags.
            flags: unsafe { shim::powercut_memalloc_noio_save() },
            _task: PhantomData,
        }
    }
}

impl Drop for NoIo {
    fn drop(&mut self) {
        // SAFETY: `flags` came from the save in `enter`, on this task, since `Self`
        // is not `Send`.
        unsafe { shim::powercut_memalloc_noio_restore(self.flags) };
    }
}
