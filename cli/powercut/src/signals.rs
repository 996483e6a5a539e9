// SPDX-License-Identifier: GPL-2.0

//! Ctrl-C and its like become an error that unwinds the stack, so that every
//! destructor cleans up what it made.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals as Incoming;

pub use powercut_engine::stop::{Interrupted, Stop};

/// What [`Signals::seen`] holds once the deadline passed: the number of no signal.
const DEADLINE: usize = usize::MAX;

/// The signals that ask to end, once [`Signals::install`] catches them.
#[derive(Debug, Clone)]
pub struct Signals {
    seen: Arc<AtomicUsize>,
    wake: Arc<UnixStream>,
    /// Kept open, or `wake` would read as closed.
    waker: Arc<UnixStream>,
}

/// Two signals closer than this are one: a shell and the terminal may both send it.
const SAME: Duration = Duration::from_millis(300);

impl Signals {
    /// Catches SIGINT, SIGTERM and SIGHUP from now on. A later SIGINT or SIGTERM ends the command
    /// at once: cleaning up may take long, or hang.
    pub fn install() -> io::Result<Self> {
        let signals = Self::uncaught()?;
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let seen = Arc::clone(&signals.seen);
            // Before the wake-up, so that the thread that wakes up finds it.
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
            DEADLINE => Err(Interrupted::Deadline),
            signal => Err(Interrupted::Signal(
                i32::try_from(signal).unwrap_or(SIGTERM),
            )),
        }
    }

    /// Catches signals, and has everybody stop once the time is over, if there is a limit.
    pub fn install_for(limit: Option<Duration>) -> io::Result<Self> {
        let now = Instant::now();
        let signals = Self::install()?;
        if let Some(deadline) = limit.and_then(|limit| now.checked_add(limit)) {
            signals.stop_at(deadline)?;
        }
        Ok(signals)
    }

    /// Has everybody stop at a time, as if a signal came.
    fn stop_at(&self, deadline: Instant) -> io::Result<()> {
        let seen = Arc::clone(&self.seen);
        let mut waker = self.waker.try_clone()?;
        thread::Builder::new()
            .name("deadline".into())
            .spawn(move || {
                thread::sleep(deadline.saturating_duration_since(Instant::now()));
                // A signal that came before it is what ends the command.
                let _ = seen.compare_exchange(0, DEADLINE, Ordering::SeqCst, Ordering::SeqCst);
                // Nobody listens any more: nobody need be woken up.
                let _ = waker.write_all(&[0]);
            })?;
        Ok(())
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
        // Other writers of standard error may hang.
        let _ = rustix::io::write(io::stderr(), text.as_bytes());
        signal_hook::low_level::exit(128 + signal);
    }
}

impl Stop for Signals {
    fn check(&self) -> Result<(), Interrupted> {
        Self::check(self)
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{poll, PollFd, PollFlags};

    use super::*;

    #[test]
    fn the_deadline_wakes_up_and_stops() {
        let signals = Signals::uncaught().unwrap();
        assert_eq!(signals.check(), Ok(()));
        signals
            .stop_at(Instant::now() + Duration::from_millis(20))
            .unwrap();
        let mut fds = [PollFd::from_borrowed_fd(signals.wake_fd(), PollFlags::IN)];
        assert_eq!(poll(&mut fds, None), Ok(1));
        assert_eq!(signals.check(), Err(Interrupted::Deadline));
    }

    #[test]
    fn a_signal_before_the_deadline_is_what_ends() {
        let signals = Signals::uncaught().unwrap();
        signals.seen.store(SIGTERM as usize, Ordering::SeqCst);
        signals.stop_at(Instant::now()).unwrap();
        let mut fds = [PollFd::from_borrowed_fd(signals.wake_fd(), PollFlags::IN)];
        assert_eq!(poll(&mut fds, None), Ok(1));
        assert_eq!(signals.check(), Err(Interrupted::Signal(SIGTERM)));
    }
}
