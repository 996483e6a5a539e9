// SPDX-License-Identifier: GPL-2.0

//! The flags of an entry.

use bitflags::bitflags;

use crate::faults::Faults;

bitflags! {
    /// The flags of a bio, and the faults that it met. Other bits stay as they are.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct Flags: u32 {
        const PREFLUSH = 1;
        const FUA = 1 << 1;
        const META = 1 << 2;
        const SYNC = 1 << 3;
        const ATOMIC = 1 << 4;
        const NOUNMAP = 1 << 5;
        const PRIO = 1 << 6;
        /// Of a discard: what it leaves follows from `asked`.
        const GARBAGE = 1 << 16;
        const LIED = Faults::LIED.bits();
        const FUA_IGNORED = Faults::FUA_IGNORED.bits();
        const LOST = Faults::LOST.bits();
        const MISDIRECTED = Faults::MISDIRECTED.bits();
        const CORRUPTED = Faults::CORRUPTED.bits();
        const _ = !0;
    }
}

impl Flags {
    /// The faults that the bio met.
    pub fn faults(self) -> Faults {
        Faults::from_bits_retain(self.bits()) & Faults::OF_ENTRIES
    }

    /// Those known, in the order in which they are shown.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        self.iter_names().map(|(name, _)| name)
    }
}

impl From<Faults> for Flags {
    fn from(faults: Faults) -> Self {
        Self::from_bits_retain((faults & Faults::OF_ENTRIES).bits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_in_one_order_and_unknown_bits_have_none() {
        let names = |bits| Flags::from_bits_retain(bits).names().collect::<Vec<_>>();
        assert_eq!(names(0), [""; 0]);
        assert_eq!(
            names(u32::MAX),
            [
                "PREFLUSH",
                "FUA",
                "META",
                "SYNC",
                "ATOMIC",
                "NOUNMAP",
                "PRIO",
                "GARBAGE",
                "LIED",
                "FUA_IGNORED",
                "LOST",
                "MISDIRECTED",
                "CORRUPTED"
            ]
        );
        assert_eq!(names(1 << 31), [""; 0]);
    }

    #[test]
    fn only_faults_that_an_entry_can_have_are_its_faults() {
        let all = Flags::from_bits_retain(u32::MAX);
        assert_eq!(all.faults(), Faults::OF_ENTRIES);
        assert_eq!(Flags::from(Faults::all()).faults(), Faults::OF_ENTRIES);
        assert!(Flags::GARBAGE.faults().is_empty());
    }
}
