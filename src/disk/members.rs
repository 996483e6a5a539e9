// SPDX-License-Identifier: GPL-2.0

//! The members of a group: the block devices that a disk is cut into.

use crate::model::{
    self,
    MAX_MEMBERS, //
};
use kernel::prelude::*;

/// The length of a field that holds the name of a member.
pub(crate) const MEMBER_NAME_LEN: usize = 24;

/// One of the block devices of a group.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its name, padded with NULs.
    name: [u8; MEMBER_NAME_LEN],
    /// Its first sector on the whole disk.
    pub(crate) start: u64,
    /// Its size in sectors.
    pub(crate) nr_sectors: u64,
}

impl Member {
    /// Its name.
    pub(crate) fn name(&self) -> &[u8] {
        let nul = self.name.iter().position(|byte| *byte == 0);
        self.name
            .get(..nul.unwrap_or(MEMBER_NAME_LEN))
            .unwrap_or(&[])
    }

    /// Its name, padded with NULs.
    pub(crate) fn padded_name(&self) -> &[u8; MEMBER_NAME_LEN] {
        &self.name
    }
}

/// The members of a group, one behind the other. Without one, the disk is one block
/// device, of its own name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Members {
    /// Those from `count` on are all the same.
    list: [Member; MAX_MEMBERS],
    count: usize,
}

impl Members {
    /// The disk is one block device.
    pub(crate) const NONE: Self = Self {
        list: [Member {
            name: [0; MEMBER_NAME_LEN],
            start: 0,
            nr_sectors: 0,
        }; MAX_MEMBERS],
        count: 0,
    };

    /// Adds one. [`E2BIG`] if there are [`MAX_MEMBERS`], [`ENAMETOOLONG`] if there is no room
    /// for its name.
    pub(crate) fn push(&mut self, name: &[u8], nr_sectors: u64) -> Result {
        let start = self.nr_sectors();
        let member = self.list.get_mut(self.count).ok_or(E2BIG)?;
        let to = member.name.get_mut(..name.len()).ok_or(ENAMETOOLONG)?;
        to.copy_from_slice(name);
        member.start = start;
        member.nr_sectors = nr_sectors;
        self.count += 1;
        Ok(())
    }

    /// What there is.
    pub(crate) fn as_slice(&self) -> &[Member] {
        self.list.get(..self.count).unwrap_or(&[])
    }

    /// Whether the disk is one block device.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The sectors of all of them.
    pub(crate) fn nr_sectors(&self) -> u64 {
        let last = self.as_slice().last();
        last.map_or(0, |last| last.start + last.nr_sectors)
    }

    /// What legality depends on.
    pub(crate) fn to_model(self) -> model::Members {
        let mut starts = [0; MAX_MEMBERS];
        for (start, member) in starts.iter_mut().zip(self.as_slice()) {
            *start = member.start;
        }
        let starts = starts.get(..self.count).unwrap_or(&[]);
        model::Members::new(starts).unwrap_or(model::Members::ONE)
    }
}
