// SPDX-License-Identifier: GPL-2.0

//! Sorts of faults that a disk was told to have: what it did that no disk may. A log, its
//! states' ids and its reports name those that its I/O met.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A set of sorts, as bits of the flags of an entry (docs/abi.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Faults(u32);

#[derive(Debug, Error, PartialEq, Eq)]
#[error("give kinds of faults in this order, without repeats: {}", Faults::ALL)]
pub struct FaultsError;

impl Faults {
    pub const LIED: u32 = 1 << 8;
    pub const FUA_IGNORED: u32 = 1 << 9;
    pub const LOST: u32 = 1 << 10;
    pub const MISDIRECTED: u32 = 1 << 11;
    pub const CORRUPTED: u32 = 1 << 12;
    const STALE: u32 = 1 << 13;
    const EIO: u32 = 1 << 14;
    const BAD_SECTOR: u32 = 1 << 15;

    /// Those that an entry of the log can have.
    const OF_ENTRIES: u32 = 0x1f00;
    /// Those that leave nothing in the log but in its header.
    const UNLOGGED: u32 = 0xe000;
    const ALL: Self = Self(0xff00);

    const NAMES: [(u32, &'static str); 8] = [
        (Self::LIED, "flush-lies"),
        (Self::FUA_IGNORED, "fua-ignored"),
        (Self::LOST, "lost"),
        (Self::MISDIRECTED, "misdirected"),
        (Self::CORRUPTED, "corrupt"),
        (Self::STALE, "stale"),
        (Self::EIO, "eio"),
        (Self::BAD_SECTOR, "badblocks"),
    ];

    /// Those in the flags of a log's header, where they are eight bits further up.
    pub fn of_header(flags: u32) -> Self {
        Self((flags >> 8) & Self::ALL.0)
    }

    /// Those in the flags of an entry.
    pub fn of_entry(flags: u32) -> Self {
        Self(flags & Self::OF_ENTRIES)
    }

    /// As flags of the header.
    pub fn header_flags(self) -> u32 {
        self.0 << 8
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that no entry tells of.
    #[must_use]
    pub fn unlogged(self) -> Self {
        Self(self.0 & Self::UNLOGGED)
    }

    /// Their names, as rules have them.
    pub fn names(self) -> Vec<&'static str> {
        let met = Self::NAMES.iter().filter(|(bit, _)| self.0 & bit != 0);
        met.map(|(_, name)| *name).collect()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(","))
    }
}

impl FromStr for Faults {
    type Err = FaultsError;

    fn from_str(text: &str) -> Result<Self, FaultsError> {
        let mut faults = Self::default();
        for word in text.split(',') {
            let known = Self::NAMES.iter().find(|(_, name)| *name == word);
            let (bit, _) = known.ok_or(FaultsError)?;
            if *bit <= faults.0 {
                return Err(FaultsError);
            }
            faults.0 |= bit;
        }
        Ok(faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_set_has_one_name() {
        for bits in 1u32..256 {
            let faults = Faults::of_header(bits << 16);
            assert_eq!(faults.to_string().parse(), Ok(faults));
        }
        let wrong = [
            "",
            "none",
            "lost,",
            ",lost",
            "lost,lost",
            "lost,flush-lies",
            "Lost",
            "lost stale",
        ];
        for text in wrong {
            assert_eq!(text.parse::<Faults>(), Err(FaultsError), "{text:?}");
        }
    }
}
