// SPDX-License-Identifier: GPL-2.0

//! A mutex in a static, for what file operations get no pointer to.

use core::{
    cell::UnsafeCell,
    mem::MaybeUninit, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full,
            Release, //
        },
        lock::{
            mutex::MutexBackend,
            Guard, //
        },
        Mutex, //
    }, //
};

/// Nobody has made it ready.
const NEW: i32 = 0;
/// Somebody is at it.
const BUSY: i32 = 1;
/// It is ready, for good.
const READY: i32 = 2;

/// A mutex that is made ready when the module is loaded.
///
/// As a static is never dropped, nor is what is in it: it is to be left without anything that is
/// allocated.
///
/// # Examples
///
/// ```
#[doc = include_str!("examples/static_mutex.rs")]
/// ```
///
/// # Invariants
///
/// - `state` goes from [`NEW`] to [`BUSY`] to [`READY`], each once.
/// - From [`READY`] on, `mutex` is initialised. Before that, none but who set [`BUSY`] touches it.
pub(crate) struct StaticMutex<T> {
    state: Atomic<i32>,
    mutex: UnsafeCell<MaybeUninit<Mutex<T>>>,
}

// SAFETY: By the type invariants, `mutex` is shared once it is a mutex, which is `Sync` for such
// a `T`.
unsafe impl<T: Send> Sync for StaticMutex<T> {}

impl<T> StaticMutex<T> {
    /// One that is not ready.
    pub(crate) const fn new() -> Self {
        // INVARIANT: Nobody has made it ready.
        Self {
            state: Atomic::new(NEW),
            mutex: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// Makes it ready. Later calls do nothing.
    pub(crate) fn init(&'static self, value: T) {
        // INVARIANT: Only one caller ever sees `NEW`.
        if self.state.cmpxchg(NEW, BUSY, Full).is_err() {
            return;
        }
        let slot = self.mutex.get().cast::<Mutex<T>>();
        let mutex = new_mutex!(value);
        // SAFETY: The slot is valid and, by the type invariants, ours alone. As this is a static,
        // it never moves.
        let Ok(()) = unsafe { mutex.__init(slot) };
        // INVARIANT: It was initialised just above.
        self.state.store(READY, Release);
    }

    /// Locks it. [`ENODEV`] before it is ready.
    pub(crate) fn lock(&'static self) -> Result<Guard<'static, T, MutexBackend>> {
        if self.state.load(Acquire) != READY {
            return Err(ENODEV);
        }
        // SAFETY: By the type invariants, nobody has it to change from `READY` on.
        let mutex = unsafe { &*self.mutex.get() };
        // SAFETY: By the type invariants, it is initialised.
        let mutex = unsafe { mutex.assume_init_ref() };
        Ok(mutex.lock())
    }
}

#[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
#[kunit_tests(powercut_static_mutex)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_once() -> Result {
        static MUTEX: StaticMutex<u32> = StaticMutex::new();

        // The suite may be run again, and statics stay.
        let is_first = MUTEX.lock().is_err();
        MUTEX.init(1);
        assert!(*MUTEX.lock()? == if is_first { 1 } else { 3 });
        *MUTEX.lock()? = 3;
        MUTEX.init(2);
        assert!(*MUTEX.lock()? == 3);
        Ok(())
    }
}
