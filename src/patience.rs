// SPDX-License-Identifier: GPL-2.0

//! Whether a bio may be kept waiting for memory and for locks.

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

/// See the module's documentation.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Patience {
    /// It may.
    #[default]
    Wait,
    /// It may not (`REQ_NOWAIT`): what would have to wait fails with [`EAGAIN`], and its submitter
    /// comes again, from where it may wait. A record is then as it was; without one, a write of
    /// several pages may have been done in part, as by any disk.
    NoWait,
}

impl Patience {
    /// How memory is asked for.
    pub(crate) fn gfp(self) -> alloc::Flags {
        match self {
            Self::Wait => GFP_KERNEL | __GFP_NOWARN,
            Self::NoWait => GFP_NOWAIT | __GFP_NOWARN,
        }
    }

    /// Takes a lock.
    pub(crate) fn lock<T>(self, mutex: &Mutex<T>) -> Result<Guard<'_, T, MutexBackend>> {
        match self {
            Self::Wait => Ok(mutex.lock()),
            Self::NoWait => mutex.try_lock().ok_or(EAGAIN),
        }
    }

    /// What it fails with where `error` was met on the way.
    pub(crate) fn failure(self, error: Error) -> Error {
        match self {
            Self::Wait => error,
            Self::NoWait => EAGAIN,
        }
    }

    /// Whether it may.
    pub(crate) fn may_wait(self) -> bool {
        self == Self::Wait
    }
}
