// SPDX-License-Identifier: GPL-2.0

//! A lock that lends parts of what it guards, to be used after it was let go.
//!
//! To copy the data of a bio takes longer than all else that is done for it. So it is not
//! done under a lock, nor does it take a reference on the page: whoever finds a page has
//! it lent, and only who wants to change what holds the page waits for that to end.
//!
//! A loan is counted under the lock and no longer counted when it ends (Release). Who wants to
//! change the data takes the lock and waits until the count is 0 (Acquire). A loan that was made
//! before is counted by then, as the lock orders the two; none is made meanwhile. The 0 that is
//! read at last is of a subtraction that comes after those of all other loans, so that what was
//! done with them has all been done. Who waits adds [`WAITING`] to the count: then the loan that
//! ends last wakes it, and others don't ask whether anybody waits.

use super::wait_var::{
    wait_var_event,
    wake_up_var, //
};
use core::{
    ops::{
        Deref,
        DerefMut, //
    },
    ptr::NonNull, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        lock::{
            mutex::MutexBackend,
            Guard, //
        },
        Mutex, //
    }, //
};

/// What is added to the count of loans while somebody waits for it: more than there can be loans.
const WAITING: i32 = 1 << 30;

/// A `T` that is read, and parts of which are lent, by many, or changed by one.
///
/// # Examples
///
/// ```
#[doc = include_str!("examples/lending.rs")]
/// ```
///
/// # Invariants
///
/// - While `lock` is held, `nr_loans` only goes down, but by who holds it.
/// - While `nr_loans` is neither 0 nor [`WAITING`], there is no `&mut T`.
#[pin_data]
pub(crate) struct Lending<T> {
    #[pin]
    lock: Mutex<T>,
    nr_loans: Atomic<i32>,
}

impl<T: Send + Sync> Lending<T> {
    pub(crate) fn new(value: impl PinInit<T>) -> impl PinInit<Self> {
        // INVARIANT: Nothing is lent.
        pin_init!(Self {
            lock <- new_mutex!(value),
            nr_loans: Atomic::new(0),
        })
    }

    /// Locks it, to read.
    pub(crate) fn lock(&self) -> Locked<'_, T> {
        self.locked(self.lock.lock())
    }

    /// Likewise; [`None`] if it may not wait and would have to.
    pub(crate) fn lock_if(&self, may_wait: bool) -> Option<Locked<'_, T>> {
        let guard = if may_wait {
            self.lock.lock()
        } else {
            self.lock.try_lock()?
        };
        Some(self.locked(guard))
    }

    fn locked<'a>(&'a self, guard: Guard<'a, T, MutexBackend>) -> Locked<'a, T> {
        Locked {
            guard,
            nr_loans: &self.nr_loans,
        }
    }

    /// Locks it, to change it: waits until nothing is lent.
    #[inline]
    pub(crate) fn lock_mut(&self) -> LockedMut<'_, T> {
        let guard = self.lock.lock();
        // Sees all that was done with what was lent.
        if self.nr_loans.load(Acquire) != 0 {
            self.wait();
        }
        LockedMut(guard)
    }

    /// Waits until nothing is lent. To be called with the lock held.
    #[cold]
    fn wait(&self) {
        self.nr_loans.fetch_add(WAITING, Relaxed);
        wait_var_event(&self.nr_loans, WAITING);
        self.nr_loans.fetch_sub(WAITING, Relaxed);
    }

    /// Likewise; [`None`] if it may not wait and would have to.
    #[inline]
    pub(crate) fn lock_mut_if(&self, may_wait: bool) -> Option<LockedMut<'_, T>> {
        if may_wait {
            return Some(self.lock_mut());
        }
        let guard = self.lock.try_lock()?;
        (self.nr_loans.load(Acquire) == 0).then_some(LockedMut(guard))
    }

    /// How many parts are lent, for tests.
    #[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
    pub(crate) fn nr_loans(&self) -> i32 {
        self.nr_loans.load(Acquire)
    }
}

/// A `T` that is locked to be read.
pub(crate) struct Locked<'a, T> {
    // Never used to change anything: something may be lent.
    guard: Guard<'a, T, MutexBackend>,
    nr_loans: &'a Atomic<i32>,
}

impl<T> Deref for Locked<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<'a, T> Locked<'a, T> {
    /// Lends what `part` chooses and lets go of the lock.
    pub(crate) fn lend<P: Sync>(
        self,
        part: impl for<'x> FnOnce(&'x T) -> Option<&'x P>,
    ) -> Option<Lent<'a, P>> {
        let part = NonNull::from(part(&self.guard)?);
        self.nr_loans.fetch_add(1, Relaxed);
        // INVARIANT: It is counted from here on, and was chosen before the lock is let go.
        Some(Lent {
            part,
            nr_loans: self.nr_loans,
        })
    }
}

/// A `T` that is locked to be changed: nothing is lent.
pub(crate) struct LockedMut<'a, T>(Guard<'a, T, MutexBackend>);

impl<T> Deref for LockedMut<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Unpin> DerefMut for LockedMut<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

/// A part of a [`Lending`], lent.
///
/// # Invariants
///
/// `part` was borrowed from the `T`, as it is there, and counts in `nr_loans` since the lock
/// was held.
pub(crate) struct Lent<'a, P> {
    part: NonNull<P>,
    nr_loans: &'a Atomic<i32>,
}

impl<P> Deref for Lent<'_, P> {
    type Target = P;

    fn deref(&self) -> &P {
        // SAFETY: By the type invariants, and those of `Lending`, nobody has had the `T` to
        // change since `part` was borrowed from it, nor will while this lives: all see it
        // shared, as if it had been borrowed that long.
        unsafe { self.part.as_ref() }
    }
}

impl<P> Drop for Lent<'_, P> {
    fn drop(&mut self) {
        let nr_loans: *const _ = self.nr_loans;
        // What was done with it comes before what is done by who sees it returned.
        if self.nr_loans.fetch_sub(1, Release) == WAITING + 1 {
            wake_up_var(nr_loans);
        }
    }
}
