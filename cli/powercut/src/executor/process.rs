// SPDX-License-Identifier: GPL-2.0

//! The process of an executor, as the command sees it.

use std::collections::VecDeque;
use std::fs::File;
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
use rustix::fs::{memfd_create, MemfdFlags};
use rustix::io::{retry_on_intr, Errno};
use rustix::process::{pidfd_open, Pid, PidfdFlags};

use super::requests::Progress;
use super::wire::{Message, Reply, Request, Wire};
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
    /// What it was asked for and has not answered.
    asked: VecDeque<Asked>,
    /// How many answers it gave.
    answered: u64,
    /// How many requests it has begun with.
    progress: Progress,
    is_stuck: bool,
}

/// A request, and how long that may take.
#[derive(Debug)]
pub struct Asked {
    pub request: Request,
    pub limit: Option<Duration>,
}

impl Process {
    pub fn start(signals: &Signals) -> Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let progress = File::from(memfd_create("progress", MemfdFlags::CLOEXEC)?);
        let mut child = in_pid_namespace(theirs, progress.try_clone()?)
            .context("cannot start an executor in a PID namespace of its own")?;
        let opened = pidfd_open(Pid::from_child(&child), PidfdFlags::empty());
        let pidfd = opened.inspect_err(|_| {
            let _ = child.kill();
        })?;
        let mut process = Self {
            child,
            pidfd,
            wire: Wire::new(ours),
            asked: VecDeque::new(),
            answered: 0,
            progress: Progress(progress),
            is_stuck: false,
        };
        match process.reply(signals)? {
            Reply::Failed(why) => bail!("cannot start an executor: {why}"),
            _ => Ok(process),
        }
    }

    /// Asks for several things, each for the case that the one before is done.
    pub fn send(&mut self, requests: Vec<Asked>) -> Result<()> {
        let what = requests
            .first()
            .map_or("go on", |asked| asked.request.name());
        for asked in requests {
            let request = &asked.request;
            let if_done = !self.asked.is_empty();
            self.wire.queue(&Message { request, if_done })?;
            self.asked.push_back(asked);
        }
        match self.wire.flush() {
            Ok(()) => Ok(()),
            Err(_) => Err(self.died(what).into()),
        }
    }

    /// Waits for the answer to a request, and asks for it if that was not done yet. If it is not done, all that it was
    /// asked for after that is not.
    pub fn ask(
        &mut self,
        request: Request,
        limit: Option<Duration>,
        signals: &Signals,
    ) -> Result<Reply> {
        match self.asked.front() {
            None => self.send(vec![Asked { request, limit }])?,
            Some(asked) if asked.request == request => {}
            Some(asked) => bail!(
                "an executor is to {}, not to {}",
                asked.request.name(),
                request.name()
            ),
        }
        let reply = self.answer(signals)?;
        if !reply.is_done() {
            while !self.asked.is_empty() {
                self.answer(signals)?;
            }
        }
        Ok(reply)
    }

    /// The answer to the oldest request.
    fn answer(&mut self, signals: &Signals) -> Result<Reply> {
        let reply = self.reply(signals)?;
        self.asked.pop_front();
        self.answered += 1;
        Ok(reply)
    }

    /// What it does: the number of its request, what that is, and how long it may take.
    fn now(&self) -> (u64, &'static str, Option<Duration>) {
        let begun = self.progress.read().max(self.answered + 1);
        let newest = (begun - self.answered - 1) as usize;
        match self.asked.get(newest).or(self.asked.back()) {
            Some(asked) => (begun, asked.request.name(), asked.limit),
            None => (begun, "start", Some(STARTED)),
        }
    }

    fn reply(&mut self, signals: &Signals) -> Result<Reply> {
        let mut now = self.now();
        let mut since = Instant::now();
        loop {
            if let Some(reply) = self.wire.take()? {
                return Ok(reply);
            }
            let (_, what, limit) = now;
            let left = limit.map(|limit| (since + limit).saturating_duration_since(Instant::now()));
            if let (Some(limit), Some(Duration::ZERO)) = (limit, left) {
                // The time is that of one request.
                let before = std::mem::replace(&mut now, self.now());
                if before.0 == now.0 {
                    self.is_stuck = true;
                    return Err(ExecutorError::Stuck { what, limit }.into());
                }
                since = Instant::now();
                continue;
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
                let (_, what, _) = self.now();
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
fn in_pid_namespace(stdin: UnixStream, progress: File) -> Result<Child> {
    let start = move || -> io::Result<Child> {
        // It is for what this thread starts from now on, and for nothing else of this process.
        unshare(CloneFlags::CLONE_NEWPID)?;
        Command::new("/proc/self/exe")
            .arg0("powercut")
            .arg(super::serve::COMMAND)
            .stdin(OwnedFd::from(stdin))
            .stdout(progress)
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
