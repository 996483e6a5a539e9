// SPDX-License-Identifier: GPL-2.0

//! The log byte by byte.

use bitflags::bitflags;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub const MAGIC: u64 = 0x006a_7366_7773_6872;
pub const VERSION: u64 = 1;

/// At the start of the log; the rest of its sector is zeroes.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Super {
    pub magic: U64,
    pub version: U64,
    pub nr_entries: U64,
    pub sector_size: U32,
}

/// At the start of an entry's sector; the text of a mark follows, and zeroes.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Entry {
    pub sector: U64,
    pub nr_sectors: U64,
    pub flags: U64,
    /// Of a mark, the bytes of its text.
    pub data_len: U64,
}

pub const SUPER_LEN: usize = size_of::<Super>();
pub const ENTRY_LEN: usize = size_of::<Entry>();

const _: () = assert!(SUPER_LEN == 28);
const _: () = assert!(ENTRY_LEN == 32);

bitflags! {
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct LogFlags: u64 {
        const FLUSH = 1;
        const FUA = 1 << 1;
        const DISCARD = 1 << 2;
        const MARK = 1 << 3;
        const METADATA = 1 << 4;
    }
}
