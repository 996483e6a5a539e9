// SPDX-License-Identifier: GPL-2.0

//! Which kinds of cuts were looked at, and how often.

use std::collections::BTreeMap;

use powercut_engine::explore::Outcome;
use powercut_engine::strategy::Space;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::words::many;

/// More kinds than this are not listed.
const LISTED: usize = 100;

/// The cuts of a record, sorted by what is pending there and what comes next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Kinds {
    pub kinds: u64,
    /// Those of which at least one state has a verdict.
    pub looked_at: u64,
    /// The cuts of the others.
    pub cuts_not_reached: u64,
    /// Those that were not looked at first, then those with most cuts.
    pub list: Vec<KindOfCut>,
}

/// Cuts with the same classes of writes pending, the same class of what comes next, and as many marks
/// in between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KindOfCut {
    pub name: String,
    pub cuts: u64,
    /// States at these cuts that came up and have a verdict.
    pub states: u64,
    /// Those that were run for it.
    pub runs: u64,
}

impl Kinds {
    pub fn of(outcome: &Outcome, space: &Space<'_>) -> Self {
        let kinds = space.kinds();
        let of_kind = |(nr, kind)| {
            let looked = outcome.kinds.get(&nr).copied().unwrap_or_default();
            KindOfCut {
                name: kinds.name(kind),
                cuts: kind.cuts,
                states: looked.states,
                runs: looked.runs,
            }
        };
        Self::sum((0..).zip(kinds.list()).map(of_kind).collect())
    }

    fn sum(mut list: Vec<KindOfCut>) -> Self {
        let missed = list.iter().filter(|kind| kind.states == 0);
        let (kinds, not_reached) = (list.len() as u64, missed.clone().count() as u64);
        let cuts_not_reached = missed.map(|kind| kind.cuts).sum();
        list.sort_by(|a, b| {
            let key = |kind: &KindOfCut| (kind.states > 0, std::cmp::Reverse(kind.cuts));
            key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
        });
        list.truncate(LISTED);
        Self {
            kinds,
            looked_at: kinds - not_reached,
            cuts_not_reached,
            list,
        }
    }

    /// Of several shards of one exploration. Kinds that one of them did not list are counted as
    /// the one counts them that looked at most.
    pub fn merged<'k>(all: impl Iterator<Item = &'k Self> + Clone) -> Option<Self> {
        let most = all.clone().max_by_key(|kinds| kinds.looked_at)?;
        let mut by_name: BTreeMap<&str, KindOfCut> = BTreeMap::new();
        for kind in all.flat_map(|kinds| &kinds.list) {
            let merged = by_name.entry(&kind.name).or_insert_with(|| KindOfCut {
                states: 0,
                runs: 0,
                ..kind.clone()
            });
            merged.states += kind.states;
            merged.runs += kind.runs;
        }
        if by_name.len() as u64 != most.kinds {
            return Some(most.clone());
        }
        Some(Self::sum(by_name.into_values().collect()))
    }

    /// What was not reached, in words; none if all was.
    pub fn line(&self) -> Option<String> {
        let first = self.list.first().filter(|kind| kind.states == 0)?;
        let cuts = many(self.cuts_not_reached, "cut", "cuts");
        Some(format!(
            "{} of {} of cuts looked at; not reached: {cuts} of {}, such as ({})",
            self.looked_at,
            many(self.kinds, "kind", "kinds"),
            many(self.kinds - self.looked_at, "kind", "kinds"),
            first.name
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str, cuts: u64, states: u64) -> KindOfCut {
        KindOfCut {
            name: name.into(),
            cuts,
            states,
            runs: states,
        }
    }

    #[test]
    fn what_was_not_reached_is_said_with_an_example() {
        let some = Kinds::sum(vec![kind("a", 5, 2), kind("b", 7, 0), kind("c", 9, 0)]);
        assert_eq!(
            some.line().unwrap(),
            "1 of 3 kinds of cuts looked at; not reached: 16 cuts of 2 kinds, such as (c)"
        );
        assert_eq!(Kinds::sum(vec![kind("a", 5, 2)]).line(), None);
    }

    #[test]
    fn shards_add_up_by_kind() {
        let one = Kinds::sum(vec![kind("a", 5, 2), kind("b", 7, 0)]);
        let other = Kinds::sum(vec![kind("a", 5, 1), kind("b", 7, 3)]);
        let merged = Kinds::merged([&one, &other].into_iter()).unwrap();
        assert_eq!((merged.kinds, merged.looked_at), (2, 2));
        assert_eq!(merged.list[1], kind("a", 5, 3));
    }
}
