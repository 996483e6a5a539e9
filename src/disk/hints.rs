// SPDX-License-Identifier: GPL-2.0

//! What bios go by before they take the lock of a disk's state.
//!
//! Hints follow from the state and change under its lock. They are read without it: whoever goes
//! by one looks again under the lock, where it matters.

use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

/// Something about a disk that is so, or is not.
#[derive(Clone, Copy)]
pub(super) enum Hint {
    /// Writes go to a record.
    Recording = 1,
    /// The power is off, or I/O may meet faults.
    OffOrFaulty = 2,
    /// The disk is going.
    Dying = 4,
}

/// What was so when it was looked at.
#[derive(Clone, Copy)]
pub(super) struct Hinted(u32);

impl Hinted {
    /// Whether that was so.
    #[inline]
    pub(super) fn has(self, hint: Hint) -> bool {
        self.0 & hint as u32 != 0
    }
}

/// All of them.
pub(super) struct Hints(Atomic<u32>);

impl Hints {
    /// None is so.
    pub(super) fn new() -> Self {
        Self(Atomic::new(0))
    }

    /// Whether that is so.
    #[inline]
    pub(super) fn has(&self, hint: Hint) -> bool {
        self.get().has(hint)
    }

    /// All that is so.
    #[inline]
    pub(super) fn get(&self) -> Hinted {
        Hinted(self.0.load(Relaxed))
    }

    /// Sets those that are so; to be called under the lock of the state.
    pub(super) fn set(&self, hints: &[(Hint, bool)]) {
        let those = hints.iter().filter(|(_, is_so)| *is_so);
        let bits = those.fold(0, |bits, (hint, _)| bits | *hint as u32);
        self.0.store(bits, Relaxed);
    }
}
