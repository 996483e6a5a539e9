// SPDX-License-Identifier: GPL-2.0

//! The process of an executor, as the command sees it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail, Context, Result};
use nix::sched::{unshare, CloneFlags};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::{retry_on_intr, Errno};
use rustix::process::{pidfd_open, Pid, PidfdFlags};

use super::wire::{Reply, Request, Wire};
use super::ExecutorError;
use crate::signals::Signals;

/// How long it may take to start.
const STARTED: Duration = Duration::from_secs(60);
/// How long one that ends may take to be gone: with it goes what is mounted, which is written first.
const ENDED: Duration = Duration::from_secs(30);
/// The same of one that does not answer: the kernel holds it, maybe for ever.
const GIVEN_UP: Duration = Duration::from_secs(5);

/// A running executor. Dropped, it is killed, with all processes and mounts of its namespaces.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pidfd: OwnedFd,
    wire: Wire,
    is_stuck: bool,
}

impl Process {
    pub fn start(signals: &Signals) -> Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut child = in_pid_namespace(theirs)
            .context("cannot start an executor in a PID namespace of its own")?;
        let opened = pidfd_open(Pid::from_child(&child), PidfdFlags::empty());
        let pidfd = opened.inspect_err(|_| {
            let _ = child.kill();
        })?;
        let mut process = Self {
            child,
            pidfd,
            wire: Wire::new(ours),
            is_stuck: false,
        };
        match process.answer("start", Some(STARTED), signals)? {
            Reply::Failed(why) => bail!("cannot start an executor: {why}"),
            _ => Ok(process),
        }
    }

    /// Asks for something, and waits for the answer.
    pub fn ask(
        &mut self,
        request: &Request,
        limit: Option<Duration>,
        signals: &Signals,
    ) -> Result<Reply> {
        match self.wire.send(request) {
            Ok(()) => self.answer(request.name(), limit, signals),
            Err(_) => Err(self.died(request.name()).into()),
        }
    }

    fn answer(
        &mut self,
        what: &'static str,
        limit: Option<Duration>,
        signals: &Signals,
    ) -> Result<Reply> {
        let deadline = limit.map(|limit| (Instant::now() + limit, limit));
        loop {
            if let Some(reply) = self.wire.take()? {
                return Ok(reply);
            }
            let left = deadline.map(|(end, _)| end.saturating_duration_since(Instant::now()));
            if let (Some((_, limit)), Some(Duration::ZERO)) = (deadline, left) {
                self.is_stuck = true;
                return Err(ExecutorError::Stuck { what, limit }.into());
            }
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            let mut fds = [
                PollFd::from_borrowed_fd(self.wire.as_fd(), PollFlags::IN),
                PollFd::from_borrowed_fd(signals.wake_fd(), PollFlags::IN),
            ];
            match poll(&mut fds, left.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
            let is_readable = !fds[0].revents().is_empty();
            signals.check()?;
            if is_readable && self.wire.fill().is_err() {
                return Err(self.died(what).into());
            }
        }
    }

    /// How it ended, as an error.
    fn died(&mut self, what: &'static str) -> ExecutorError {
        let how = match self.end_within(ENDED).or_else(|| self.kill()) {
            Some(status) => match status.signal() {
                Some(signal) => format!("killed by signal {signal}"),
                None => status.to_string(),
            },
            None => "it does not end".into(),
        };
        ExecutorError::Died { what, how }
    }

    /// Kills it; none if it does not end soon.
    fn kill(&mut self) -> Option<ExitStatus> {
        let _ = self.child.kill();
        self.end_within(if self.is_stuck { GIVEN_UP } else { ENDED })
    }

    fn end_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let limit = Timespec::try_from(limit).ok();
        let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
        match retry_on_intr(|| poll(&mut fds, limit.as_ref())) {
            Ok(0) => None,
            _ => self.child.wait().ok(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// Starts this program as an executor: the first process of a new PID namespace.
fn in_pid_namespace(stdin: UnixStream) -> Result<Child> {
    let start = move || -> io::Result<Child> {
        // It is for what this thread starts from now on, and for nothing else of this process.
        unshare(CloneFlags::CLONE_NEWPID)?;
        Command::new("/proc/self/exe")
            .arg0("powercut")
            .arg(super::serve::COMMAND)
            .stdin(OwnedFd::from(stdin))
            .stdout(Stdio::null())
            // The reader of the command's standard error must not wait for an executor that hangs.
            .stderr(Stdio::null())
            // Ctrl-C is for the command.
            .process_group(0)
            .spawn()
    };
    let started = thread::Builder::new().name("starter".into()).spawn(start)?;
    let child = started.join().map_err(|_| anyhow!("a thread panicked"))?;
    Ok(child?)
}
