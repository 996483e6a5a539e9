// SPDX-License-Identifier: GPL-2.0

//! The name of a crash state: `HASH:k=K:keep=LIST`, one line; outside of the contract
//! `HASH:k=K:keep=LIST:faults=FAULTS`, which names why.
//!
//! HASH names the log up to the cut K; LIST is `none`, `all`, or the indices
//! of the pieces kept among the pending ones, as ascending ranges: `0-3,7`. Of a disk on
//! which writes survive as prefixes, LIST has of each write its first pieces, up to one
//! that shows.

use std::fmt;
use std::str::FromStr;

use powercut_model::{Cut, Event, Illegal};
use thiserror::Error;

use crate::choices::Choices;
use crate::faults::Faults;
use crate::keep::Keep;
use crate::recording::Recording;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StateId {
    pub hash: u32,
    pub cut: Event,
    pub keep: KeepList,
    /// The faults that the log met up to the cut.
    pub faults: Faults,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeepList {
    None,
    All,
    /// Ascending ranges that don't overlap, both ends in.
    Ranges(Vec<(usize, usize)>),
}

#[derive(Debug, Error, PartialEq, Eq)]
pub enum IdError {
    #[error("{0:?} is not a state id: {1}; an id looks like 5f0c2a19:k=812:keep=0-3,7")]
    Syntax(String, &'static str),
    #[error(
        "state {id} is of another log: its hash is {theirs:08x}, this log's up to event {cut} is {ours:08x}; \
         use the disk or the report that the id came from"
    )]
    Foreign {
        id: String,
        theirs: u32,
        ours: u32,
        cut: Event,
    },
    #[error(
        "state {id} is of another or a longer log: k={cut} is after the last event of this one, {last}, \
         up to which its hash is {ours:08x}, not {theirs:08x}"
    )]
    CutTooLate {
        id: String,
        theirs: u32,
        ours: u32,
        cut: Event,
        last: Event,
    },
    #[error(
        "state {id} is of a log with {}, this one has {} up to event {cut}; \
         use the disk or the report that the id came from",
        named(*theirs), named(*ours)
    )]
    OtherFaults {
        id: String,
        theirs: Faults,
        ours: Faults,
        cut: Event,
    },
    #[error("state {id} keeps piece {index} but not piece {gap}: {why}")]
    Gap {
        id: String,
        index: usize,
        gap: usize,
        why: Illegal,
    },
    #[error("state {id} keeps piece {index}, but at k={cut} there are {len} pending pieces, numbered from 0")]
    NoSuchPiece {
        id: String,
        index: usize,
        cut: Event,
        len: usize,
    },
}

impl StateId {
    /// The id of a state: shadowed pieces are left out of it.
    pub fn of(choices: &Choices<'_>, keep: &Keep) -> Self {
        let keep = choices.canonical(keep);
        Self {
            hash: choices.recording().hash_at(choices.event()),
            cut: choices.event(),
            keep: KeepList::of(choices, &keep),
            faults: choices.recording().faults_at(choices.event()),
        }
    }

    /// The state that this names in a recording.
    pub fn resolve<'r>(&self, recording: &'r Recording) -> Result<(Choices<'r>, Keep), IdError> {
        let cut = Cut::new(recording, self.cut).map_err(|_| IdError::CutTooLate {
            id: self.to_string(),
            theirs: self.hash,
            ours: recording.hash_at(recording.header().newest_event),
            cut: self.cut,
            last: recording.header().newest_event,
        })?;
        let ours = recording.hash_at(self.cut);
        if ours != self.hash {
            return Err(IdError::Foreign {
                id: self.to_string(),
                theirs: self.hash,
                ours,
                cut: self.cut,
            });
        }
        let faults = recording.faults_at(self.cut);
        if faults != self.faults {
            return Err(IdError::OtherFaults {
                id: self.to_string(),
                theirs: self.faults,
                ours: faults,
                cut: self.cut,
            });
        }
        let choices = Choices::new(recording, cut);
        let keep = self.keep_of(&choices)?;
        Ok((choices, keep))
    }

    fn keep_of(&self, choices: &Choices<'_>) -> Result<Keep, IdError> {
        let ranges = match &self.keep {
            KeepList::None => return Ok(choices.none()),
            KeepList::All => return Ok(choices.canonical(&choices.all())),
            KeepList::Ranges(ranges) => ranges,
        };
        let mut keep = choices.none();
        for (first, last) in ranges {
            if *last >= choices.len() {
                return Err(IdError::NoSuchPiece {
                    id: self.to_string(),
                    index: *last,
                    cut: self.cut,
                    len: choices.len(),
                });
            }
            (*first..=*last).for_each(|index| keep.insert(index));
        }
        let legal = choices.legal(&keep);
        if let Some(index) = keep.iter().find(|index| !legal.contains(*index)) {
            let (_, pieces) = &choices.writes()[choices.write_of(index)];
            let gap = pieces.clone().find(|piece| !keep.contains(*piece));
            return Err(IdError::Gap {
                id: self.to_string(),
                index,
                gap: gap.unwrap_or(pieces.start),
                why: Illegal::Gap,
            });
        }
        Ok(choices.canonical(&keep))
    }
}

impl KeepList {
    fn of(choices: &Choices<'_>, canonical: &Keep) -> Self {
        if canonical.is_empty() {
            Self::None
        } else if *canonical == choices.canonical(&choices.all()) {
            Self::All
        } else {
            Self::Ranges(canonical.ranges())
        }
    }
}

impl fmt::Display for StateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}:k={}:keep={}", self.hash, self.cut, self.keep)?;
        if self.faults.is_empty() {
            Ok(())
        } else {
            write!(f, ":faults={}", self.faults)
        }
    }
}

impl fmt::Display for KeepList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges = match self {
            Self::None => return f.write_str("none"),
            Self::All => return f.write_str("all"),
            Self::Ranges(ranges) => ranges,
        };
        for (nr, (first, last)) in ranges.iter().enumerate() {
            let comma = if nr > 0 { "," } else { "" };
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for StateId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let bad = |why| IdError::Syntax(text.into(), why);
        let mut fields = text.split(':');
        let (hash, cut, keep) = match (fields.next(), fields.next(), fields.next()) {
            (Some(hash), Some(cut), Some(keep)) => (hash, cut, keep),
            _ => return Err(bad("it has three fields, joined by ':'")),
        };
        let faults = match (fields.next(), fields.next()) {
            (None, _) => Faults::default(),
            (Some(list), None) => list
                .strip_prefix("faults=")
                .and_then(|list| list.parse().ok())
                .ok_or_else(|| bad("the fourth field, if there is one, is faults=KIND,..."))?,
            _ => return Err(bad("it has four fields at most")),
        };
        let is_hash = hash.len() == 8
            && hash
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !is_hash {
            return Err(bad("the hash is 8 hexadecimal digits, in lower case"));
        }
        let hash = u32::from_str_radix(hash, 16).map_err(|_| bad("the hash is no number"))?;
        let cut = cut
            .strip_prefix("k=")
            .and_then(number)
            .ok_or_else(|| bad("the second field is k=NUMBER"))?;
        let keep = keep
            .strip_prefix("keep=")
            .ok_or_else(|| bad("the third field is keep=LIST"))?;
        let keep = match keep {
            "none" => KeepList::None,
            "all" => KeepList::All,
            list => KeepList::Ranges(ranges(list).map_err(bad)?),
        };
        Ok(Self {
            hash,
            cut,
            keep,
            faults,
        })
    }
}

fn named(faults: Faults) -> String {
    if faults.is_empty() {
        "no faults".into()
    } else {
        format!("faults={faults}")
    }
}

fn ranges(list: &str) -> Result<Vec<(usize, usize)>, &'static str> {
    const WHAT: &str = "LIST is none, all, or numbers and ranges such as 0-3,7";
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for part in list.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (index(first).ok_or(WHAT)?, index(last).ok_or(WHAT)?),
            None => {
                let only = index(part).ok_or(WHAT)?;
                (only, only)
            }
        };
        if first > last || ranges.last().is_some_and(|(_, end)| *end >= first) {
            return Err("the pieces kept must ascend, without repeats");
        }
        ranges.push((first, last));
    }
    Ok(ranges)
}

fn index(text: &str) -> Option<usize> {
    number(text).and_then(|n| usize::try_from(n).ok())
}

/// A decimal number with neither sign nor leading zeroes.
fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let plain = text == "0" || !text.starts_with('0');
    (digits && plain).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
