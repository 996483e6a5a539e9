// SPDX-License-Identifier: GPL-2.0

//! Ctrl-C and its like become an error that unwinds the stack, so that every
//! destructor cleans up what it made.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

pub use powercut_engine::stop::{Interrupted, Stop};

/// The signals that ask to end, once [`Signals::install`] catches them.
#[derive(Debug)]
pub struct Signals {
    seen: Arc<AtomicUsize>,
    wake: UnixStream,
    /// Kept open, or `wake` would read as closed.
    waker: UnixStream,
}

impl Signals {
    /// Catches SIGINT, SIGTERM and SIGHUP from now on.
    pub fn install() -> io::Result<Self> {
        let signals = Self::uncaught()?;
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let seen = Arc::clone(&signals.seen);
            // Before the wake-up, so that who wakes up finds it.
            signal_hook::flag::register_usize(signal, seen, signal as usize)?;
            signal_hook::low_level::pipe::register(signal, signals.waker.try_clone()?)?;
        }
        Ok(signals)
    }

    /// Catches nothing.
    pub fn uncaught() -> io::Result<Self> {
        let (wake, waker) = UnixStream::pair()?;
        Ok(Self {
            seen: Arc::default(),
            wake,
            waker,
        })
    }

    /// An error once a signal came.
    pub fn check(&self) -> Result<(), Interrupted> {
        match self.seen.load(Ordering::SeqCst) {
            0 => Ok(()),
            signal => Err(Interrupted(i32::try_from(signal).unwrap_or(SIGTERM))),
        }
    }

    /// Readable once a signal came: for poll().
    pub fn wake_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

impl Stop for Signals {
    fn check(&self) -> Result<(), Interrupted> {
        Self::check(self)
    }
}
