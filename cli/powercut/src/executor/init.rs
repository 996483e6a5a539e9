// SPDX-License-Identifier: GPL-2.0

//! The PID namespace of a sandbox. It lives as long as its first process: this program once more,
//! which shows the namespace in /proc, reaps whatever loses its parent, and says whether any other
//! process is left. Commands are no children of it, as the executor has to know how they end.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use anyhow::{bail, Context, Result};
use nix::sched::{setns, CloneFlags};
use nix::sys::signal::kill;
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::{retry_on_intr, Errno};
use rustix::mount::{mount, MountFlags};
use rustix::process::{getpid, pidfd_open, Pid, PidfdFlags};

use super::children::Children;
use super::wire::{Reply, Wire};

/// The hidden subcommand.
pub const COMMAND: &str = "init";

/// The first process of a PID namespace, as its executor sees it.
#[derive(Debug)]
pub struct Init {
    /// Closed with this; then the process ends, and with it all of the namespace.
    wire: Wire,
    pidfd: OwnedFd,
}

impl Init {
    /// Starts it in the PID namespace that the calling thread made for its children. `depth` is
    /// how many times the power was cut.
    pub fn start(depth: u32, children: &Children) -> Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0("powercut")
            .args([COMMAND, &depth.to_string()])
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        let child = command.spawn().context("cannot make a PID namespace")?;
        // It holds a copy of the other end.
        drop(command);
        children.keep(Pid::from_child(&child));
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
        let mut wire = Wire::new(ours);
        match wire.receive()? {
            Some(Reply::Done) => Ok(Self { wire, pidfd }),
            Some(Reply::Failed(why)) => bail!("cannot make a PID namespace: {why}"),
            _ => bail!("the first process of a PID namespace ended"),
        }
    }

    /// Whether it is there, and no other process in the namespace. If so, process ids begin again where they do after
    /// `depth` power cuts.
    pub fn is_alone(&mut self, depth: u32) -> bool {
        let asked = self.wire.send(&depth).is_ok();
        asked && matches!(self.wire.receive(), Ok(Some(true)))
    }

    /// Does something with this thread's children in the PID namespace of this process, and not in the one that begins with
    /// that process: no thread can be in another namespace than its process.
    pub fn outside<T>(&self, done: impl FnOnce() -> T) -> Result<T> {
        let ours = pidfd_open(getpid(), PidfdFlags::empty())?;
        setns(ours, CloneFlags::CLONE_NEWPID).context("cannot leave the PID namespace")?;
        let told = done();
        setns(&self.pidfd, CloneFlags::CLONE_NEWPID).context("cannot enter the PID namespace")?;
        Ok(told)
    }

    /// Whether it has ended, or is about to: its files are closed before the kernel kills all else in
    /// the namespace, so that nothing in there dies of that before this is true.
    pub fn has_ended(&self) -> io::Result<bool> {
        // It says nothing unasked after its start.
        let mut fds = [PollFd::from_borrowed_fd(self.wire.as_fd(), PollFlags::IN)];
        let now = Timespec::default();
        Ok(retry_on_intr(|| poll(&mut fds, Some(&now)))? > 0)
    }
}

/// What the first process of a PID namespace does, until its executor is gone.
pub fn init(depth: u32) -> Result<()> {
    if std::process::id() != 1 {
        bail!("`powercut {COMMAND}` is for powercut itself, which starts it in a PID namespace");
    }
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    let mut wire = Wire::new(UnixStream::from(socket));
    let children = Children::of_this_process()?;
    let shown = show();
    first_pid(depth);
    wire.send(&Reply::of(shown))?;
    loop {
        children.reap_orphans()?;
        let mut fds = [
            PollFd::from_borrowed_fd(wire.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(children.ended(), PollFlags::IN),
        ];
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        if !fds[0].revents().is_empty() {
            let Some(depth) = wire.receive()? else {
                return Ok(());
            };
            children.reap_orphans()?;
            let alone = is_alone();
            if alone {
                first_pid(depth);
            }
            wire.send(&alone)?;
        }
    }
}

/// Mounts a /proc that shows the PID namespace of this process.
pub fn show() -> Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", flags, None).context("cannot mount /proc")
}

/// Whether this process is the only one of its PID namespace, as the kernel sees it at one moment. One that has ended and
/// that its parent has not noticed yet is there.
fn is_alone() -> bool {
    kill(nix::unistd::Pid::from_raw(-1), None) == Err(nix::errno::Errno::ESRCH)
}

/// Has process ids begin where those of the workload, and of the checks of the power cuts before,
/// do not: a lock file that they left must not name a process that runs now. They begin at the same
/// number each time: a check that says them says the same. Not every kernel can do that.
fn first_pid(depth: u32) {
    let last = match depth {
        0 => Some(1),
        cuts => {
            let max = fs::read_to_string("/proc/sys/kernel/pid_max");
            let max: Option<u32> = max.ok().and_then(|text| text.trim().parse().ok());
            max.map(|max| max / 2 + max / 8 * (cuts - 1).min(3))
        }
    };
    if let Some(last) = last {
        let _ = fs::write("/proc/sys/kernel/ns_last_pid", last.to_string());
    }
}
