// SPDX-License-Identifier: GPL-2.0

//! What a bio asks for: its operation and its flags.
//!
//! C header: [`include/linux/blk_types.h`](srctree/include/linux/blk_types.h)

use kernel::bindings;

/// What a bio asks for (`enum req_op`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ReqOp {
    /// `REQ_OP_READ`.
    Read,
    /// `REQ_OP_WRITE`. Without data it is an empty flush, see [`Flags::PREFLUSH`].
    Write,
    /// `REQ_OP_DISCARD`.
    Discard,
    /// `REQ_OP_WRITE_ZEROES`.
    WriteZeroes,
    /// Any other operation.
    Other,
}

impl ReqOp {
    /// The operation in `bi_opf` (`bio_op`).
    pub(super) fn from_opf(opf: bindings::blk_opf_t) -> Self {
        match opf & ((1 << bindings::REQ_OP_BITS) - 1) {
            bindings::req_op_REQ_OP_READ => Self::Read,
            // A bio-based driver sees a flush as an empty write with `REQ_PREFLUSH`.
            bindings::req_op_REQ_OP_WRITE | bindings::req_op_REQ_OP_FLUSH => Self::Write,
            bindings::req_op_REQ_OP_DISCARD => Self::Discard,
            bindings::req_op_REQ_OP_WRITE_ZEROES => Self::WriteZeroes,
            _ => Self::Other,
        }
    }
}

/// The flags of a bio that a disk with a write cache acts on or records.
///
/// The values are those of the log's interface to user space (docs/abi.md), not
/// the kernel's own, which move between releases.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Flags(u16);

impl Flags {
    /// `REQ_PREFLUSH`: flush the write cache first.
    pub(crate) const PREFLUSH: Self = Self(1);
    /// `REQ_FUA`: this write's own data is stable when it completes.
    pub(crate) const FUA: Self = Self(2);
    /// `REQ_META`: a filesystem's metadata.
    pub(crate) const META: Self = Self(4);
    /// `REQ_SYNC`: somebody waits for it.
    pub(crate) const SYNC: Self = Self(8);
    /// `REQ_ATOMIC`: must not tear.
    pub(crate) const ATOMIC: Self = Self(16);
    /// `REQ_NOUNMAP`: zeroes must stay allocated.
    pub(crate) const NOUNMAP: Self = Self(32);
    /// `REQ_PRIO`: of high priority.
    pub(crate) const PRIO: Self = Self(64);

    const ALL: u16 = 127;

    /// The flags in `bits`, or [`None`] if one of them is unknown.
    pub(crate) fn from_bits(bits: u32) -> Option<Self> {
        u16::try_from(bits)
            .ok()
            .filter(|bits| bits & !Self::ALL == 0)
            .map(Self)
    }

    /// The flags as docs/abi.md numbers them.
    pub(crate) fn bits(self) -> u16 {
        self.0
    }

    /// Whether every flag of `other` is set.
    pub(crate) fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether a flag of `other` is set.
    pub(crate) fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The flags in `bi_opf`.
    pub(super) fn from_opf(opf: bindings::blk_opf_t) -> Self {
        const MAP: [(u32, Flags); 7] = [
            (bindings::req_flag_bits___REQ_PREFLUSH, Flags::PREFLUSH),
            (bindings::req_flag_bits___REQ_FUA, Flags::FUA),
            (bindings::req_flag_bits___REQ_META, Flags::META),
            (bindings::req_flag_bits___REQ_SYNC, Flags::SYNC),
            (bindings::req_flag_bits___REQ_ATOMIC, Flags::ATOMIC),
            (bindings::req_flag_bits___REQ_NOUNMAP, Flags::NOUNMAP),
            (bindings::req_flag_bits___REQ_PRIO, Flags::PRIO),
        ];

        let mut flags = Self::default();
        for (bit, flag) in MAP {
            if opf & (1 << bit) != 0 {
                flags.0 |= flag.0;
            }
        }
        flags
    }
}

impl core::ops::BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
