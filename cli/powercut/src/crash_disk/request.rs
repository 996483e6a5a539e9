// SPDX-License-Identifier: GPL-2.0

//! What a server is asked for, whatever the protocol.

use powercut_engine::abi::SECTOR;
use powercut_module::{Io, IoOp};

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Read,
    Write,
    WriteZeroes,
    Discard,
    Flush,
}

/// A request to a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    pub op: Op,
    /// In bytes, as `len`. Of a flush, where the block device begins that it was sent to.
    pub offset: u64,
    pub len: u32,
    pub is_fua: bool,
}

impl Request {
    /// Whether it asks for whole blocks of a disk.
    pub fn is_within(&self, size: u64, block_size: u64) -> bool {
        if self.op == Op::Flush {
            return true;
        }
        let end = self.offset.checked_add(self.len.into());
        let is_whole = |number: u64| number % block_size == 0;
        end.is_some_and(|end| end <= size) && is_whole(self.offset) && is_whole(self.len.into())
    }

    /// As rules of faults see it.
    pub fn io(&self) -> Io {
        let is_flush = self.op == Op::Flush;
        Io {
            op: match self.op {
                Op::Read => IoOp::Read,
                Op::Write | Op::WriteZeroes => IoOp::Write,
                Op::Discard => IoOp::Discard,
                Op::Flush => IoOp::Flush,
            },
            sector: self.offset / SECTOR,
            nr_sectors: if is_flush {
                0
            } else {
                self.len / SECTOR as u32
            },
            is_fua: self.is_fua,
            has_data: self.op == Op::Write,
        }
    }
}
