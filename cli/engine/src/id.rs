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
mod tests {
    use super::*;
    use crate::recording::testing::History;
    use powercut_model::{spans, Marks};
    use proptest::prelude::*;

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "5f0c2a19",
            "5f0c2a19:k=1",
            "5f0c2a19:k=1:keep=",
            "5f0c2a1:k=1:keep=none",
            "5F0C2A19:k=1:keep=none",
            "+f0c2a19:k=1:keep=none",
            "5f0c2a19:k=:keep=none",
            "5f0c2a19:k=01:keep=none",
            "5f0c2a19:k=-1:keep=none",
            "5f0c2a19:k=99999999999999999999:keep=none",
            "5f0c2a19:k=1:keep=some",
            "5f0c2a19:k=1:keep=1,1",
            "5f0c2a19:k=1:keep=3,2",
            "5f0c2a19:k=1:keep=3-2",
            "5f0c2a19:k=1:keep=1-",
            "5f0c2a19:k=1:keep=1-2-3",
            "5f0c2a19:k=1:keep=1,",
            "5f0c2a19:k=1:keep=none:x",
            " 5f0c2a19:k=1:keep=none",
            "5f0c2a19:k=1:keep=none:",
            "5f0c2a19:k=1:keep=none:faults=",
            "5f0c2a19:k=1:keep=none:faults=none",
            "5f0c2a19:k=1:keep=none:faults=lost,flush-lies",
            "5f0c2a19:k=1:keep=none:faults=lost:x",
            "5f0c2a19:k=1:faults=lost:keep=none",
        ] {
            let parsed = text.parse::<StateId>();
            assert!(matches!(parsed, Err(IdError::Syntax(..))), "{text}");
        }
    }

    /// Ids in reports that are out there.
    #[test]
    fn ids_stay_as_they_were() {
        let id = |recording: Recording| {
            let cut = Cut::new(&recording, recording.header().newest_event).unwrap();
            let choices = Choices::new(&recording, cut);
            let keep = Keep::that(choices.len(), |i| i % 3 != 1);
            StateId::of(&choices, &keep).to_string()
        };
        let words = ["x"; 5];
        let long = History::new().write_run(0, &words).write(90, "y");
        let lied = long.clone().met(Faults::LIED);
        let ids = [
            (History::random(1), "03e72bba:k=2:keep=all"),
            (History::random(2), "b4536137:k=2:keep=all"),
            (History::random_prefixes(3), "9ca578e5:k=12:keep=2-3"),
            (long.clone().prefixes(), "0a0f77ee:k=4:keep=0,5"),
            (long, "05ac4f27:k=4:keep=0,2-3,5"),
            (lied, "97ee89f2:k=4:keep=0,2-3,5:faults=flush-lies"),
        ];
        for (log, expected) in ids {
            assert_eq!(id(log.done()), expected);
        }
    }

    #[test]
    fn an_id_survives_a_growing_log_and_no_other_change() {
        let log = History::new().base(9, "x").write(0, "a").write(1, "b");
        let id = |log: &History, cut| {
            let recording = log.done();
            let choices = Choices::new(&recording, Cut::new(&recording, cut).unwrap());
            StateId::of(&choices, &choices.none())
        };
        let before = id(&log, 4);
        assert_eq!(id(&log.clone().flush().write(0, "c"), 4), before);
        let changed = [
            History::new().base(9, "y").write(0, "a").write(1, "b"),
            History::new().base(9, "x").write(0, "a").write(1, "c"),
            History::new().base(9, "x").write(0, "a").write(2, "b"),
            History::new().base(9, "x").write(0, "a").meta(1, "b"),
            History::new().base(9, "x").write(0, "a").fua(1, "b"),
            log.clone().no_write_cache(),
            log.clone().group(4),
            log.clone().prefixes(),
        ];
        for other in changed {
            assert_ne!(id(&other, 4).hash, before.hash);
            let other = other.done();
            let refused = before.resolve(&other).unwrap_err();
            let (theirs, ours) = (before.hash, other.hash_at(4));
            assert!(matches!(refused, IdError::Foreign { .. }), "{refused}");
            for hash in [theirs, ours] {
                assert!(refused.to_string().contains(&format!("{hash:08x}")));
            }
        }
    }

    #[test]
    fn a_write_in_flight_at_the_cut_may_complete_later() {
        let log = History::new().submit(0, "a").write(1, "b");
        let before = log.done().hash_at(3);
        assert_eq!(log.clone().complete().done().hash_at(3), before);
        assert_ne!(log.clone().complete().done().hash_at(4), before);
    }

    #[test]
    fn faults_are_named_from_where_they_were_met() {
        let log = || History::new().write(0, "a").flush().met(Faults::LIED);
        let id = |log: &History, cut| {
            let recording = log.done();
            let choices = Choices::new(&recording, Cut::new(&recording, cut).unwrap());
            StateId::of(&choices, &choices.none()).to_string()
        };
        let lied = log().write(1, "b").met(Faults::LOST);
        assert!(id(&lied, 2).ends_with(":k=2:keep=none"));
        assert!(id(&lied, 4).ends_with(":k=4:keep=none:faults=flush-lies"));
        assert!(id(&lied, 6).ends_with(":k=6:keep=none:faults=flush-lies,lost"));
        let live = log().met_unlogged("stale,eio");
        assert!(id(&live, 2).ends_with(":keep=none:faults=stale,eio"));
    }

    #[test]
    fn an_id_with_other_faults_is_refused_and_both_are_named() {
        let log = History::new().write(0, "a").met_unlogged("eio");
        let recording = log.done();
        let hash = recording.hash_at(2);
        for (faults, theirs) in [("", "no faults"), (":faults=stale", "faults=stale")] {
            let id: StateId = format!("{hash:08x}:k=2:keep=none{faults}").parse().unwrap();
            let refused = id.resolve(&recording).unwrap_err().to_string();
            assert!(
                refused.contains(&format!("a log with {theirs}")),
                "{refused}"
            );
            assert!(refused.contains("has faults=eio"), "{refused}");
        }
        let id: StateId = format!("{hash:08x}:k=2:keep=none:faults=eio")
            .parse()
            .unwrap();
        assert!(id.resolve(&recording).is_ok());
    }

    #[test]
    fn a_gap_is_refused_where_writes_survive_as_prefixes() {
        let log = History::new()
            .write_run(0, &["a", "b", "c"])
            .write_run(4, &["d", "e"]);
        let resolve = |log: &History, keep: &str| {
            let recording = log.done();
            let id = format!("{:08x}:k=4:keep={keep}", recording.hash_at(4));
            let id: StateId = id.parse().unwrap();
            id.resolve(&recording).map(|(_, keep)| keep.ranges())
        };
        let prefixes = log.clone().prefixes();
        for keep in ["0-1,3", "0-4", "3", "none", "all"] {
            assert_eq!(resolve(&prefixes, keep), resolve(&log, keep), "{keep}");
        }
        for (keep, index, gap) in [("1", 1, 0), ("0,2", 2, 1), ("0-2,4", 4, 3)] {
            assert!(resolve(&log, keep).is_ok());
            let refused = resolve(&prefixes, keep).unwrap_err();
            let text = refused.to_string();
            assert!(matches!(refused, IdError::Gap { .. }), "{text}");
            let words = format!("keeps piece {index} but not piece {gap}: ");
            assert!(
                text.contains(&words) && text.contains("tear=prefix"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let recording = History::new().write(0, "a").done();
        let hash = recording.hash_at(2);
        let id: StateId = format!("{hash:08x}:k=2:keep=1").parse().unwrap();
        let error = id.resolve(&recording).unwrap_err();
        assert!(matches!(
            error,
            IdError::NoSuchPiece {
                index: 1,
                len: 1,
                ..
            }
        ));
        let id: StateId = format!("{hash:08x}:k=3:keep=none").parse().unwrap();
        let error = id.resolve(&recording).unwrap_err();
        assert!(matches!(
            error,
            IdError::CutTooLate {
                cut: 3,
                last: 2,
                ..
            }
        ));
    }

    proptest! {
        #[test]
        fn ids_are_read_as_they_are_written(seed in 0u64..500, bits: u64, prefixes: bool) {
            let recording = if prefixes { History::random_prefixes(seed) } else { History::random(seed) };
            let recording = recording.done();
            for cut in spans(&recording, Marks::Any) {
                let choices = Choices::new(&recording, cut);
                let keep = Keep::that(choices.len(), |i| (bits >> (i % 64)) & 1 == 1);
                let id = StateId::of(&choices, &keep);
                let text = id.to_string();
                prop_assert_eq!(text.parse::<StateId>().unwrap(), id.clone());
                let (_, resolved) = id.resolve(&recording).unwrap();
                prop_assert_eq!(resolved, choices.canonical(&keep));
            }
        }

        #[test]
        fn no_text_upsets_the_parser(text in "\\PC{0,40}") {
            let _ = text.parse::<StateId>();
        }
    }
}
