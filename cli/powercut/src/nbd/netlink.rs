// SPDX-License-Identifier: GPL-2.0

//! How the kernel is told of NBD servers: the generic netlink family `nbd` (include/uapi/linux/nbd-netlink.h).
//! Numbers are those of the machine.
//!
//! With the crate neli 0.7 the same takes 139 lines in place of 208, and 14 more crates, one of which starts a thread
//! for each socket.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::net::netlink::{SocketAddrNetlink, GENERIC};
use rustix::net::{
    bind, recv, send, socket_with, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType,
};

const CTRL_FAMILY: u16 = 16;
const CTRL_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;

const NBD_CONNECT: u8 = 1;
const NBD_DISCONNECT: u8 = 2;
const NBD_ATTR_INDEX: u16 = 1;
const NBD_ATTR_SIZE_BYTES: u16 = 2;
const NBD_ATTR_BLOCK_SIZE_BYTES: u16 = 3;
const NBD_ATTR_SERVER_FLAGS: u16 = 5;
const NBD_ATTR_SOCKETS: u16 = 7;
const NBD_ATTR_BACKEND_IDENTIFIER: u16 = 10;
const NBD_SOCK_ITEM: u16 = 1;
const NBD_SOCK_FD: u16 = 1;

const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLA_F_NESTED: u16 = 1 << 15;
/// Of a message: length, type, flags, number, port.
const HEAD: usize = 16;
/// Of generic netlink: command, version.
const GENERIC_HEAD: usize = 4;

/// Attributes, one after the other.
#[derive(Debug, Default, Clone)]
struct Attributes(Vec<u8>);

impl Attributes {
    fn with(mut self, kind: u16, value: &[u8]) -> Self {
        let len = (4 + value.len()) as u16;
        self.0.extend(len.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    fn nest(self, kind: u16, within: &Self) -> Self {
        self.with(kind | NLA_F_NESTED, &within.0)
    }

    /// The value of the first one of that kind.
    fn find(mut bytes: &[u8], wanted: u16) -> Option<&[u8]> {
        loop {
            let len = usize::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
            let kind = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?);
            let value = bytes.get(4..len)?;
            if kind & !NLA_F_NESTED == wanted {
                return Some(value);
            }
            bytes = bytes.get(len.next_multiple_of(4)..)?;
        }
    }
}

fn message(family: u16, command: u8, number: u32, attributes: &Attributes) -> Vec<u8> {
    let len = (HEAD + GENERIC_HEAD + attributes.0.len()) as u32;
    let mut bytes = len.to_ne_bytes().to_vec();
    bytes.extend(family.to_ne_bytes());
    bytes.extend((NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
    bytes.extend(number.to_ne_bytes());
    bytes.extend(0u32.to_ne_bytes());
    bytes.extend([command, 1, 0, 0]);
    bytes.extend(&attributes.0);
    bytes
}

/// What an answer holds.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// The end: an error, or 0.
    Done(i32),
    /// Attributes.
    Data(Vec<u8>),
}

/// The answers to the request of that number in what was received.
fn answers(mut bytes: &[u8], number: u32) -> Option<Vec<Answer>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let len = word(0)? as usize;
        let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
        let body = bytes.get(HEAD..len)?;
        if word(8)? == number {
            found.push(if kind == NLMSG_ERROR {
                Answer::Done(i32::from_ne_bytes(body.get(..4)?.try_into().ok()?))
            } else {
                Answer::Data(body.get(GENERIC_HEAD..)?.to_vec())
            });
        }
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(found)
}

/// The kernel's side of NBD.
#[derive(Debug)]
pub struct Nbd {
    socket: OwnedFd,
    family: u16,
    number: u32,
}

/// A device to be.
#[derive(Debug, Clone, Copy)]
pub struct Device<'f> {
    /// Of its server: the kernel tells it in sysfs, as `backend`.
    pub identifier: &'f str,
    pub size: u64,
    pub block_size: u64,
    pub server_flags: u64,
    /// What the server has the other end of.
    pub socket: BorrowedFd<'f>,
}

impl Nbd {
    /// An error of the kind `NotFound` if the kernel has no NBD.
    pub fn open() -> io::Result<Self> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(GENERIC),
        )?;
        bind(&socket, &SocketAddrNetlink::new(0, 0))?;
        let mut nbd = Self {
            socket,
            family: CTRL_FAMILY,
            number: 0,
        };
        let name = Attributes::default().with(CTRL_ATTR_FAMILY_NAME, b"nbd\0");
        let answer = nbd.ask(CTRL_GETFAMILY, &name)?;
        let id = Attributes::find(&answer, CTRL_ATTR_FAMILY_ID);
        let id = id.and_then(|id| Some(u16::from_ne_bytes(id.try_into().ok()?)));
        nbd.family = id.ok_or_else(damaged)?;
        Ok(nbd)
    }

    /// Makes a device that nobody uses that of a server; its number.
    pub fn connect(&mut self, device: Device<'_>) -> io::Result<u32> {
        let fd = device.socket.as_fd().as_raw_fd();
        let item = Attributes::default().with(NBD_SOCK_FD, &fd.to_ne_bytes());
        let items = Attributes::default().nest(NBD_SOCK_ITEM, &item);
        let attributes = Attributes::default()
            .with(NBD_ATTR_SIZE_BYTES, &device.size.to_ne_bytes())
            .with(NBD_ATTR_BLOCK_SIZE_BYTES, &device.block_size.to_ne_bytes())
            .with(NBD_ATTR_SERVER_FLAGS, &device.server_flags.to_ne_bytes())
            .with(NBD_ATTR_BACKEND_IDENTIFIER, &text(device.identifier))
            .nest(NBD_ATTR_SOCKETS, &items);
        let answer = self.ask(NBD_CONNECT, &attributes)?;
        let index = Attributes::find(&answer, NBD_ATTR_INDEX);
        let index = index.and_then(|index| Some(u32::from_ne_bytes(index.try_into().ok()?)));
        index.ok_or_else(damaged)
    }

    pub fn disconnect(&mut self, index: u32) -> io::Result<()> {
        let attributes = Attributes::default().with(NBD_ATTR_INDEX, &index.to_ne_bytes());
        self.ask(NBD_DISCONNECT, &attributes).map(drop)
    }

    /// Sends a request; the attributes of the answer.
    fn ask(&mut self, command: u8, attributes: &Attributes) -> io::Result<Vec<u8>> {
        self.number += 1;
        let request = message(self.family, command, self.number, attributes);
        send(&self.socket, &request, SendFlags::empty())?;
        let mut data = Vec::new();
        let mut buffer = [0; 8192];
        loop {
            let (len, _) = recv(&self.socket, &mut buffer[..], RecvFlags::empty())?;
            for answer in answers(&buffer[..len], self.number).ok_or_else(damaged)? {
                match answer {
                    Answer::Data(found) => data = found,
                    Answer::Done(0) => return Ok(data),
                    Answer::Done(error) => return Err(io::Error::from_raw_os_error(-error)),
                }
            }
        }
    }
}

/// With a NUL behind it.
fn text(text: &str) -> Vec<u8> {
    text.bytes().chain([0]).collect()
}

fn damaged() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "an answer of netlink that is not whole",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_aligned_and_found() {
        let inner = Attributes::default().with(1, &[7]);
        let all = Attributes::default()
            .with(2, b"nbd\0")
            .with(5, &[1, 2, 3])
            .nest(7, &inner);
        assert_eq!(all.0.len(), 8 + 8 + 4 + 8);
        assert_eq!(Attributes::find(&all.0, 5), Some(&[1, 2, 3][..]));
        assert_eq!(Attributes::find(&all.0, 7), Some(&inner.0[..]));
        assert_eq!(Attributes::find(&all.0, 3), None);
        assert_eq!(Attributes::find(&all.0[..7], 2), None);
        assert_eq!(Attributes::find(&[0, 0, 1, 0, 0, 0, 0, 0], 3), None);
    }

    #[test]
    fn answers_of_other_requests_are_passed_by() {
        let attributes = Attributes::default().with(1, &[4, 0, 0, 0]);
        let mut bytes = message(30, 1, 8, &attributes);
        bytes.extend(message(30, 1, 9, &attributes));
        let error = [
            36u32.to_ne_bytes(),
            (2u32).to_ne_bytes(),
            9u32.to_ne_bytes(),
            [0; 4],
        ];
        bytes.extend(error.concat());
        bytes.extend((-16i32).to_ne_bytes());
        bytes.extend([0; 16]);
        let expected = vec![Answer::Data(attributes.0), Answer::Done(-16)];
        assert_eq!(answers(&bytes, 9), Some(expected));
        assert_eq!(answers(&bytes[..30], 9), None);
    }
}
