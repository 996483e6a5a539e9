// SPDX-License-Identifier: GPL-2.0

//! The processes of an executor. As the first process of its PID namespace it is the parent of
//! all whose own parent is gone.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use rustix::io::Errno;
use rustix::process::{kill_process_group, wait, waitpid, Pid, Signal, WaitOptions, WaitStatus};
use signal_hook::consts::SIGCHLD;

#[derive(Debug)]
pub struct Children {
    /// Whether this is the first process of a PID namespace.
    is_init: bool,
    /// Readable once a child ended.
    ended: UnixStream,
}

impl Children {
    pub fn of_this_process() -> io::Result<Self> {
        let (ended, write) = UnixStream::pair()?;
        ended.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(SIGCHLD, write)?;
        Ok(Self {
            is_init: std::process::id() == 1,
            ended,
        })
    }

    /// Readable once a child ended that [`Children::reap`] was not called for: for poll().
    pub fn ended(&self) -> BorrowedFd<'_> {
        self.ended.as_fd()
    }

    /// Reaps what has ended; the status of the child `pid` if it is among that.
    pub fn reap(&self, pid: Pid) -> io::Result<Option<WaitStatus>> {
        // First, so that who ends from now on is told.
        let mut told = [0; 64];
        while matches!(rustix::io::read(&self.ended, &mut told), Ok(1..)) {}
        if !self.is_init {
            let reaped = waitpid(Some(pid), WaitOptions::NOHANG)?;
            return Ok(reaped.map(|(_, status)| status));
        }
        let mut found = None;
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((reaped, status))) if reaped == pid => found = Some(status),
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) | Err(Errno::CHILD) => return Ok(found),
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Kills all processes of this PID namespace but this one, and waits until they are gone.
    pub fn kill_all(&self) -> io::Result<()> {
        if !self.is_init {
            return Err(io::Error::other("not in a PID namespace of its own"));
        }
        loop {
            // Process group 1 stands for all processes. There may be none.
            let _ = kill_process_group(Pid::INIT, Signal::KILL);
            match wait(WaitOptions::empty()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::CHILD) => return Ok(()),
                Err(e) => return Err(e.into()),
            }
        }
    }
}
