// SPDX-License-Identifier: GPL-2.0

//! Answers the requests of a ublk device.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use io_uring::{opcode, types, IoUring};
use libublk::io::{BufDescList, UblkDev, UblkIOCtx, UblkQueue};
use libublk::{sys, with_task_io_ring_mut, BufDesc, UblkError, UblkIORes, UblkUringData};
use powercut_engine::abi::SECTOR;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::process::{getpid, pidfd_getfd, pidfd_open, PidfdFlags, PidfdGetfdFlags};

use crate::crash_disk::{Delayed, Op, Part, Request, Served, Ticket};

/// Requests in flight.
pub const DEPTH: u16 = 128;
/// There is one queue.
const QUEUE: u16 = 0;
/// How often it is looked for requests while an answer is to be late.
const TICK: Duration = Duration::from_millis(1);

fn failed(e: UblkError) -> io::Error {
    match e {
        UblkError::IOError(e) => e,
        e => io::Error::other(e.to_string()),
    }
}

/// What serves a device, in the thread that made it.
pub struct Server<'s> {
    queue: UblkQueue<'s>,
    /// Where the data of requests is read from and written to.
    data: File,
    part: &'s Part,
    /// Readable once the other end is closed: the server is to end.
    _stop: UnixStream,
    is_stopped: Cell<bool>,
    /// Who is to be told of the first request.
    first: Cell<Option<Sender<()>>>,
}

impl Drop for Server<'_> {
    /// Closes the ring, with which the kernel ends the commands that wait for requests. Else the end of the queue
    /// would wait for them, up to Linux 6.12 at least.
    fn drop(&mut self) {
        if let Ok(empty) = IoUring::new(1) {
            with_task_io_ring_mut(|ring| *ring = empty);
        }
    }
}

/// A request that is to be answered. If it is not by the time this goes, it fails.
struct InHand<'q, 's> {
    queue: &'q UblkQueue<'s>,
    tag: u16,
    is_answered: bool,
}

impl InHand<'_, '_> {
    fn answer(mut self, result: i32) -> io::Result<()> {
        self.put(result)
    }

    /// The kernel gets the answer when it is next asked for requests.
    fn put(&mut self, result: i32) -> io::Result<()> {
        self.is_answered = true;
        let result = Ok(UblkIORes::Result(result));
        // No memory is lent to the kernel: of nothing, libublk makes a null pointer.
        let nothing = BufDesc::Slice(&[]);
        let done = self
            .queue
            .complete_io_cmd_unified(self.tag, nothing, result);
        done.map_err(failed)
    }
}

impl Drop for InHand<'_, '_> {
    fn drop(&mut self) {
        if !self.is_answered {
            let _ = self.put(-Errno::IO.raw_os_error());
        }
    }
}

/// A request, and what became of it.
struct Answer<'q, 's> {
    request: InHand<'q, 's>,
    result: i32,
    delay: Duration,
    ticket: Option<Ticket>,
}

impl<'s> Server<'s> {
    /// A server that ends when the other end of `stop` is closed, and tells `first` once a request came.
    pub fn new(
        dev: &'s UblkDev,
        part: &'s Part,
        stop: UnixStream,
        first: Sender<()>,
    ) -> io::Result<Self> {
        let data = duplicate(dev.tgt.fds[0])?;
        let queue = UblkQueue::new(QUEUE, dev).map_err(failed)?;
        let queue = queue.submit_fetch_commands_unified(BufDescList::Slices(None));
        let queue = queue.map_err(failed)?;
        let end =
            opcode::PollAdd::new(types::Fd(stop.as_raw_fd()), u32::from(PollFlags::IN.bits()));
        let end = end.build().user_data(UblkUringData::Target as u64);
        queue.ublk_submit_sqe_sync(end).map_err(failed)?;
        Ok(Self {
            queue,
            data,
            part,
            _stop: stop,
            is_stopped: Cell::new(false),
            first: Cell::new(Some(first)),
        })
    }

    /// Serves until it is to end.
    pub fn run(&self) -> io::Result<()> {
        let mut delayed = Delayed::default();
        while self.next(&mut delayed)? {}
        Ok(())
    }

    /// Answers what came, or what is due. False at the end.
    fn next<'q>(&'q self, delayed: &mut Delayed<Answer<'q, 's>>) -> io::Result<bool> {
        for answer in delayed.due(Instant::now()) {
            self.send(answer)?;
        }
        let due = delayed.first();
        let mut came = self.came(usize::from(due.is_none()))?;
        if self.is_stopped.get() {
            return Ok(false);
        }
        if let Some(due) = due.filter(|_| came.is_empty()) {
            let left = due.saturating_duration_since(Instant::now());
            thread::sleep(left.min(TICK));
            return Ok(true);
        }
        if !came.is_empty() {
            // Once.
            let _ = self.first.take().map(|first| first.send(()));
        }
        let mut answers = Vec::new();
        while !came.is_empty() {
            answers.extend(came.into_iter().map(|request| self.serve(request)));
            came = Vec::new();
            // What came before anything is answered is in flight together, and the record is to say so.
            if self.part.is_recording() {
                came = self.came(0)?;
            }
        }
        for answer in answers {
            if answer.delay.is_zero() {
                self.send(answer)?;
            } else {
                delayed.put(Instant::now() + answer.delay, answer);
            }
        }
        Ok(true)
    }

    /// Gives the kernel the answers there are and waits for so many events; the requests that came.
    fn came(&self, events: usize) -> io::Result<Vec<InHand<'_, 's>>> {
        let mut requests = Vec::new();
        let handled = self.queue.flush_and_wake_io_tasks(
            |data, entry, _| {
                if data & UblkUringData::Target as u64 != 0 {
                    self.is_stopped.set(true);
                } else if entry.result() == sys::UBLK_IO_RES_OK as i32 {
                    requests.push(InHand {
                        queue: &self.queue,
                        tag: UblkIOCtx::user_data_to_tag(data) as u16,
                        is_answered: false,
                    });
                }
            },
            events,
        );
        // An error, too, is that somebody else stopped the device.
        handled.map(|_| requests).map_err(failed)
    }

    /// Does what a request asks for.
    fn serve<'q>(&'q self, request: InHand<'q, 's>) -> Answer<'q, 's> {
        let served = self.served(request.tag);
        Answer {
            request,
            result: match served {
                Ok((len, _)) => len as i32,
                Err(errno) => -errno.raw_os_error(),
            },
            delay: served.map_or(Duration::ZERO, |(_, served)| served.delay),
            ticket: served.ok().and_then(|(_, served)| served.ticket),
        }
    }

    /// The same for a tag: how many bytes were moved.
    fn served(&self, tag: u16) -> Result<(u32, Served), Errno> {
        let request = self.request(tag).ok_or(Errno::IO)?;
        let at = UblkIOCtx::ublk_user_copy_pos(QUEUE, tag, 0);
        let len = match request.op {
            Op::Read | Op::Write => request.len,
            Op::Flush | Op::Discard | Op::WriteZeroes => 0,
        };
        let mut data = vec![0; len as usize];
        if request.op == Op::Write {
            let read = self.data.read_exact_at(&mut data, at);
            read.map_err(|_| Errno::IO)?;
        }
        let served = self.part.serve(&request, &mut data);
        if let Some(errno) = served.error {
            return Err(errno);
        }
        if request.op == Op::Read {
            let written = self.data.write_all_at(&data, at);
            written.map_err(|_| Errno::IO)?;
        }
        Ok((len, served))
    }

    /// What is asked for, if that is known.
    fn request(&self, tag: u16) -> Option<Request> {
        let asked = self.queue.get_iod(tag);
        let op = match asked.op_flags & 0xff {
            sys::UBLK_IO_OP_READ => Op::Read,
            sys::UBLK_IO_OP_WRITE => Op::Write,
            sys::UBLK_IO_OP_FLUSH => Op::Flush,
            sys::UBLK_IO_OP_DISCARD => Op::Discard,
            sys::UBLK_IO_OP_WRITE_ZEROES => Op::WriteZeroes,
            _ => return None,
        };
        // Of a flush, what stands there for sectors says nothing.
        let (sector, nr_sectors) = match op {
            Op::Flush => (0, 0),
            _ => (asked.start_sector, asked.nr_sectors),
        };
        Some(Request {
            op,
            offset: sector.checked_mul(SECTOR)?,
            len: nr_sectors.checked_mul(SECTOR as u32)?,
            is_fua: asked.op_flags & sys::UBLK_IO_F_FUA != 0,
        })
    }

    fn send(&self, answer: Answer<'_, '_>) -> io::Result<()> {
        // Before the kernel knows: what it sends then comes later.
        if let Some(ticket) = answer.ticket {
            self.part.complete(ticket);
        }
        answer.request.answer(answer.result)
    }
}

/// A handle of our own to a file that libublk has open, and which can be opened once only.
fn duplicate(fd: i32) -> io::Result<File> {
    let this = pidfd_open(getpid(), PidfdFlags::empty())?;
    Ok(pidfd_getfd(this, fd, PidfdGetfdFlags::empty())?.into())
}
