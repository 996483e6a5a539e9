// SPDX-License-Identifier: GPL-2.0

//! What a program prints, read as it comes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{fcntl_setfl, OFlags};
use rustix::io::Errno;
use rustix::pipe::{pipe_with, PipeFlags};

/// More than this is dropped, and said so.
const MAX: usize = 64 << 10;
/// What is read at a time, before the clock is looked at again.
const PIECE: usize = 64 << 10;

/// A pipe that a program writes to. Its reading end does not block.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    fcntl_setfl(&read, OFlags::NONBLOCK)?;
    Ok((read, write))
}

/// What came out of a program.
#[derive(Debug)]
pub struct Output {
    fd: Option<OwnedFd>,
    kept: Vec<u8>,
    dropped: usize,
}

impl Output {
    pub fn new(fd: OwnedFd) -> Self {
        Self {
            fd: Some(fd),
            kept: Vec::new(),
            dropped: 0,
        }
    }

    /// For poll(), until it is closed.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd)
    }

    /// The first line of what was read, without its end, if all of it is there.
    pub fn take_line(&mut self) -> Option<String> {
        let end = self.kept.iter().position(|byte| *byte == b'\n')?;
        let rest = self.kept.split_off(end + 1);
        let line = std::mem::replace(&mut self.kept, rest);
        Some(String::from_utf8_lossy(&line[..end]).into_owned())
    }

    /// Whether no more is kept.
    pub fn is_full(&self) -> bool {
        self.kept.len() >= MAX
    }

    /// Whether there is nothing that was read and not taken.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Reads what there is now, but no more than a piece.
    pub fn read_some(&mut self) {
        let mut buf = [0; 8192];
        let mut left = PIECE;
        while let (Some(fd), 1..) = (&self.fd, left) {
            match rustix::io::read(fd.as_fd(), &mut buf) {
                Ok(0) => self.fd = None,
                Ok(n) => {
                    let keep = n.min(MAX - self.kept.len());
                    self.kept.extend_from_slice(&buf[..keep]);
                    self.dropped += n - keep;
                    left = left.saturating_sub(n);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => self.fd = None,
            }
        }
    }

    /// What was read so far; from now on it begins anew.
    pub fn take(&mut self) -> String {
        let mut text = String::from_utf8_lossy(&self.kept).into_owned();
        if self.dropped > 0 {
            text.push_str(&format!("\n[{} more bytes dropped]\n", self.dropped));
        }
        self.kept.clear();
        self.dropped = 0;
        text
    }
}
