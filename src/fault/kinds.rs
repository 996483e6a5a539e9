// SPDX-License-Identifier: GPL-2.0

//! Sorts of faults, as the log has them.

use kernel::prelude::*;

/// A set of sorts. The values are those of the log's interface to user space
/// (docs/abi.md): the first five eight bits up, in the flags of entries that were hit; all
/// of them sixteen bits up, in the flags of the header.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Kinds(u16);

impl Kinds {
    /// A flush that was answered and not done.
    pub(crate) const LIED: Self = Self(1);
    /// A FUA write that is cached like any other.
    pub(crate) const FUA_IGNORED: Self = Self(2);
    /// A write that was answered and not done.
    pub(crate) const LOST: Self = Self(4);
    /// A write that went elsewhere.
    pub(crate) const MISDIRECTED: Self = Self(8);
    /// A write of which other bytes were stored.
    pub(crate) const CORRUPTED: Self = Self(16);
    /// A read that was given what was there before.
    pub(crate) const STALE: Self = Self(32);
    /// An I/O that failed.
    pub(crate) const EIO: Self = Self(64);
    /// An I/O that failed because of a bad sector.
    pub(crate) const BAD_SECTOR: Self = Self(128);

    /// Those that an entry of the log can have.
    const OF_ENTRIES: u16 = 31;
    const ALL: u16 = 255;
    const ENTRY_SHIFT: u32 = 8;
    const HEADER_SHIFT: u32 = 16;
    /// What is theirs of the flags of an entry.
    pub(crate) const ENTRY_FLAGS: u32 = (Self::ALL as u32) << Self::ENTRY_SHIFT;
    /// And of the header.
    pub(crate) const HEADER_FLAGS: u32 = (Self::ALL as u32) << Self::HEADER_SHIFT;

    /// Those in the flags of an entry. [`EINVAL`] if no entry has one of them.
    pub(crate) fn of_entry(flags: u32) -> Result<Self> {
        // No truncation: eight bits are left.
        let kinds = ((flags & Self::ENTRY_FLAGS) >> Self::ENTRY_SHIFT) as u16;
        match kinds & !Self::OF_ENTRIES {
            0 => Ok(Self(kinds)),
            _ => Err(EINVAL),
        }
    }

    /// Those in the flags of the header.
    pub(crate) fn of_header(flags: u32) -> Self {
        // No truncation: eight bits are left.
        Self(((flags & Self::HEADER_FLAGS) >> Self::HEADER_SHIFT) as u16)
    }

    /// As flags of an entry.
    pub(crate) fn entry_flags(self) -> u32 {
        u32::from(self.0) << Self::ENTRY_SHIFT
    }

    /// As flags of the header.
    pub(crate) fn header_flags(self) -> u32 {
        u32::from(self.0) << Self::HEADER_SHIFT
    }

    /// Whether there is none.
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` are in it.
    pub(crate) fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Those of both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Its sorts without those of `other`.
    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl core::ops::BitOr for Kinds {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl core::ops::BitOrAssign for Kinds {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}
