// SPDX-License-Identifier: GPL-2.0

//! A check that lives from state to state: it is told of each in a line on its standard input, and
//! answers in a line on its standard output.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fs::{fcntl_setfl, OFlags};
use rustix::io::Errno;
use rustix::pipe::{pipe_with, PipeFlags};
use rustix::process::{kill_process_group, Pid, Signal};
use serde::{Deserialize, Serialize};

use super::children::Children;
use super::output::{self, Output};
use super::run::{how, Stopped, KILLED};
use crate::child::{Ended, Program};

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Heard {
    /// A line.
    Answer(String),
    /// It ended, or was ended, without an answer.
    End(Ended),
}

impl Heard {
    /// Whether it answered that the state is consistent, and nothing else.
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Answer(answer) if answer.trim_end() == "ok")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub heard: Heard,
    /// What it printed on standard error meanwhile.
    pub output: String,
}

/// Such a check, running.
#[derive(Debug)]
pub struct Resident {
    pid: Pid,
    questions: OwnedFd,
    answers: Output,
    errors: Output,
}

/// What a question says: the variables of a check, by their names.
fn question(program: &Program) -> io::Result<Vec<u8>> {
    let variables = program.env.iter();
    let variables: BTreeMap<&str, String> = variables
        .map(|(name, value)| (name.as_str(), value.to_string_lossy().into_owned()))
        .collect();
    let mut line = serde_json::to_vec(&variables)?;
    line.push(b'\n');
    Ok(line)
}

impl Resident {
    pub fn start(program: &Program, children: &Children) -> io::Result<Self> {
        let (input, questions) = pipe_with(PipeFlags::CLOEXEC)?;
        // A check that reads nothing must not block the executor.
        fcntl_setfl(&questions, OFlags::NONBLOCK)?;
        let (answers, stdout) = output::pipe()?;
        let (errors, stderr) = output::pipe()?;
        let mut command = Command::new(&program.name);
        command
            .args(&program.args)
            .envs(program.env.iter().map(|(name, value)| (name, value)))
            .stdin(input)
            .stdout(stdout)
            .stderr(Stdio::from(stderr))
            .process_group(0);
        let pid = Pid::from_child(&command.spawn()?);
        children.keep(pid);
        Ok(Self {
            pid,
            questions,
            answers: Output::new(answers),
            errors: Output::new(errors),
        })
    }

    /// Whether it has ended.
    pub fn has_ended(&self, children: &Children) -> io::Result<bool> {
        Ok(children.ended_as(self.pid)?.is_some())
    }

    /// Whether it said more than it was asked for.
    pub fn is_ahead(&mut self) -> bool {
        self.answers.read_some();
        !self.answers.is_empty()
    }

    /// Asks it, and waits for the answer, until it ends or its time is over. One that is late is
    /// killed; see [`Heard::End`]. Ends early if `asker` is closed.
    pub fn ask(
        &mut self,
        program: &Program,
        children: &Children,
        asker: &impl AsFd,
    ) -> Result<Told, Stopped> {
        let deadline = program.limit.map(|limit| Instant::now() + limit);
        let mut left = question(program)?;
        let heard = match self.wait(&mut left, deadline, children, asker.as_fd())? {
            Some(heard) => heard,
            None => {
                self.end(children)?;
                Heard::End(Ended::TimedOut(program.limit.unwrap_or_default()))
            }
        };
        self.errors.read_some();
        Ok(Told {
            heard,
            output: self.errors.take(),
        })
    }

    /// The answer, or that there will be none; none if the time ran out first.
    fn wait(
        &mut self,
        question: &mut Vec<u8>,
        deadline: Option<Instant>,
        children: &Children,
        asker: BorrowedFd<'_>,
    ) -> Result<Option<Heard>, Stopped> {
        loop {
            self.write(question);
            let ended = children.ended_as(self.pid)?;
            self.answers.read_some();
            self.errors.read_some();
            if let Some(line) = self.answers.take_line() {
                return Ok(Some(Heard::Answer(line)));
            }
            if self.answers.is_full() {
                return Ok(Some(Heard::Answer(self.answers.take())));
            }
            if let Some(status) = ended {
                return Ok(Some(Heard::End(how(status))));
            }
            let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            let mut fds = vec![
                PollFd::from_borrowed_fd(asker, PollFlags::RDHUP),
                PollFd::from_borrowed_fd(children.ended(), PollFlags::IN),
            ];
            let outputs = [&self.answers, &self.errors];
            let outputs = outputs.iter().filter_map(|output| output.fd());
            fds.extend(outputs.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
            if !question.is_empty() {
                fds.push(PollFd::new(&self.questions, PollFlags::OUT));
            }
            match poll(&mut fds, left.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
            // The other end is closed.
            if !fds[0].revents().is_empty() {
                return Err(Stopped::Alone);
            }
        }
    }

    /// Writes of a question what there is room for.
    fn write(&self, question: &mut Vec<u8>) {
        while !question.is_empty() {
            match rustix::io::write(&self.questions, question) {
                Ok(n) => drop(question.drain(..n)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                // It reads no more: how it ends, or that it does not, is what counts.
                Err(_) => question.clear(),
            }
        }
    }

    /// Kills it, and waits until it is gone.
    pub fn end(&mut self, children: &Children) -> io::Result<()> {
        let _ = kill_process_group(self.pid, Signal::KILL);
        let until = Instant::now() + KILLED;
        while !self.has_ended(children)? && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        children.forget(self.pid);
        Ok(())
    }

    /// Whether it has one of these devices open.
    pub fn has_open(&self, nodes: &[PathBuf], children: &Children) -> io::Result<bool> {
        children.has_open(self.pid, nodes)
    }
}
