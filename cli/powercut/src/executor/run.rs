// SPDX-License-Identifier: GPL-2.0

//! Runs a program to its end: in a process group of its own, with its output kept, within a time.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{kill_process_group, Pid, Signal, WaitStatus};

use super::children::Children;
use super::keeper::Keeper;
use super::output::{self, Output};
use crate::child::{Ended, Finished, Program};

/// How long a killed program may take to be gone. One that the kernel holds takes longer.
pub const KILLED: Duration = Duration::from_secs(5);

/// Why a program was not run to its end.
#[derive(Debug)]
pub enum Stopped {
    /// It can't be started.
    Failed(io::Error),
    /// The command that asked for it is gone.
    Alone,
}

impl<E: Into<io::Error>> From<E> for Stopped {
    fn from(e: E) -> Self {
        Self::Failed(e.into())
    }
}

/// Runs a program until it ends, its time is over, or `asker` is closed. Only if it is late are it
/// and its process group killed. The keeper, if there is one, serves meanwhile.
pub fn run(
    program: &Program,
    children: &Children,
    asker: &impl AsFd,
    keeper: Option<&mut Keeper>,
) -> Result<Finished, Stopped> {
    let (read, write) = output::pipe()?;
    let mut command = Command::new(&program.name);
    command
        .args(&program.args)
        .envs(program.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(match &program.stdout {
            None => Stdio::from(write.try_clone()?),
            Some(path) => File::create(path)?.into(),
        })
        .stderr(write)
        .process_group(0);
    let child = command.spawn()?;
    // It holds our copies of the writing end.
    drop(command);
    let mut running = Running {
        pid: Pid::from_child(&child),
        output: Output::new(read),
        children,
        asker: asker.as_fd(),
        keeper,
    };
    let deadline = program.limit.map(|limit| (Instant::now() + limit, limit));
    let status = running.wait(deadline.map(|(end, _)| end))?;
    let ended = match (status, deadline) {
        (Some(status), _) => how(status),
        (None, Some((_, limit))) => {
            // Another's that has this number is none: it is not reaped yet.
            let _ = kill_process_group(running.pid, Signal::KILL);
            running.wait(Some(Instant::now() + KILLED))?;
            Ended::TimedOut(limit)
        }
        (None, None) => Ended::Exited(-1),
    };
    // What was printed until now; a process that is left may print for ever.
    running.output.read_some();
    Ok(Finished {
        ended,
        output: running.output.take(),
    })
}

pub fn how(status: WaitStatus) -> Ended {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Ended::Exited(code),
        (None, Some(signal)) => Ended::Killed(signal),
        (None, None) => Ended::Exited(-1),
    }
}

struct Running<'a> {
    pid: Pid,
    output: Output,
    children: &'a Children,
    asker: BorrowedFd<'a>,
    keeper: Option<&'a mut Keeper>,
}

impl Running<'_> {
    /// Waits for the program to end; none if the time ran out first.
    fn wait(&mut self, deadline: Option<Instant>) -> Result<Option<WaitStatus>, Stopped> {
        loop {
            if let Some(status) = self.children.reap(self.pid)? {
                return Ok(Some(status));
            }
            let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            let mut fds = vec![
                PollFd::from_borrowed_fd(self.asker, PollFlags::RDHUP),
                PollFd::from_borrowed_fd(self.children.ended(), PollFlags::IN),
            ];
            let output = self.output.fd().map(|fd| {
                fds.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
                fds.len() - 1
            });
            let marks = self.keeper.as_ref().map(|keeper| {
                fds.push(PollFd::from_borrowed_fd(keeper.as_fd(), PollFlags::IN));
                fds.len() - 1
            });
            match poll(&mut fds, left.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
            let is_ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            // The other end is closed.
            if is_ready[0] {
                return Err(Stopped::Alone);
            }
            if output.is_some_and(|at| is_ready[at]) {
                self.output.read_some();
            }
            if let (Some(keeper), true) = (&mut self.keeper, marks.is_some_and(|at| is_ready[at])) {
                keeper.serve(self.children)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::child::Line;
    use std::os::unix::net::UnixStream;

    fn program(command: &str, limit: Option<Duration>) -> Program {
        let env = vec![("WORD".into(), "hello".into())];
        Line::new(command).program().env(env).limit(limit)
    }

    fn sh(command: &str, limit: Option<Duration>) -> Finished {
        let (asker, _other) = UnixStream::pair().unwrap();
        let children = Children::of_this_process().unwrap();
        run(&program(command, limit), &children, &asker, None).unwrap()
    }

    #[test]
    fn status_output_and_variables() {
        let done = sh("echo $WORD; echo oops >&2; exit 3", None);
        assert_eq!(done.ended, Ended::Exited(3));
        assert_eq!(done.output, "hello\noops\n");
        assert_eq!(sh("kill -9 $$", None).ended, Ended::Killed(9));
        assert_eq!(sh("/bin/echo a b", None).output, "a b\n");
    }

    #[test]
    fn a_late_command_is_killed_with_its_children() {
        let began = Instant::now();
        // So long that even a busy machine has begun by then.
        let limit = Duration::from_secs(5);
        let done = sh("echo begun; sleep 999 & sleep 999", Some(limit));
        assert_eq!(done.ended, Ended::TimedOut(limit));
        assert_eq!(done.output, "begun\n");
        assert!(began.elapsed() < Duration::from_secs(900));
    }

    #[test]
    fn who_prints_for_ever_is_late() {
        let limit = Duration::from_secs(1);
        let done = sh("cat /dev/zero", Some(limit));
        assert_eq!(done.ended, Ended::TimedOut(limit));
        assert!(done.output.ends_with(" more bytes dropped]\n"));
    }

    #[test]
    fn what_stays_in_the_background_does_not_delay() {
        let began = Instant::now();
        let done = sh("sleep 999 & echo $!; exit 0", None);
        assert!(done.ended.ok());
        assert!(began.elapsed() < Duration::from_secs(900));
        let left = Pid::from_raw(done.output.trim().parse().unwrap());
        rustix::process::kill_process(left.unwrap(), Signal::KILL).unwrap();
    }

    #[test]
    fn an_asker_that_is_gone_ends_it() {
        let (asker, other) = UnixStream::pair().unwrap();
        let children = Children::of_this_process().unwrap();
        drop(other);
        let stopped = run(&program("sleep 5", None), &children, &asker, None);
        assert!(matches!(stopped, Err(Stopped::Alone)));
    }

    #[test]
    fn long_output_is_cut_and_said_so() {
        let done = sh("head -c 200000 /dev/zero | tr '\\0' x", None);
        assert!(done.ended.ok());
        assert!(done.output.ends_with("[134464 more bytes dropped]\n"));
    }
}
