// SPDX-License-Identifier: GPL-2.0

//! Sorts of injected faults. A log, its states' ids and its reports name those that its I/O met.

use std::fmt;
use std::str::FromStr;

use bitflags::bitflags;
use thiserror::Error;

bitflags! {
    /// A set of sorts, as bits of the flags of an entry (docs/abi.md).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct Faults: u32 {
        const LIED = 1 << 8;
        const FUA_IGNORED = 1 << 9;
        const LOST = 1 << 10;
        const MISDIRECTED = 1 << 11;
        const CORRUPTED = 1 << 12;
        const STALE = 1 << 13;
        const EIO = 1 << 14;
        const BAD_SECTOR = 1 << 15;
    }
}

#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "give kinds of faults in this order, without repeats: {}",
    Faults::all()
)]
pub struct FaultsError;

impl Faults {
    /// Those that an entry of the log can have.
    pub(crate) const OF_ENTRIES: Self = Self::LIED
        .union(Self::FUA_IGNORED)
        .union(Self::LOST)
        .union(Self::MISDIRECTED)
        .union(Self::CORRUPTED);

    const NAMES: [(Self, &'static str); 8] = [
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
    pub(crate) fn of_header(flags: u32) -> Self {
        Self::from_bits_truncate(flags >> 8)
    }

    /// As flags of the header.
    pub fn header_flags(self) -> u32 {
        self.bits() << 8
    }

    /// Those that no entry tells of.
    #[must_use]
    pub(crate) fn unlogged(self) -> Self {
        self.difference(Self::OF_ENTRIES)
    }

    /// Their names, as rules have them.
    pub fn names(self) -> Vec<&'static str> {
        let met = Self::NAMES
            .iter()
            .filter(|(fault, _)| self.contains(*fault));
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
            let (fault, _) = known.ok_or(FaultsError)?;
            if fault.bits() <= faults.bits() {
                return Err(FaultsError);
            }
            faults |= *fault;
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
