// SPDX-License-Identifier: GPL-2.0

//! The members of a group: block devices that lie one behind the other on one
//! disk, and are recorded and cut together.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// No group has more.
pub(crate) const MAX_MEMBERS: usize = powercut_model::MAX_MEMBERS;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Member {
    pub name: String,
    /// Its size in sectors of 512 bytes.
    pub sectors: u64,
}

/// Sectors, both ends in: `A-B` or `A`; of one disk of a group, `log+A-B` or `log+A`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectorRange {
    disk: Option<String>,
    first: u64,
    last: u64,
}

#[derive(Debug, Error, PartialEq, Eq)]
#[error("{0:?}: give sectors, as 2048 or 2048-4095, or log+0-7 of disk log of a group")]
pub struct SectorRangeError(String);

impl SectorRange {
    /// Whether any of so many sectors from one on is in it, of the disk as a whole.
    pub fn touches(&self, sector: u64, sectors: u64) -> bool {
        sector <= self.last && self.first < sector.saturating_add(sectors)
    }
}

impl FromStr for SectorRange {
    type Err = SectorRangeError;

    fn from_str(text: &str) -> Result<Self, SectorRangeError> {
        let bad = || SectorRangeError(text.into());
        let sector = |text: &str| {
            let digits = text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse().ok()).flatten()
        };
        let (disk, range) = match text.split_once('+') {
            Some((disk, range)) => (Some(disk.to_string()), range),
            None => (None, text),
        };
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let first: u64 = sector(first).ok_or_else(bad)?;
        let last = sector(last).filter(|last| first <= *last).ok_or_else(bad)?;
        Ok(Self { disk, first, last })
    }
}

impl fmt::Display for SectorRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(disk) = &self.disk {
            write!(f, "{disk}+")?;
        }
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

/// None if the disk is one block device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Members(Vec<Member>);

impl Members {
    /// Fails with what is wrong with them.
    pub fn new(members: Vec<Member>) -> Result<Self, String> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if members.len() > MAX_MEMBERS {
            return Err(format!("a group has {MAX_MEMBERS} disks at most"));
        }
        for (nr, member) in members.iter().enumerate() {
            let name = &member.name;
            if name.is_empty() || !name.chars().all(is_allowed) {
                return Err(format!("{name:?} is no name: use A-Z a-z 0-9 _ -"));
            }
            if members[..nr].iter().any(|other| other.name == *name) {
                return Err(format!("two disks are called {name}"));
            }
            if member.sectors == 0 {
                return Err(format!("disk {name} has no size"));
            }
        }
        Ok(Self(members))
    }

    /// From what the driver tells, as this displays.
    pub fn read(text: &str) -> Result<Self, String> {
        let member = |word: &str| {
            let (name, mib) = word.split_once(':')?;
            let sectors = mib.parse::<u64>().ok()?.checked_mul(1 << 11)?;
            let name = name.into();
            Some(Member { name, sectors })
        };
        let members: Option<Vec<_>> = text.split_whitespace().map(member).collect();
        Self::new(members.ok_or("that is no list of disks and their sizes")?)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.0.iter()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|member| member.name.as_str())
    }

    /// The sectors of all of them.
    pub fn sectors(&self) -> u64 {
        self.0
            .iter()
            .fold(0, |sum: u64, member| sum.saturating_add(member.sectors))
    }

    /// Where a sector is within a group, if it is one: `log+2048`.
    pub fn place_in_group(&self, sector: u64) -> Option<String> {
        (!self.is_empty()).then(|| self.place(sector))
    }

    fn starts(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().scan(0, |next: &mut u64, member| {
            let start = *next;
            *next = start.saturating_add(member.sectors);
            Some(start)
        })
    }

    /// The sectors of each, counted from the start of the whole disk.
    pub fn places(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        let all = self.0.iter().zip(self.starts());
        all.map(|(member, start)| start..start.saturating_add(member.sectors))
    }

    /// As the model takes them.
    pub(crate) fn to_model(&self) -> powercut_model::Members {
        let starts: Vec<u64> = self.starts().collect();
        powercut_model::Members::new(&starts).unwrap_or(powercut_model::Members::ONE)
    }

    /// The name of the member that a sector is of, none if there are no
    /// members, and its number in there.
    pub fn locate(&self, sector: u64) -> (Option<&str>, u64) {
        let all = self.0.iter().zip(self.starts());
        match all.take_while(|(_, start)| *start <= sector).last() {
            Some((member, start)) => (Some(&member.name), sector - start),
            None => (None, sector),
        }
    }

    /// The same sectors, counted from the start of the whole disk.
    pub fn whole(&self, range: &SectorRange) -> Result<SectorRange, String> {
        let Some(name) = &range.disk else {
            return Ok(range.clone());
        };
        let mut all = self.0.iter().zip(self.starts());
        let (member, start) = all
            .find(|(member, _)| member.name == *name)
            .ok_or_else(|| format!("the group has no disk {name}"))?;
        if range.last >= member.sectors {
            let last = member.sectors - 1;
            return Err(format!("disk {name} has sectors 0 to {last}"));
        }
        Ok(SectorRange {
            disk: None,
            first: start + range.first,
            last: start + range.last,
        })
    }

    /// Where a sector is: `2048`, or `log+2048`.
    pub fn place(&self, sector: u64) -> String {
        match self.locate(sector) {
            (Some(name), lba) => format!("{name}+{lba}"),
            (None, lba) => lba.to_string(),
        }
    }
}

impl fmt::Display for Members {
    /// As the driver takes them: `data:48 log:16`, in MiB.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nr, member) in self.0.iter().enumerate() {
            let blank = if nr > 0 { " " } else { "" };
            write!(f, "{blank}{}:{}", member.name, member.sectors >> 11)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(list: &[(&str, u64)]) -> Result<Members, String> {
        let member = |(name, sectors): &(&str, u64)| Member {
            name: (*name).into(),
            sectors: *sectors,
        };
        Members::new(list.iter().map(member).collect())
    }

    #[test]
    fn sectors_have_a_place() {
        let group = members(&[("data", 98304), ("log", 32768)]).unwrap();
        assert_eq!(group.to_string(), "data:48 log:16");
        assert_eq!(group.sectors(), 131072);
        assert_eq!(group.place(0), "data+0");
        assert_eq!(group.place(98303), "data+98303");
        assert_eq!(group.place(98304 + 2048), "log+2048");
        assert_eq!(group.to_model().starts(), [0, 98304]);
        assert!(group.places().eq([0..98304, 98304..131072]));
        assert_eq!(Members::read(&group.to_string()).unwrap(), group);
        let whole = |text: &str| {
            let whole = group.whole(&text.parse().unwrap());
            whole.map(|range| range.to_string())
        };
        assert_eq!(whole("7-9").unwrap(), "7-9");
        assert_eq!(whole("log+7-9").unwrap(), "98311-98313");
        assert_eq!(whole("log+0-0").unwrap(), "98304");
        for elsewhere in ["x+1", "log+32768", "log+0-32768"] {
            assert!(whole(elsewhere).is_err(), "{elsewhere}");
        }
        for bad in ["", "log+", "log+1-", "log+-1", "2-1", "1-2-3", "x", "++1"] {
            assert!(bad.parse::<SectorRange>().is_err(), "{bad}");
        }
        assert_eq!(Members::default().place(7), "7");
        assert_eq!(Members::default().to_model(), powercut_model::Members::ONE);
    }

    #[test]
    fn what_is_no_group_is_refused() {
        for bad in [
            &[("", 8)][..],
            &[("a.b", 8)],
            &[("a/b", 8)],
            &[("a", 8), ("a", 8)],
            &[("a", 0)],
        ] {
            assert!(members(bad).is_err(), "{bad:?}");
        }
        let names: Vec<String> = (0..9).map(|nr| format!("m{nr}")).collect();
        let nine: Vec<_> = names.iter().map(|name| (name.as_str(), 8)).collect();
        assert!(members(&nine).is_err());
        assert!(members(&nine[..8]).is_ok());
    }
}
