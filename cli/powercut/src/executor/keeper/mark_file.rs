// SPDX-License-Identifier: GPL-2.0

//! A file whose writer waits: write() returns once the keeper has answered. It is a FUSE filesystem
//! that has no directory: its root is the file, mounted on another one.
//!
//! This speaks the protocol of linux/fuse.h, as far as one file needs it, and from one thread: a sandbox
//! has processes of another PID namespace than its own, and so can start no threads, which the crates
//! for FUSE need.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::fs::{open, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{mount, unmount, MountFlags, UnmountFlags};

/// What the kernel asks for, by the number of linux/fuse.h.
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const SETATTR: u32 = 4;
const OPEN: u32 = 14;
const WRITE: u32 = 16;
const RELEASE: u32 = 18;
const FSYNC: u32 = 20;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const INTERRUPT: u32 = 36;
const DESTROY: u32 = 38;
const BATCH_FORGET: u32 = 42;

/// Lengths of headers.
const REQUEST: usize = 40;
const ANSWER: usize = 16;
const WRITE_IN: usize = 40;
/// Larger than any request: the kernel is told to write no more than a page at a time.
const LARGEST: usize = 64 << 10;
const MAX_WRITE: u32 = 4096;
/// The protocol that is spoken: 7.31, of Linux 5.2.
const MAJOR: u32 = 7;
const MINOR: u32 = 31;
/// Of an open file: each write is passed on as it is, and there is no position in it.
const DIRECT_IO: u32 = 1;
const NOT_SEEKABLE: u32 = 4;
/// A regular file that all may write to.
const MODE: u32 = 0o100_222;

/// Something that was written, whose writer waits.
#[derive(Debug)]
pub struct Written {
    unique: u64,
    /// The thread that wrote it.
    pub thread: u32,
    pub data: Vec<u8>,
}

#[derive(Debug)]
pub struct MarkFile {
    fuse: File,
    at: PathBuf,
}

impl MarkFile {
    /// Mounts one on a file that is there.
    pub fn mount(at: &Path) -> Result<Self> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fuse = open("/dev/fuse", flags, Mode::empty());
        let fuse =
            fuse.context("cannot open /dev/fuse: does this kernel have FUSE (CONFIG_FUSE_FS)?")?;
        let options = format!(
            "fd={},rootmode=100000,user_id=0,group_id=0,allow_other",
            fuse.as_raw_fd()
        );
        let options = CString::new(options)?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("powercut-mark", at, "fuse", flags, options.as_c_str())
            .context("cannot mount a file of marks")?;
        Ok(Self {
            fuse: fuse.into(),
            at: at.into(),
        })
    }

    /// Unmounts it. Whoever has it open can't write to it any more.
    pub fn unmount(self) -> io::Result<()> {
        Ok(unmount(&self.at, UnmountFlags::DETACH)?)
    }

    /// The next that was written, if something is there now. What else is asked for is answered.
    pub fn written(&self) -> io::Result<Option<Written>> {
        let mut buffer = vec![0; LARGEST];
        loop {
            let length = match (&self.fuse).read(&mut buffer) {
                Ok(length) => length,
                Err(e) => match Errno::from_io_error(&e) {
                    Some(Errno::AGAIN) => return Ok(None),
                    // Who asked was interrupted before the question was read.
                    Some(Errno::NOENT | Errno::INTR) => continue,
                    _ => return Err(e),
                },
            };
            let Some(request) = Request::new(&buffer[..length]) else {
                return Err(io::ErrorKind::InvalidData.into());
            };
            match request.answer() {
                Answer::Later(data) => {
                    return Ok(Some(Written {
                        unique: request.unique,
                        thread: request.thread,
                        data,
                    }))
                }
                Answer::Never => {}
                Answer::Now(answer) => self.send(request.unique, &answer)?,
            }
        }
    }

    /// Has write() return.
    pub fn answer(&self, written: &Written, result: Result<(), Errno>) -> io::Result<()> {
        let length = u32::try_from(written.data.len()).unwrap_or(0);
        let answer = result.map(|()| Words::default().u32(length).u32(0).0);
        self.send(written.unique, &answer)
    }

    fn send(&self, unique: u64, answer: &Result<Vec<u8>, Errno>) -> io::Result<()> {
        let message = message(unique, answer);
        match (&self.fuse).write(&message) {
            Ok(_) => Ok(()),
            // Who asked was killed meanwhile.
            Err(e) if Errno::from_io_error(&e) == Some(Errno::NOENT) => Ok(()),
            Err(e) => Err(e),
        }
    }
}

impl AsFd for MarkFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fuse.as_fd()
    }
}

/// What the kernel asks.
#[derive(Debug)]
struct Request<'b> {
    what: u32,
    unique: u64,
    thread: u32,
    body: &'b [u8],
}

/// When to answer it, and what.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Now(Result<Vec<u8>, Errno>),
    /// It was written.
    Later(Vec<u8>),
    Never,
}

impl<'b> Request<'b> {
    fn new(bytes: &'b [u8]) -> Option<Self> {
        let (head, body) = bytes.split_at_checked(REQUEST)?;
        Some(Self {
            what: u32_at(head, 4)?,
            unique: u64::from_ne_bytes(head.get(8..16)?.try_into().ok()?),
            thread: u32_at(head, 32)?,
            body,
        })
    }

    fn answer(&self) -> Answer {
        Answer::Now(Ok(match self.what {
            INIT => init(),
            GETATTR | SETATTR => attributes(),
            OPEN => {
                Words::default()
                    .u64(0)
                    .u32(DIRECT_IO | NOT_SEEKABLE)
                    .u32(0)
                    .0
            }
            WRITE => {
                return self
                    .written()
                    .map_or(Answer::Now(Err(Errno::INVAL)), Answer::Later)
            }
            RELEASE | FSYNC | FLUSH | DESTROY => Vec::new(),
            FORGET | BATCH_FORGET | INTERRUPT => return Answer::Never,
            _ => return Answer::Now(Err(Errno::NOSYS)),
        }))
    }

    fn written(&self) -> Option<Vec<u8>> {
        let length = usize::try_from(u32_at(self.body, 16)?).ok()?;
        let data = self.body.get(WRITE_IN..)?.get(..length)?;
        Some(data.to_vec())
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

/// Numbers one after the other, as a struct of C has them.
#[derive(Default)]
struct Words(Vec<u8>);

impl Words {
    fn u16(mut self, number: u16) -> Self {
        self.0.extend(number.to_ne_bytes());
        self
    }

    fn u32(mut self, number: u32) -> Self {
        self.0.extend(number.to_ne_bytes());
        self
    }

    fn u64(mut self, number: u64) -> Self {
        self.0.extend(number.to_ne_bytes());
        self
    }

    fn zeroes(mut self, bytes: usize) -> Self {
        self.0.resize(self.0.len() + bytes, 0);
        self
    }
}

/// struct fuse_init_out
fn init() -> Vec<u8> {
    let words = Words::default()
        .u32(MAJOR)
        .u32(MINOR)
        .u32(0) // max_readahead
        .u32(0) // flags
        .u16(16) // max_background
        .u16(12) // congestion_threshold
        .u32(MAX_WRITE)
        .u32(1); // time_gran
    words.zeroes(64 - 28).0
}

/// struct fuse_attr_out: they stay as they are.
fn attributes() -> Vec<u8> {
    let words = Words::default()
        .u64(u64::from(u32::MAX)) // attr_valid, in seconds
        .zeroes(8) // attr_valid_nsec, dummy
        .u64(1) // ino
        .zeroes(2 * 8 + 3 * 8 + 3 * 4) // size, blocks, times
        .u32(MODE)
        .u32(1) // nlink
        .zeroes(3 * 4) // uid, gid, rdev
        .u32(MAX_WRITE); // blksize
    words.zeroes(4).0
}

fn message(unique: u64, answer: &Result<Vec<u8>, Errno>) -> Vec<u8> {
    let (error, body) = match answer {
        Ok(body) => (0, body.as_slice()),
        Err(errno) => (-errno.raw_os_error(), [].as_slice()),
    };
    let length = u32::try_from(ANSWER + body.len()).unwrap_or(u32::MAX);
    let mut message = Words::default().u32(length).0;
    message.extend(error.to_ne_bytes());
    message.extend(unique.to_ne_bytes());
    message.extend_from_slice(body);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(what: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(REQUEST + body.len()).unwrap();
        let head = Words::default().u32(length).u32(what).u64(77).u64(1);
        let head = head.zeroes(8).u32(1234).u32(0).0;
        [head, body.to_vec()].concat()
    }

    fn answer(what: u32, body: &[u8]) -> Answer {
        let bytes = request(what, body);
        let request = Request::new(&bytes).unwrap();
        assert_eq!((request.unique, request.thread), (77, 1234));
        request.answer()
    }

    fn write(length: u32, data: &[u8]) -> Vec<u8> {
        let head = Words::default().zeroes(16).u32(length).zeroes(20).0;
        [head, data.to_vec()].concat()
    }

    #[test]
    fn each_question_has_an_answer_of_the_length_that_the_kernel_expects() {
        for (what, length) in [
            (INIT, 64),
            (GETATTR, 104),
            (SETATTR, 104),
            (OPEN, 16),
            (RELEASE, 0),
            (FLUSH, 0),
            (FSYNC, 0),
            (DESTROY, 0),
        ] {
            let Answer::Now(Ok(body)) = answer(what, &[]) else {
                panic!("{what}");
            };
            assert_eq!(body.len(), length, "{what}");
        }
        for what in [FORGET, BATCH_FORGET, INTERRUPT] {
            assert_eq!(answer(what, &[]), Answer::Never);
        }
        assert_eq!(answer(1, &[]), Answer::Now(Err(Errno::NOSYS)));
    }

    #[test]
    fn what_was_written_is_had_as_it_is_and_a_short_message_is_refused() {
        let written = answer(WRITE, &write(4, b"a b\n"));
        assert_eq!(written, Answer::Later(b"a b\n".to_vec()));
        for short in [write(5, b"a b\n"), vec![0; 12], Vec::new()] {
            assert_eq!(answer(WRITE, &short), Answer::Now(Err(Errno::INVAL)));
        }
        assert!(Request::new(&[0; REQUEST - 1]).is_none());
    }

    #[test]
    fn an_answer_says_its_length_its_error_and_whose_it_is() {
        let good = message(5, &Ok(vec![1, 2]));
        assert_eq!(good.len(), 18);
        assert_eq!(u32_at(&good, 0), Some(18));
        assert_eq!(u32_at(&good, 4), Some(0));
        let bad = message(5, &Err(Errno::IO));
        assert_eq!(u32_at(&bad, 0), Some(16));
        assert_eq!(bad[4..8], (-5_i32).to_ne_bytes());
        assert_eq!(bad[8..16], 5_u64.to_ne_bytes());
    }
}
