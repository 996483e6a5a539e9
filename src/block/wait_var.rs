// SPDX-License-Identifier: GPL-2.0

//! Waiting for a number to get to a value, and waking whoever does.
//!
//! Nothing is set up for that beside the number: waiters are found by its address.
//!
//! C header: [`include/linux/wait_bit.h`](srctree/include/linux/wait_bit.h)

use super::shim;
use kernel::{
    bindings,
    sync::{
        atomic::Atomic,
        barrier::{
            smp_mb,
            Full, //
        }, //
    },
};

/// Sleeps until `var` is `value`, which is read with Acquire.
///
/// Whoever gets it there calls [`wake_up_var`].
pub(super) fn wait_var_event(var: &Atomic<i32>, value: i32) {
    // SAFETY: It is a valid number, and is only read, atomically.
    unsafe { shim::powercut_wait_var_event(var.as_ptr(), value) };
}

/// Wakes whoever waits for `var`, after a change of it. The memory behind `var` may be gone by
/// now: only its address counts.
pub(super) fn wake_up_var(var: *const Atomic<i32>) {
    // The change comes before the look for waiters.
    smp_mb(Full);
    // SAFETY: It takes any address, and does not follow it.
    unsafe { bindings::wake_up_var(var.cast_mut().cast()) };
}
