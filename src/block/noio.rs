// SPDX-License-Identifier: GPL-2.0

//! A scope in which memory allocation starts no I/O.
//!
//! C header: [`include/linux/sched/mm.h`](srctree/include/linux/sched/mm.h)

use super::shim;
#[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
use kernel::prelude::*;

/// Runs `f` with the current task's allocations behaving as `GFP_NOIO`
/// (`memalloc_noio_save`, `memalloc_noio_restore`).
///
/// On the way of a bio an allocation that waits for I/O may wait for the very
/// disk that the bio is for. So may one under a lock that such a bio waits for.
///
/// # Examples
///
/// ```
#[doc = include_str!("examples/noio.rs")]
/// ```
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

#[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
#[kunit_tests(powercut_noio)]
mod tests {
    use super::*;

    /// Whether allocations start no I/O now.
    fn is_noio() -> bool {
        // SAFETY: Only touches the current task's flags.
        let added = unsafe { shim::powercut_memalloc_noio_save() };
        // SAFETY: `added` came from the save above, on this task.
        unsafe { shim::powercut_memalloc_noio_restore(added) };
        added == 0
    }

    #[test]
    fn scopes_nest_and_end() {
        let before = is_noio();
        let (inner, outer) = noio(|| (noio(is_noio), is_noio()));
        let after = is_noio();
        assert!((before, inner, outer, after) == (false, true, true, false));
    }

    #[test]
    fn a_scope_ends_where_its_function_gives_up() {
        let failed = noio(|| Err::<(), _>(ENOMEM));
        assert!(failed == Err(ENOMEM));
        assert!(!is_noio());
    }
}
