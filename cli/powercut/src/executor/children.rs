// SPDX-License-Identifier: GPL-2.0

//! The children of the first process of a PID namespace: an executor, or that of a sandbox. It is
//! the parent of all whose own parent is gone.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::{readlinkat, Dir};
use rustix::io::Errno;
use rustix::process::{
    kill_process, kill_process_group, wait, waitpid, Pid, Signal, WaitOptions, WaitStatus,
};
use signal_hook::consts::SIGCHLD;

use super::proc::Proc;

/// Between two looks at whether killed processes are gone that are the children of others.
const PAUSE: Duration = Duration::from_micros(200);

#[derive(Debug)]
pub struct Children {
    /// Whether this is the first process of a PID namespace.
    is_init: bool,
    /// Readable once a child ended.
    ended: UnixStream,
    /// Those that outlive a command.
    kept: Mutex<Vec<Kept>>,
    /// /proc of this PID namespace.
    proc: Option<Proc>,
}

#[derive(Debug)]
struct Kept {
    pid: Pid,
    /// How it ended, if it did.
    status: Option<WaitStatus>,
}

impl Children {
    pub fn of_this_process() -> io::Result<Self> {
        let (ended, write) = UnixStream::pair()?;
        ended.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(SIGCHLD, write)?;
        let is_init = std::process::id() == 1;
        let proc = is_init.then(Proc::open);
        Ok(Self {
            is_init,
            ended,
            kept: Mutex::default(),
            proc: proc.transpose()?,
        })
    }

    /// Readable once a child ended that [`Children::reap`] was not called for: for poll().
    pub fn ended(&self) -> BorrowedFd<'_> {
        self.ended.as_fd()
    }

    /// Reaps what has ended; the status of the child `pid` if it is among that.
    pub fn reap(&self, pid: Pid) -> io::Result<Option<WaitStatus>> {
        // First, so that a child that ends from now on is noticed.
        let mut told = [0; 64];
        while matches!(rustix::io::read(&self.ended, &mut told), Ok(1..)) {}
        if !self.is_init {
            let reaped = waitpid(Some(pid), WaitOptions::NOHANG)?;
            return Ok(reaped.map(|(_, status)| status));
        }
        let mut found = None;
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((reaped, status))) => {
                    self.reaped(reaped, status);
                    if reaped == pid {
                        found = Some(status);
                    }
                }
                Err(Errno::INTR) => {}
                Ok(None) | Err(Errno::CHILD) => return Ok(found),
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Reaps all children that have ended.
    pub fn reap_orphans(&self) -> io::Result<()> {
        // No process of a namespace has the number of its first one but that.
        self.reap(Pid::INIT).map(drop)
    }

    fn reaped(&self, pid: Pid, status: WaitStatus) {
        if let Some(kept) = self.lock().iter_mut().find(|kept| kept.pid == pid) {
            kept.status = Some(status);
        }
    }

    /// This child outlives commands from now on.
    pub fn keep(&self, pid: Pid) {
        self.lock().push(Kept { pid, status: None });
    }

    /// The opposite of [`Children::keep`].
    pub fn forget(&self, pid: Pid) {
        self.lock().retain(|kept| kept.pid != pid);
    }

    /// How a child that is kept ended, if it did.
    pub fn ended_as(&self, pid: Pid) -> io::Result<Option<WaitStatus>> {
        let status = self.status(pid);
        if status.is_none() {
            if let Some(status) = self.reap(pid)? {
                self.reaped(pid, status);
            }
        }
        Ok(self.status(pid))
    }

    fn status(&self, pid: Pid) -> Option<WaitStatus> {
        let kept = self.lock();
        kept.iter().find(|kept| kept.pid == pid)?.status
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills all processes of this PID namespace but this one, and waits until they are gone. None
    /// is kept any longer.
    pub fn kill_all(&self) -> io::Result<()> {
        if !self.is_init {
            return Err(io::Error::other("not in a PID namespace of its own"));
        }
        loop {
            // Process group 1 stands for all processes. There may be none.
            let _ = kill_process_group(Pid::INIT, Signal::KILL);
            match wait(WaitOptions::empty()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::CHILD) => break,
                Err(e) => return Err(e.into()),
            }
        }
        self.lock().clear();
        Ok(())
    }

    /// Kills all but those that are kept, and waits until they are gone.
    pub fn kill_others(&self) -> io::Result<()> {
        loop {
            self.reap_orphans()?;
            let others = self.others()?;
            if others.is_empty() {
                return Ok(());
            }
            for pid in others {
                // It may have ended by itself.
                let _ = kill_process(pid, Signal::KILL);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// The processes beside this one and those that are kept. One that its parent has not noticed
    /// to be gone is none.
    pub fn others(&self) -> io::Result<Vec<Pid>> {
        let proc = self.proc()?;
        let is_there = |pid: &Pid| {
            let stat = proc.stat(pid.as_raw_nonzero().get());
            stat.is_some_and(|stat| !stat.has_ended())
        };
        let pids = proc.processes()?.into_iter().filter_map(Pid::from_raw);
        let others = pids.filter(|pid| *pid != Pid::INIT && !self.keeps(*pid));
        // Last, as it reads a file of each.
        Ok(others.filter(is_there).collect())
    }

    /// Whether a process is kept and runs; the number of one that has ended may be another's.
    fn keeps(&self, pid: Pid) -> bool {
        let kept = self.lock();
        kept.iter()
            .any(|kept| kept.pid == pid && kept.status.is_none())
    }

    /// Whether a process has one of these files open.
    pub fn has_open(&self, pid: Pid, files: &[PathBuf]) -> io::Result<bool> {
        let path = format!("{}/fd", pid.as_raw_nonzero());
        let Ok(dir) = self.proc()?.directory(&path) else {
            return Ok(false);
        };
        for entry in Dir::read_from(&dir)? {
            let link = readlinkat(&dir, entry?.file_name(), Vec::new());
            let link = link.ok().map(|link| link.into_bytes());
            if link.is_some_and(|link| files.iter().any(|f| f.as_os_str().as_bytes() == link)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What is told of the processes of this PID namespace.
    pub fn proc(&self) -> io::Result<&Proc> {
        let proc = self.proc.as_ref();
        proc.ok_or_else(|| io::Error::other("there is no /proc"))
    }
}
