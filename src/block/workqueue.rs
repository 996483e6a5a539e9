// SPDX-License-Identifier: GPL-2.0

//! The module's own workqueue.
//!
//! Bios that complete later do so there: on the way of writeback, so it must make
//! progress without memory, and before the module goes it must be empty, which the
//! system's queues don't promise.
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use super::shim;
use kernel::{
    bindings,
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Release, //
    },
    workqueue::Queue, //
};

/// The address of the workqueue; 0: there is none.
static QUEUE: Atomic<usize> = Atomic::new(0);

/// The workqueue, while the module is loaded.
///
/// Dropping it waits for all that was enqueued. To be dropped when nobody can enqueue
/// anything any more.
pub(crate) struct OwnedQueue(());

impl OwnedQueue {
    /// Makes it. To be called once, when the module is loaded.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: It has no preconditions.
        let queue = unsafe { shim::powercut_alloc_workqueue() };
        if queue.is_null() {
            return Err(ENOMEM);
        }
        QUEUE.store(queue as usize, Release);
        Ok(Self(()))
    }
}

impl Drop for OwnedQueue {
    fn drop(&mut self) {
        let queue = QUEUE.load(Acquire) as *mut bindings::workqueue_struct;
        QUEUE.store(0, Release);
        // SAFETY: `new` made it, this is dropped once, and by this type's contract
        // nobody uses it any more.
        unsafe { bindings::destroy_workqueue(queue) };
    }
}

/// Runs `f` later, in a context that may sleep. `f` must end by itself. On failure it
/// is dropped.
pub(crate) fn spawn(f: impl FnOnce() + Send + 'static) -> Result {
    let queue = QUEUE.load(Acquire) as *const bindings::workqueue_struct;
    if queue.is_null() {
        return Err(ENODEV);
    }
    // SAFETY: It is valid until `OwnedQueue` is dropped, which by that type's contract
    // is after the last call of this.
    let queue = unsafe { Queue::from_raw(queue) };
    Ok(queue.try_spawn(GFP_KERNEL | __GFP_NOWARN, f)?)
}
