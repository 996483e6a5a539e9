// SPDX-License-Identifier: GPL-2.0

//! `REQ_NOWAIT`: a bio that may not be kept waiting, for memory or for locks.

use kernel::{
    alloc,
    prelude::*,
    sync::{
        lock::{
            mutex::MutexBackend,
            Guard, //
        },
        Mutex, //
    }, //
};

/// Whether a bio is one of these: what would have to wait for it fails with [`EAGAIN`], and its
/// submitter comes again, from where it may wait. A record is then as it was; without one, a write
/// of several pages may have been done in part, as by any disk.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct NoWait(pub(crate) bool);

impl NoWait {
    /// How memory is asked for.
    pub(crate) fn gfp(self) -> alloc::Flags {
        if self.0 {
            GFP_NOWAIT | __GFP_NOWARN
        } else {
            GFP_KERNEL | __GFP_NOWARN
        }
    }

    /// Takes a lock.
    pub(crate) fn lock<T>(self, mutex: &Mutex<T>) -> Result<Guard<'_, T, MutexBackend>> {
        if self.0 {
            mutex.try_lock().ok_or(EAGAIN)
        } else {
            Ok(mutex.lock())
        }
    }

    /// What a bio fails with where `error` was met on the way.
    pub(crate) fn failure(self, error: Error) -> Error {
        if self.0 {
            EAGAIN
        } else {
            error
        }
    }
}
