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
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Release, //
        },
        Arc, //
    },
    workqueue::{
        HasWork,
        Queue,
        Work,
        WorkItem, //
    }, //
};

/// The address of the workqueue; 0: there is none.
static QUEUE: Atomic<usize> = Atomic::new(0);

/// The workqueue, while the module is loaded.
///
/// Dropping it waits for all that was enqueued. To be dropped when nobody can enqueue
/// anything any more.
pub(crate) struct OwnedQueue(());

impl OwnedQueue {
    /// Makes it, by that name. To be called once, when the module is loaded.
    pub(crate) fn new(name: &'static CStr) -> Result<Self> {
        // SAFETY: The name ends with a NUL.
        let queue = unsafe { shim::powercut_alloc_workqueue(name.as_char_ptr()) };
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

/// The workqueue. [`None`] while the module is not loaded.
fn queue<'a>() -> Option<&'a Queue> {
    let queue = QUEUE.load(Acquire) as *const bindings::workqueue_struct;
    if queue.is_null() {
        return None;
    }
    // SAFETY: It is valid until `OwnedQueue` is dropped, which by that type's contract
    // is when nobody uses it any more.
    Some(unsafe { Queue::from_raw(queue) })
}

/// Has an item be run, unless it is queued already. May be called from an interrupt, if
/// that gives up no last reference.
pub(crate) fn enqueue<T>(item: Arc<T>)
where
    T: WorkItem<Pointer = Arc<T>> + HasWork<T> + Send + Sync + 'static,
{
    if let Some(queue) = queue() {
        let _queued = queue.enqueue(item);
    }
}

/// Waits until an item is neither queued nor running.
pub(crate) fn flush<T: WorkItem>(work: &Work<T>) {
    // SAFETY: `work` is valid.
    let work = unsafe { Work::raw_get(work) };
    // SAFETY: It is valid and, as every `Work` that can be had safely, initialised.
    unsafe { bindings::flush_work(work) };
}

/// Runs `f` later, in a context that may sleep. `f` must end by itself. On failure it
/// is dropped.
#[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
pub(super) fn spawn(f: impl FnOnce() + Send + 'static) -> Result {
    let queue = queue().ok_or(ENODEV)?;
    Ok(queue.try_spawn(GFP_KERNEL | __GFP_NOWARN, f)?)
}
