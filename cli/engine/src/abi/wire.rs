// SPDX-License-Identifier: GPL-2.0

//! The stream byte by byte, as docs/abi.md has it: little-endian, without padding.

use std::io::{self, Read};

use bitflags::bitflags;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::AbiError;

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Header {
    pub magic: [u8; 8],
    pub version: U32,
    /// [`HeaderFlags`], the number of members from bit 8 on, faults from bit 16 on.
    pub flags: U32,
    pub capacity_sectors: U64,
    pub block_size: U32,
    pub atomic_unit: U32,
    pub entries: U64,
    pub newest_event: U64,
    pub truncated: U64,
    pub base_entries: U64,
}

bitflags! {
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct HeaderFlags: u32 {
        const WRITE_CACHE = 1;
        const FUA = 1 << 1;
        const WITH_DATA = 1 << 2;
        /// Writes survive as prefixes.
        const PREFIX = 1 << 3;
        /// Writes may cost their neighbours.
        const RMW = 1 << 4;
        const _ = !0;
    }
}

/// One for each disk of a group follows the header.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Member {
    pub sectors: U64,
    pub name: [u8; 24],
}

#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Entry {
    pub op: u8,
    pub reserved: [u8; 3],
    pub flags: U32,
    pub submit: U64,
    pub start: U64,
    pub complete: U64,
    pub sector: U64,
    pub nr_sectors: U32,
    pub payload_len: U32,
    pub submitted_ns: U64,
    pub completed_ns: U64,
    pub tid: U32,
    pub stack: U32,
    pub task: [u8; 16],
    pub asked: U64,
}

const _: () = assert!(size_of::<Header>() == 64);
const _: () = assert!(size_of::<Member>() == 32);
const _: () = assert!(size_of::<Entry>() == 96);

/// Reads one of these; `what` is missing if the stream ends.
pub fn read<T: FromBytes + IntoBytes>(
    inner: &mut impl Read,
    what: &'static str,
) -> Result<T, AbiError> {
    let mut value = T::new_zeroed();
    read_exact(inner, value.as_mut_bytes(), what)?;
    Ok(value)
}

pub fn read_exact(
    inner: &mut impl Read,
    buf: &mut [u8],
    what: &'static str,
) -> Result<(), AbiError> {
    inner.read_exact(buf).map_err(|e| match e.kind() {
        io::ErrorKind::UnexpectedEof => AbiError::Short(what),
        _ => AbiError::Io(e),
    })
}

/// What stands before the NULs.
pub fn text_of(padded: &[u8]) -> String {
    let end = padded.iter().position(|c| *c == 0).unwrap_or(padded.len());
    String::from_utf8_lossy(&padded[..end]).into_owned()
}

/// As much of a text as there is room for, and NULs.
pub fn padded<const LEN: usize>(text: &str) -> [u8; LEN] {
    let mut padded = [0; LEN];
    for (to, from) in padded.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    padded
}
