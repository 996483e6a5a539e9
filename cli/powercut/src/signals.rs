// SPDX-License-Identifier: GPL-2.0

//! Ctrl-C and its like become an error that unwinds the stack, so that every
//! destructor cleans up what it made.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals as Incoming;

pub use powercut_engine::stop::{Interrupted, Stop};

/// The signals that ask to end, once [`Signals::install`] catches them.
#[derive(Debug, Clone)]
pub struct Signals {
    seen: Arc<AtomicUsize>,
    wake: Arc<UnixStream>,
    /// Kept open, or `wake` would read as closed.
    waker: Arc<UnixStream>,
}

/// Who asks twice at the same time, as a shell and the terminal do, asks once.
const SAME: Duration = Duration::from_millis(300);

impl Signals {
    /// Catches SIGINT, SIGTERM and SIGHUP from now on. A later SIGINT or SIGTERM ends the command
    /// at once: cleaning up may take long, or hang.
    pub fn install() -> io::Result<Self> {
        let signals = Self::uncaught()?;
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let seen = Arc::clone(&signals.seen);
            // Before the wake-up, so that who wakes up finds it.
            signal_hook::flag::register_usize(signal, seen, signal as usize)?;
            signal_hook::low_level::pipe::register(signal, signals.waker.try_clone()?)?;
        }
        let incoming = Incoming::new([SIGINT, SIGTERM, SIGHUP])?;
        let watch = thread::Builder::new().name("signals".into());
        watch.spawn(move || second(incoming))?;
        Ok(signals)
    }

    /// Catches nothing.
    pub fn uncaught() -> io::Result<Self> {
        let (wake, waker) = UnixStream::pair()?;
        Ok(Self {
            seen: Arc::default(),
            wake: Arc::new(wake),
            waker: Arc::new(waker),
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

/// Ends the command with the second signal.
fn second(mut incoming: Incoming) {
    let mut signals = incoming.forever();
    if signals.next().is_none() {
        return;
    }
    let first = Instant::now();
    for signal in signals {
        if signal == SIGHUP || first.elapsed() < SAME {
            continue;
        }
        let text =
            "powercut: ended at once: `powercut remove --stale` removes what it leaves behind\n";
        // Whoever else writes there may hang.
        let _ = rustix::io::write(io::stderr(), text.as_bytes());
        signal_hook::low_level::exit(128 + signal);
    }
}

impl Stop for Signals {
    fn check(&self) -> Result<(), Interrupted> {
        Self::check(self)
    }
}
