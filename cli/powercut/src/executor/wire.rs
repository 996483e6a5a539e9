// SPDX-License-Identifier: GPL-2.0

//! What the command and an executor say to each other: JSON, a line each. The command asks, the
//! executor answers in the same order.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::files::File;
use super::keeper::{Keep, Kept};
use super::programs::{FileReply, FileRequest};
use super::resident::Told;
use crate::child::{Finished, Program};
use crate::fs::MountSpec;

/// A message of the command.
#[derive(Debug, Serialize, Deserialize)]
pub struct Message<R> {
    pub request: R,
    /// Only if what was asked for before is done.
    pub if_done: bool,
}

/// What the command asks for. All but `Begin` needs a sandbox, `Begin` needs that there is none.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// Makes a sandbox: a mount namespace, and a directory for temporary files.
    Begin(Begin),
    /// Runs a program to its end; what it leaves behind stays.
    Run(Program),
    /// Asks a check that lives from one sandbox to the next.
    Ask(Question),
    /// Mounts until the sandbox ends.
    Mount(Mount),
    /// Unmounts what is mounted there.
    Unmount(PathBuf),
    /// Does something with files of a filesystem that is mounted, without a process of its own.
    Files(FileRequest),
    /// Takes the marks of a workload from here on, and keeps what is in its files at each.
    Keep(Keep),
    /// Ends that.
    Kept,
    /// Tells the files and directories below one.
    List { dir: PathBuf, limit: usize },
    /// Kills all processes of the sandbox.
    Kill,
    /// Kills all processes of the sandbox, unmounts, and removes its directory.
    End,
}

impl Request {
    /// What it asks for, in words.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Begin(_) => "make a sandbox",
            Self::Run(_) => "run a command",
            Self::Ask(_) => "ask the resident check",
            Self::Mount(_) => "mount",
            Self::Unmount(_) => "unmount",
            Self::Files(_) => "run or judge a program",
            Self::List { .. } => "list files",
            Self::Keep(_) => "take the marks of the workload",
            Self::Kept => "keep what the workload left",
            Self::Kill => "kill what was left behind",
            Self::End => "unmount",
        }
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Begin {
    /// To be made, and removed in the end.
    pub tmp: PathBuf,
    /// How many times the power was cut before; it chooses the process ids.
    pub depth: u32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Started if it does not run. It is told its variables.
    pub program: Program,
    /// The devices of the state.
    pub nodes: Vec<PathBuf>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Mount {
    pub spec: MountSpec,
    pub node: PathBuf,
    pub dir: PathBuf,
}

/// What the executor answers.
#[derive(Debug, Serialize, Deserialize)]
pub enum Reply {
    Done,
    Finished(Finished),
    Told(Told),
    /// It is done, and the resident check had to be ended for it: why.
    Restarted(String),
    /// mount() said so.
    Errno(i32),
    Files(FileReply),
    List(Vec<File>),
    Kept(Vec<Kept>),
    /// It can't be done: why.
    Failed(String),
    /// It was for the case that what came before is done, which it is not.
    Skipped,
}

impl Reply {
    pub fn of(result: anyhow::Result<()>) -> Self {
        match result {
            Ok(()) => Self::Done,
            Err(e) => Self::Failed(format!("{e:#}")),
        }
    }

    /// Whether what was asked for is done.
    pub fn is_done(&self) -> bool {
        !matches!(self, Self::Errno(_) | Self::Failed(_) | Self::Skipped)
    }
}

/// One end of the connection.
#[derive(Debug)]
pub struct Wire {
    stream: UnixStream,
    /// Came in, but was not asked for yet.
    buffer: Vec<u8>,
    /// Not sent yet.
    queue: Vec<u8>,
}

impl Wire {
    pub fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            queue: Vec::new(),
        }
    }

    pub fn send(&mut self, message: &impl Serialize) -> io::Result<()> {
        self.queue(message)?;
        self.flush()
    }

    /// Has a message sent by the next [`Self::flush`].
    pub fn queue(&mut self, message: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.queue, message)?;
        self.queue.push(b'\n');
        Ok(())
    }

    pub fn flush(&mut self) -> io::Result<()> {
        let sent = self.stream.write_all(&self.queue);
        self.queue.clear();
        sent
    }

    /// Whether the next message is there as a whole.
    pub fn has_next(&self) -> bool {
        self.buffer.contains(&b'\n')
    }

    /// The next message if it is there as a whole.
    pub fn take<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') else {
            return Ok(None);
        };
        let line: Vec<u8> = self.buffer.drain(..=end).collect();
        Ok(Some(serde_json::from_slice(&line)?))
    }

    /// Reads what is there, and waits if nothing is. Nothing is read once the other end is closed:
    /// that is an error.
    pub fn fill(&mut self) -> io::Result<()> {
        let mut piece = [0; 8192];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    self.buffer.extend_from_slice(&piece[..n]);
                    return Ok(());
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// The next message, however long it takes; none if the other end is closed.
    pub fn receive<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(Some(message));
            }
            match self.fill() {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                Err(e) => return Err(e),
            }
        }
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_whole_and_in_order() {
        let (a, b) = UnixStream::pair().unwrap();
        let (mut a, mut b) = (Wire::new(a), Wire::new(b));
        assert!(b.take::<Request>().unwrap().is_none());
        let long = "x\n".repeat(40_000);
        let sent = std::thread::spawn(move || {
            a.send(&Reply::Failed(long)).unwrap();
            a.send(&Reply::Errno(5)).unwrap();
        });
        let first: Reply = b.receive().unwrap().unwrap();
        assert!(matches!(first, Reply::Failed(text) if text.len() == 80_000));
        assert!(matches!(b.receive().unwrap(), Some(Reply::Errno(5))));
        sent.join().unwrap();
        assert!(b.receive::<Reply>().unwrap().is_none());
    }
}
