// SPDX-License-Identifier: GPL-2.0

//! A scope in which memory allocation starts no I/O.
//!
//! C header: [`include/linux/sched/mm.h`](srctree/include/linux/sched/mm.h)

use super::shim;

/// Runs `f` with the current task's allocations behaving as `GFP_NOIO`
/// (`memalloc_noio_save`, `memalloc_noio_restore`).
///
/// On the way of a bio an allocation that waits for I/O may wait for the very
/// disk that the bio is for. So may one under a lock that such a bio waits for.
#[inline]
pub(crate) fn noio<R>(f: impl FnOnce() -> R) -> R {
    // SAFETY: Only touches the current task's flags.
    let flags = unsafe { shim::powercut_memalloc_noio_save() };
    let result = f();
    // SAFETY: `flags` came from the save above, on this task: scopes nest as closures do, and
    // a panic does not unwind.
    unsafe { shim::powercut_memalloc_noio_restore(flags) };
    result
}
