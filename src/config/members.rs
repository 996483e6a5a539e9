// SPDX-License-Identifier: GPL-2.0

//! The setting `disks`: the members of a group, as text.

#[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
mod tests;

use super::check_name;
use crate::{
    disk::{
        Member,
        Members, //
    },
    registry::is_partition,
    text::{
        fields,
        parse_u64, //
    }, //
};
use kernel::{
    fmt,
    prelude::*, //
};

/// The size of the largest disk: 16 TiB.
pub(super) const SIZE_MAX_MIB: u64 = 16 << 20;

/// Parses `NAME:MIB NAME:MIB`... for a disk whose own name has so many bytes; nothing means
/// that it has no members. [`EINVAL`] if it is malformed, [`E2BIG`] for too many of them,
/// [`ENAMETOOLONG`] if a name is, [`EEXIST`] if two are the same or a partition of one would
/// be called as another is.
pub(super) fn parse(text: &[u8], disk_name_len: usize) -> Result<Members> {
    let mut members = Members::NONE;
    let mut left_mib = SIZE_MAX_MIB;
    for word in fields(text, b' ').filter(|_| !text.is_empty()) {
        let mut halves = fields(word, b':');
        let (Some(name), Some(size), None) = (halves.next(), halves.next(), halves.next()) else {
            return Err(EINVAL);
        };
        check_name(name, disk_name_len + "/".len())?;
        let size_mib = parse_u64(size)?;
        if size_mib == 0 {
            return Err(EINVAL);
        }
        left_mib = left_mib.checked_sub(size_mib).ok_or(EINVAL)?;
        let mut others = members.as_slice().iter().map(Member::name);
        if others.any(|other| clash(name, other)) {
            return Err(EEXIST);
        }
        members.push(name, size_mib << 11)?;
    }
    Ok(members)
}

fn clash(one: &[u8], other: &[u8]) -> bool {
    one == other || is_partition(one, other) || is_partition(other, one)
}

/// Members as the setting reads.
pub(super) struct Shown(pub(super) Members);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, member) in self.0.as_slice().iter().enumerate() {
            let blank = if index == 0 { "" } else { " " };
            let name = core::str::from_utf8(member.name()).map_err(|_| fmt::Error)?;
            write!(f, "{blank}{name}:{}", member.nr_sectors >> 11)?;
        }
        Ok(())
    }
}
