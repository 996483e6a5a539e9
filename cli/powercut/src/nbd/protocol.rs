// SPDX-License-Identifier: GPL-2.0

//! The transmission phase of the NBD protocol, as the kernel's client speaks it. Numbers are big-endian.

use std::io::{self, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use powercut_engine::abi::Header;
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use crate::crash_disk::{Delayed, Op, Part, Request, Served, Ticket};

const REQUEST_MAGIC: u32 = 0x2560_9513;
const REPLY_MAGIC: u32 = 0x6744_6698;
const REQUEST_LEN: usize = 28;
const REPLY_LEN: usize = 16;

/// The kernel's limit for a request, and more.
const MAX_LEN: u32 = 1 << 26;
/// So many requests are in hand at a time.
const MAX_TOGETHER: usize = 128;
/// What is received at a time.
const BUFFER: usize = 1 << 16;

const READ: u16 = 0;
const WRITE: u16 = 1;
const DISCONNECT: u16 = 2;
const FLUSH: u16 = 3;
const TRIM: u16 = 4;
const WRITE_ZEROES: u16 = 6;

/// Of a request.
const FLAG_FUA: u16 = 1;

const HAS_FLAGS: u64 = 1;
const SEND_FLUSH: u64 = 1 << 2;
const SEND_FUA: u64 = 1 << 3;
const SEND_TRIM: u64 = 1 << 5;
const SEND_WRITE_ZEROES: u64 = 1 << 6;

/// Errors, as the protocol numbers them.
const EIO: u32 = 5;
const EINVAL: u32 = 22;

/// What the server tells the kernel that a disk can do.
pub fn server_flags(disk: &Header) -> u64 {
    let flush = if disk.write_cache { SEND_FLUSH } else { 0 };
    let fua = if disk.write_cache && disk.fua {
        SEND_FUA
    } else {
        0
    };
    HAS_FLAGS | SEND_TRIM | SEND_WRITE_ZEROES | flush | fua
}

/// A request as it is sent.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    flags: u16,
    kind: u16,
    cookie: [u8; 8],
    offset: u64,
    len: u32,
}

impl Head {
    fn parse(bytes: &[u8; REQUEST_LEN]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk()?;
        let (flags, rest) = rest.split_first_chunk()?;
        let (kind, rest) = rest.split_first_chunk()?;
        let (cookie, rest) = rest.split_first_chunk()?;
        let (offset, rest) = rest.split_first_chunk()?;
        let (len, _) = rest.split_first_chunk()?;
        (u32::from_be_bytes(*magic) == REQUEST_MAGIC).then(|| Self {
            flags: u16::from_be_bytes(*flags),
            kind: u16::from_be_bytes(*kind),
            cookie: *cookie,
            offset: u64::from_be_bytes(*offset),
            len: u32::from_be_bytes(*len),
        })
    }

    /// What is asked for, if that is known.
    fn request(&self) -> Option<Request> {
        Some(Request {
            op: match self.kind {
                READ => Op::Read,
                WRITE => Op::Write,
                FLUSH => Op::Flush,
                TRIM => Op::Discard,
                WRITE_ZEROES => Op::WriteZeroes,
                _ => return None,
            },
            offset: self.offset,
            len: self.len,
            is_fua: self.flags & FLAG_FUA != 0,
        })
    }
}

/// Serves a part of a disk until the other side ends it.
pub fn serve(stream: &UnixStream, part: &Part) -> io::Result<()> {
    let mut connection = Connection {
        reader: BufReader::with_capacity(BUFFER, stream),
        stream,
        part,
        delayed: Delayed::default(),
        data: Vec::new(),
    };
    while connection.next()? {}
    Ok(())
}

/// An answer to be sent.
#[derive(Debug)]
struct Reply {
    bytes: Vec<u8>,
    delay: Duration,
    /// What it answers is in a record.
    ticket: Option<Ticket>,
}

/// What is received.
enum Received {
    Request(Reply),
    End,
}

/// A client, and the part of a disk that it is served.
struct Connection<'c> {
    reader: BufReader<&'c UnixStream>,
    stream: &'c UnixStream,
    part: &'c Part,
    delayed: Delayed<Reply>,
    /// What came with a request.
    data: Vec<u8>,
}

impl Connection<'_> {
    /// Answers what was sent, or what is due. False at the end.
    fn next(&mut self) -> io::Result<bool> {
        loop {
            for reply in self.delayed.due(Instant::now()) {
                self.send(&reply)?;
            }
            match self.delayed.first() {
                Some(due) if !self.is_readable(due)? => {}
                _ => break,
            }
        }
        let mut replies = Vec::new();
        let is_end = loop {
            match self.receive()? {
                Received::End => break true,
                Received::Request(reply) => replies.push(reply),
            }
            // What was sent before anything is answered is in flight together, and the record is to say so.
            let is_enough = replies.len() >= MAX_TOGETHER || !self.part.is_recording();
            if is_enough || !self.is_readable(Instant::now())? {
                break false;
            }
        };
        for reply in replies {
            if reply.delay.is_zero() {
                self.send(&reply)?;
            } else {
                self.delayed.put(Instant::now() + reply.delay, reply);
            }
        }
        Ok(!is_end)
    }

    /// Receives a request and does what it asks for.
    fn receive(&mut self) -> io::Result<Received> {
        let mut bytes = [0; REQUEST_LEN];
        match self.reader.read_exact(&mut bytes) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(Received::End),
            other => other?,
        }
        let bad = |what| Err(io::Error::new(io::ErrorKind::InvalidData, what));
        let Some(head) = Head::parse(&bytes) else {
            return bad("not a request of NBD");
        };
        if head.kind == DISCONNECT {
            return Ok(Received::End);
        }
        let carries = matches!(head.kind, READ | WRITE);
        if carries && head.len > MAX_LEN {
            return bad("a request of NBD that is too long");
        }
        self.data.clear();
        if head.kind == WRITE {
            self.data.resize(head.len as usize, 0);
            self.reader.read_exact(&mut self.data)?;
        }
        Ok(Received::Request(self.answer(&head)))
    }

    /// Does what is asked.
    fn answer(&mut self, head: &Head) -> Reply {
        let mut bytes = vec![0; REPLY_LEN];
        let served = match head.request() {
            None => Served {
                error: Some(Errno::INVAL),
                ..Served::default()
            },
            Some(request) => {
                let data = if request.op == Op::Read {
                    bytes.resize(REPLY_LEN + head.len as usize, 0);
                    &mut bytes[REPLY_LEN..]
                } else {
                    &mut self.data[..]
                };
                self.part.serve(&request, data)
            }
        };
        let error = match served.error {
            None => 0,
            Some(Errno::INVAL) => EINVAL,
            Some(_) => EIO,
        };
        if error != 0 {
            bytes.truncate(REPLY_LEN);
        }
        bytes[..4].copy_from_slice(&REPLY_MAGIC.to_be_bytes());
        bytes[4..8].copy_from_slice(&error.to_be_bytes());
        bytes[8..16].copy_from_slice(&head.cookie);
        Reply {
            bytes,
            delay: served.delay,
            ticket: served.ticket,
        }
    }

    fn send(&self, reply: &Reply) -> io::Result<()> {
        // Before the client knows: what it sends then comes later.
        if let Some(ticket) = reply.ticket {
            self.part.complete(ticket);
        }
        let mut stream = self.stream;
        stream.write_all(&reply.bytes)
    }

    /// Whether there is something to read, by then at the latest.
    fn is_readable(&self, until: Instant) -> io::Result<bool> {
        if !self.reader.buffer().is_empty() {
            return Ok(true);
        }
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut polled = [PollFd::new(self.stream, PollFlags::IN)];
        match poll(&mut polled, Some(&left)) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }
}
