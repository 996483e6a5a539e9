// SPDX-License-Identifier: GPL-2.0

//! The transmission phase of the NBD protocol, as the kernel's client speaks it. Numbers are big-endian.

use std::io::{self, Read, Write};
use std::sync::{Mutex, PoisonError};

use super::Image;

const REQUEST_MAGIC: u32 = 0x2560_9513;
const REPLY_MAGIC: u32 = 0x6744_6698;
const REQUEST_LEN: usize = 28;
const REPLY_LEN: usize = 16;

/// The kernel's limit for a request, and more.
const MAX_LEN: u32 = 1 << 26;

const READ: u16 = 0;
const WRITE: u16 = 1;
const DISCONNECT: u16 = 2;
const FLUSH: u16 = 3;
const TRIM: u16 = 4;
const WRITE_ZEROES: u16 = 6;

/// What the server tells the kernel that it can do.
pub const SERVER_FLAGS: u64 = HAS_FLAGS | SEND_FLUSH | SEND_FUA | SEND_TRIM | SEND_WRITE_ZEROES;
const HAS_FLAGS: u64 = 1;
const SEND_FLUSH: u64 = 1 << 2;
const SEND_FUA: u64 = 1 << 3;
const SEND_TRIM: u64 = 1 << 5;
const SEND_WRITE_ZEROES: u64 = 1 << 6;

/// Errors, as the protocol numbers them.
const EIO: u32 = 5;
const EINVAL: u32 = 22;

#[derive(Debug, PartialEq, Eq)]
struct Request {
    kind: u16,
    cookie: [u8; 8],
    offset: u64,
    len: u32,
}

impl Request {
    fn parse(bytes: &[u8; REQUEST_LEN]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk()?;
        let (_flags, rest) = rest.split_first_chunk::<2>()?;
        let (kind, rest) = rest.split_first_chunk()?;
        let (cookie, rest) = rest.split_first_chunk()?;
        let (offset, rest) = rest.split_first_chunk()?;
        let (len, _) = rest.split_first_chunk()?;
        (u32::from_be_bytes(*magic) == REQUEST_MAGIC).then(|| Self {
            kind: u16::from_be_bytes(*kind),
            cookie: *cookie,
            offset: u64::from_be_bytes(*offset),
            len: u32::from_be_bytes(*len),
        })
    }

    /// Whether it asks for whole blocks of the disk.
    fn is_within(&self, image: &Image) -> bool {
        let end = self.offset.checked_add(self.len.into());
        let is_whole = |number: u64| number % image.block_size() == 0;
        end.is_some_and(|end| end <= image.size())
            && is_whole(self.offset)
            && is_whole(self.len.into())
    }
}

/// Serves an image until the other side ends it.
pub fn serve(mut stream: impl Read + Write, image: &Mutex<Image>) -> io::Result<()> {
    let (mut data, mut reply) = (Vec::new(), Vec::new());
    loop {
        let mut bytes = [0; REQUEST_LEN];
        match stream.read_exact(&mut bytes) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            other => other?,
        }
        let bad = |what| Err(io::Error::new(io::ErrorKind::InvalidData, what));
        let Some(request) = Request::parse(&bytes) else {
            return bad("not a request of NBD");
        };
        if request.kind == DISCONNECT {
            return Ok(());
        }
        let carries = matches!(request.kind, READ | WRITE);
        if carries && request.len > MAX_LEN {
            return bad("a request of NBD that is too long");
        }
        if request.kind == WRITE {
            data.resize(request.len as usize, 0);
            stream.read_exact(&mut data)?;
        }
        reply.clear();
        reply.resize(REPLY_LEN, 0);
        let error = {
            let mut image = image.lock().unwrap_or_else(PoisonError::into_inner);
            answer(&request, &data, &mut reply, &mut image)
        };
        reply[..4].copy_from_slice(&REPLY_MAGIC.to_be_bytes());
        reply[4..8].copy_from_slice(&error.to_be_bytes());
        reply[8..16].copy_from_slice(&request.cookie);
        stream.write_all(&reply)?;
    }
}

/// Does what is asked; the error, or 0. What is read comes behind the reply's head.
fn answer(request: &Request, data: &[u8], reply: &mut Vec<u8>, image: &mut Image) -> u32 {
    if request.kind != FLUSH && !request.is_within(image) {
        return EINVAL;
    }
    match request.kind {
        READ => {
            reply.resize(REPLY_LEN + request.len as usize, 0);
            if image.read(request.offset, &mut reply[REPLY_LEN..]).is_err() {
                reply.truncate(REPLY_LEN);
                return EIO;
            }
        }
        WRITE => image.write(request.offset, data),
        TRIM | WRITE_ZEROES => image.zero(request.offset, request.len.into()),
        // What is written lasts as long as the state is shown.
        FLUSH => {}
        _ => return EINVAL,
    }
    0
}
