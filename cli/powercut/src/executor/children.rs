// SPDX-License-Identifier: GPL-2.0

//! The processes of an executor. As the first process of its PID namespace it is the parent of
//! all whose own parent is gone.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::{openat, Dir, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{
    kill_process, kill_process_group, wait, waitpid, Pid, Signal, WaitOptions, WaitStatus,
};
use signal_hook::consts::SIGCHLD;

/// Between two looks at whether killed processes are gone that are the children of others.
const PAUSE: Duration = Duration::from_micros(200);

#[derive(Debug)]
pub struct Children {
    /// Whether this is the first process of a PID namespace.
    is_init: bool,
    /// Readable once a child ended.
    ended: UnixStream,
    /// One that outlives sandboxes.
    spared: Mutex<Option<Spared>>,
    /// /proc of this PID namespace.
    proc: Option<OwnedFd>,
}

#[derive(Debug, Clone, Copy)]
struct Spared {
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
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let proc = is_init.then(|| rustix::fs::open("/proc", flags, Mode::empty()));
        Ok(Self {
            is_init,
            ended,
            spared: Mutex::new(None),
            proc: proc.transpose()?,
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

    fn reaped(&self, pid: Pid, status: WaitStatus) {
        if let Some(spared) = self.lock().as_mut().filter(|spared| spared.pid == pid) {
            spared.status = Some(status);
        }
    }

    /// From now on this child, or none, outlives sandboxes.
    pub fn spare(&self, pid: Option<Pid>) {
        *self.lock() = pid.map(|pid| Spared { pid, status: None });
    }

    /// How the child that outlives sandboxes ended, if it did.
    pub fn spared(&self) -> io::Result<Option<WaitStatus>> {
        Ok(self.look_at_spared()?.and_then(|spared| spared.status))
    }

    fn look_at_spared(&self) -> io::Result<Option<Spared>> {
        let spared = *self.lock();
        if let Some(Spared { pid, status: None }) = spared {
            if let Some(status) = self.reap(pid)? {
                self.reaped(pid, status);
            }
        }
        Ok(*self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Spared>> {
        self.spared.lock().unwrap_or_else(PoisonError::into_inner)
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
                Ok(Some((pid, status))) => self.reaped(pid, status),
                Ok(None) | Err(Errno::INTR) => {}
                Err(Errno::CHILD) => return Ok(()),
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// The same, but for the child that outlives sandboxes, if there is one.
    pub fn kill_others(&self) -> io::Result<()> {
        loop {
            let Some(Spared { pid, status: None }) = self.look_at_spared()? else {
                // Its number may be another's by now.
                return self.kill_all();
            };
            let others = self.others(pid)?;
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

    /// The processes beside this one and `spared`. One that its parent has not noticed to be gone
    /// is none.
    fn others(&self, spared: Pid) -> io::Result<Vec<Pid>> {
        let proc = self.proc.as_ref();
        let proc = proc.ok_or_else(|| io::Error::other("there is no /proc"))?;
        let mut others = Vec::new();
        for entry in Dir::read_from(proc)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let Some(pid) = name.parse().ok().and_then(Pid::from_raw) else {
                continue;
            };
            if pid != Pid::INIT && pid != spared && !is_zombie(proc, &name) {
                others.push(pid);
            }
        }
        Ok(others)
    }
}

/// Whether a process has ended; one that is not there has.
fn is_zombie(proc: &OwnedFd, pid: &str) -> bool {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let Ok(file) = openat(proc, format!("{pid}/stat"), flags, Mode::empty()) else {
        return true;
    };
    let mut text = [0; 512];
    let len = rustix::io::read(&file, &mut text).unwrap_or(0);
    let text = String::from_utf8_lossy(&text[..len]);
    // The name before may have anything in it.
    let state = text.rsplit_once(") ").map(|(_, rest)| rest);
    state.is_none_or(|state| state.starts_with(['Z', 'X']))
}
