// SPDX-License-Identifier: GPL-2.0

//! Runs the user's commands: each in its own process group, with its output
//! kept, within a time, and with nothing left behind.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fs::{fcntl_setfl, OFlags};
use rustix::pipe::{pipe_with, PipeFlags};
use rustix::process::{kill_process_group, pidfd_open, Pid, PidfdFlags, Signal};

use crate::signals::Signals;

/// More output than this is dropped, and said so.
pub const MAX_OUTPUT: usize = 64 << 10;

/// Variables for a command, over those of this process.
pub type Env = Vec<(String, OsString)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Exited(i32),
    Killed(i32),
    TimedOut(Duration),
}

impl Ended {
    pub fn ok(self) -> bool {
        self == Self::Exited(0)
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit {code}"),
            Self::Killed(signal) => write!(f, "killed by signal {signal}"),
            Self::TimedOut(t) => write!(f, "no end within {} s", t.as_secs_f64()),
        }
    }
}

#[derive(Debug)]
pub struct Finished {
    pub ended: Ended,
    /// Standard output and error, in the order they came.
    pub output: String,
}

/// A command line. How it is to be started is found out once, however often it is run.
#[derive(Debug)]
pub struct Line {
    text: String,
    /// The words, if it takes no shell to start it.
    words: Option<Vec<String>>,
}

impl Line {
    pub fn new(text: &str) -> Self {
        let words = words(text).map(|words| words.into_iter().map(String::from).collect());
        Self {
            text: text.into(),
            words,
        }
    }

    /// Runs it to its end, as `sh -c LINE` would.
    pub fn run(&self, env: &Env, timeout: Option<Duration>, signals: &Signals) -> Result<Finished> {
        let mut cmd = match self.words.as_deref() {
            Some([program, args @ ..]) => {
                let mut cmd = Command::new(program);
                cmd.args(args);
                cmd
            }
            _ => {
                let mut cmd = Command::new("sh");
                cmd.arg("-c").arg(&self.text);
                cmd
            }
        };
        cmd.envs(env.iter().map(|(name, value)| (name, value)));
        run(cmd, timeout, signals).with_context(|| format!("cannot run `sh -c {:?}`", self.text))
    }
}

/// The words of a command that a shell would do nothing to but start: a
/// program file by its path, and plain arguments. Saves the shell.
fn words(command: &str) -> Option<Vec<&str>> {
    let plain = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '/' | '.' | '_' | '-' | ' ' | ',' | '+' | ':' | '@' | '%')
    };
    let words: Vec<&str> = command.split(' ').filter(|w| !w.is_empty()).collect();
    let program = words.first().filter(|w| w.contains('/'))?;
    let mut start = [0; 2];
    let mut file = std::fs::File::open(program).ok()?;
    // Without a first line that says so, the shell is what runs a script.
    let read = io::Read::read(&mut file, &mut start).ok()?;
    let is_program = read == 2 && (&start == b"#!" || &start == b"\x7fE");
    let is_executable = rustix::fs::access(*program, rustix::fs::Access::EXEC_OK).is_ok();
    (command.chars().all(plain) && is_program && is_executable).then_some(words)
}

/// Runs a program to its end.
pub fn program(
    name: &OsStr,
    args: impl IntoIterator<Item = impl AsRef<OsStr>>,
    signals: &Signals,
) -> Result<Finished> {
    let mut cmd = Command::new(name);
    cmd.args(args);
    run(cmd, None, signals).with_context(|| format!("cannot run {}", name.to_string_lossy()))
}

fn run(mut cmd: Command, timeout: Option<Duration>, signals: &Signals) -> Result<Finished> {
    signals.check()?;
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    fcntl_setfl(&read, OFlags::NONBLOCK)?;
    cmd.stdin(Stdio::null())
        .stdout(write.try_clone()?)
        .stderr(write)
        .process_group(0);
    let deadline = timeout.map(|t| Instant::now() + t);
    let mut group = Group::spawn(&mut cmd)?;
    // The command holds our copies of the writing end.
    drop(cmd);
    let mut output = Output::new(read);
    let timed_out = group.wait(&mut output, deadline, signals)?;
    let status = group.end()?;
    output.drain();
    let ended = match (timed_out, timeout) {
        (true, Some(t)) => Ended::TimedOut(t),
        _ => how(status),
    };
    Ok(Finished {
        ended,
        output: output.text(),
    })
}

fn how(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Exited(code),
        (None, Some(signal)) => Ended::Killed(signal),
        (None, None) => Ended::Exited(-1),
    }
}

/// A running command and all it started that stayed in its process group.
/// Dropped, they are killed.
struct Group {
    child: Child,
    pidfd: OwnedFd,
    reaped: bool,
}

impl Group {
    fn spawn(cmd: &mut Command) -> io::Result<Self> {
        let mut child = cmd.spawn()?;
        let opened = pidfd_open(Pid::from_child(&child), PidfdFlags::empty());
        let pidfd = opened.inspect_err(|_| {
            let _ = child.kill();
            let _ = child.wait();
        })?;
        Ok(Self {
            child,
            pidfd,
            reaped: false,
        })
    }

    /// Waits for the command to end; true if the time ran out first.
    fn wait(
        &mut self,
        output: &mut Output,
        deadline: Option<Instant>,
        signals: &Signals,
    ) -> Result<bool> {
        loop {
            let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(true);
            }
            let mut fds = vec![
                PollFd::new(&self.pidfd, PollFlags::IN),
                PollFd::from_borrowed_fd(signals.wake_fd(), PollFlags::IN),
            ];
            if let Some(fd) = &output.fd {
                fds.push(PollFd::new(fd, PollFlags::IN));
            }
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            match poll(&mut fds, left.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
            let exited = !fds[0].revents().is_empty();
            let readable = fds.get(2).is_some_and(|fd| !fd.revents().is_empty());
            drop(fds);
            signals.check()?;
            if readable {
                output.drain();
            }
            if exited {
                return Ok(false);
            }
        }
    }

    /// Kills what is left of the group, then reaps the command: in that order,
    /// or the group's number could be another's by then.
    fn end(&mut self) -> io::Result<ExitStatus> {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let status = self.child.wait();
        self.reaped = true;
        status
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = self.end();
        }
    }
}

/// What came out of a command.
struct Output {
    fd: Option<OwnedFd>,
    kept: Vec<u8>,
    dropped: usize,
}

impl Output {
    fn new(fd: OwnedFd) -> Self {
        Self {
            fd: Some(fd),
            kept: Vec::new(),
            dropped: 0,
        }
    }

    /// Reads what there is now.
    fn drain(&mut self) {
        let mut buf = [0; 8192];
        while let Some(fd) = &self.fd {
            match rustix::io::read(fd.as_fd(), &mut buf) {
                Ok(0) => self.fd = None,
                Ok(n) => {
                    let keep = n.min(MAX_OUTPUT - self.kept.len());
                    self.kept.extend_from_slice(&buf[..keep]);
                    self.dropped += n - keep;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return,
                Err(_) => self.fd = None,
            }
        }
    }

    fn text(self) -> String {
        let mut text = String::from_utf8_lossy(&self.kept).into_owned();
        if self.dropped > 0 {
            text.push_str(&format!("\n[{} more bytes dropped]\n", self.dropped));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(command: &str, timeout: Option<Duration>) -> Finished {
        let signals = Signals::uncaught().unwrap();
        let env = vec![("WORD".into(), "hello".into())];
        Line::new(command).run(&env, timeout, &signals).unwrap()
    }

    #[test]
    fn status_output_and_variables() {
        let done = sh("echo $WORD; echo oops >&2; exit 3", None);
        assert_eq!(done.ended, Ended::Exited(3));
        assert_eq!(done.output, "hello\noops\n");
        assert_eq!(sh("kill -9 $$", None).ended, Ended::Killed(9));
    }

    #[test]
    fn a_shell_is_not_needed_to_start_a_program() {
        assert_eq!(words("/bin/echo  a -b=c"), None);
        let plain = words("/bin/echo  a -b /c");
        assert_eq!(plain, Some(vec!["/bin/echo", "a", "-b", "/c"]));
        for other in [
            "echo a",
            "/bin/echo $HOME",
            "/bin/echo 'a'",
            "/no/such",
            "/etc/hosts",
            "",
        ] {
            assert_eq!(words(other), None, "{other}");
        }
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
    fn what_stays_in_the_background_does_not_delay() {
        let began = Instant::now();
        assert!(sh("sleep 999 & exit 0", None).ended.ok());
        assert!(began.elapsed() < Duration::from_secs(900));
    }

    #[test]
    fn long_output_is_cut_and_said_so() {
        let done = sh("head -c 200000 /dev/zero | tr '\\0' x", None);
        assert!(done.ended.ok());
        assert!(done.output.ends_with("[134464 more bytes dropped]\n"));
    }
}
