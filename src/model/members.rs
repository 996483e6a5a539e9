// SPDX-License-Identifier: GPL-2.0

//! The members of a disk that is several block devices: what a flush covers.

use super::history::Event;

/// No disk has more members than this.
pub const MAX_MEMBERS: usize = 8;

/// Where the members of a disk begin: block devices that lie one behind the other on it, and share
/// all but the reach of a flush.
///
/// No write lies in two of them, and no unit does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Members {
    /// Ascending, from 0 on; those from `count` on mean nothing.
    starts: [u64; MAX_MEMBERS],
    count: usize,
}

impl Members {
    /// The disk is one block device.
    pub const ONE: Self = Self {
        starts: [0; MAX_MEMBERS],
        count: 1,
    };

    /// Members that begin at these sectors. [`None`] if they don't ascend from 0 on, or are more
    /// than [`MAX_MEMBERS`].
    pub fn new(starts: &[u64]) -> Option<Self> {
        let mut members = Self {
            count: starts.len(),
            ..Self::ONE
        };

        members
            .starts
            .get_mut(..starts.len())?
            .copy_from_slice(starts);
        let ascend = starts
            .iter()
            .zip(starts.iter().skip(1))
            .all(|(one, next)| one < next);

        (starts.first() == Some(&0) && ascend).then_some(members)
    }

    /// How many there are: 1 or more.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Their first sectors.
    pub fn starts(&self) -> &[u64] {
        self.starts.get(..self.count).unwrap_or(&[])
    }

    /// The number of the member that has a sector.
    pub fn of(&self, sector: u64) -> usize {
        self.starts()
            .iter()
            .skip(1)
            .take_while(|&&start| start <= sector)
            .count()
    }
}

/// The watermark of each member.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Watermarks([Event; MAX_MEMBERS]);

impl Watermarks {
    /// Before any flush.
    pub(super) const NONE: Self = Self([0; MAX_MEMBERS]);

    pub(super) fn of(&self, member: usize) -> Event {
        self.0.get(member).copied().unwrap_or(0)
    }

    /// The same but for one member.
    pub(super) fn with(mut self, member: usize, watermark: Event) -> Self {
        if let Some(own) = self.0.get_mut(member) {
            *own = watermark;
        }
        self
    }

    /// The least of all members'.
    pub(super) fn least(&self, members: &Members) -> Event {
        let all = self.0.iter().take(members.count());

        all.copied().min().unwrap_or(0)
    }
}
