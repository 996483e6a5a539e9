// SPDX-License-Identifier: GPL-2.0

//! What an executor is asked for, and its answers. It may be asked for several things at once, each for the case
//! that the one before is done: to wake the command and the executor once for all of them takes less time than
//! the work itself, if that is short. Their answers go back together; which of them it does is in its progress file,
//! for a command that has waited too long.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use rustix::io::{pread, pwrite};

use super::wire::{Message, Reply, Request, Wire};

/// How many requests an executor has begun with: a file that both it and the command have open.
#[derive(Debug)]
pub struct Progress(pub File);

impl Progress {
    fn write(&self, begun: u64) {
        // It is for a message alone.
        let _ = pwrite(&self.0, &begun.to_le_bytes(), 0);
    }

    pub fn read(&self) -> u64 {
        let mut begun = [0; 8];
        match pread(&self.0, &mut begun, 0) {
            Ok(8) => u64::from_le_bytes(begun),
            _ => 0,
        }
    }
}

/// The executor's end.
#[derive(Debug)]
pub struct Requests {
    wire: Wire,
    progress: Progress,
    begun: u64,
    /// Whether the newest request is done.
    is_done: bool,
    /// Whether the next answer goes at once.
    is_urgent: bool,
}

impl Requests {
    pub fn new(stream: UnixStream, progress: Progress) -> Self {
        Self {
            wire: Wire::new(stream),
            progress,
            begun: 0,
            is_done: true,
            is_urgent: false,
        }
    }

    /// The next request, however long it takes; none if the command is gone.
    pub fn next(&mut self) -> io::Result<Option<Request>> {
        while let Some(message) = self.wire.receive::<Message<Request>>()? {
            self.begun += 1;
            self.progress.write(self.begun);
            if self.is_done || !message.if_done {
                return Ok(Some(message.request));
            }
            self.answer(&Reply::Skipped)?;
        }
        Ok(None)
    }

    /// Has the next answer sent at once, whatever else was asked for: it must not be lost if that hangs.
    pub fn hurry(&mut self) {
        self.is_urgent = true;
    }

    /// Answers, once for all requests that came together.
    pub fn answer(&mut self, reply: &Reply) -> io::Result<()> {
        self.is_done = reply.is_done();
        self.wire.queue(reply)?;
        if self.wire.has_next() && !self.is_urgent {
            return Ok(());
        }
        self.is_urgent = false;
        self.wire.flush()
    }
}

impl AsFd for Requests {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wire.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::{memfd_create, MemfdFlags};

    use super::*;

    fn pair() -> (Wire, Progress, Requests) {
        let (a, b) = UnixStream::pair().unwrap();
        let file = File::from(memfd_create("progress", MemfdFlags::CLOEXEC).unwrap());
        let progress = Progress(file.try_clone().unwrap());
        (Wire::new(a), Progress(file), Requests::new(b, progress))
    }

    fn ask(wire: &mut Wire, requests: &[(Request, bool)]) {
        for (request, if_done) in requests {
            let if_done = *if_done;
            wire.queue(&Message { request, if_done }).unwrap();
        }
        wire.flush().unwrap();
    }

    #[test]
    fn after_what_is_not_done_comes_nothing_that_needs_it() {
        let (mut wire, progress, mut requests) = pair();
        let asked = [
            (Request::Kept, false),
            (Request::Kill, true),
            (Request::End, true),
            (Request::Kill, false),
        ];
        ask(&mut wire, &asked);
        assert_eq!(requests.next().unwrap(), Some(Request::Kept));
        assert_eq!(progress.read(), 1);
        requests.answer(&Reply::Errno(5)).unwrap();
        // It is the last one, which needs nothing.
        assert_eq!(requests.next().unwrap(), Some(Request::Kill));
        assert_eq!(progress.read(), 4);
        requests.answer(&Reply::Done).unwrap();
        let replies: Vec<Reply> = (0..4).map(|_| wire.receive().unwrap().unwrap()).collect();
        assert!(matches!(
            replies[..],
            [Reply::Errno(5), Reply::Skipped, Reply::Skipped, Reply::Done]
        ));
        drop(wire);
        assert_eq!(requests.next().unwrap(), None);
    }

    #[test]
    fn answers_go_back_together() {
        let (mut wire, _, mut requests) = pair();
        ask(&mut wire, &[(Request::Kill, false), (Request::End, true)]);
        let _ = requests.next().unwrap();
        requests.answer(&Reply::Done).unwrap();
        let mut fds = [rustix::event::PollFd::from_borrowed_fd(
            wire.as_fd(),
            rustix::event::PollFlags::IN,
        )];
        let now = rustix::event::Timespec::default();
        assert_eq!(rustix::event::poll(&mut fds, Some(&now)), Ok(0));
        let _ = requests.next().unwrap();
        requests.answer(&Reply::Done).unwrap();
        assert_eq!(rustix::event::poll(&mut fds, Some(&now)), Ok(1));
        for _ in 0..2 {
            assert!(matches!(wire.receive().unwrap(), Some(Reply::Done)));
        }
    }

    #[test]
    fn an_urgent_answer_does_not_wait() {
        let (mut wire, _, mut requests) = pair();
        ask(&mut wire, &[(Request::Kill, false), (Request::End, true)]);
        let _ = requests.next().unwrap();
        requests.hurry();
        requests.answer(&Reply::Done).unwrap();
        assert!(matches!(wire.receive().unwrap(), Some(Reply::Done)));
    }
}
