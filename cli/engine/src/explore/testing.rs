// SPDX-License-Identifier: GPL-2.0

//! Simulated checks, and runners of them.

use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use anyhow::Result;
use xxhash_rust::xxh3::xxh3_64;

use super::*;
use crate::budget::Budget;
use crate::keep::Keep;
use crate::marks::Marks;
use crate::oracle::{Finding, Kind, Verdict};
use crate::reads::Reads;
use crate::recording::testing::History;
use crate::stop::Interrupted;
use crate::strategy::{State, Strategy};

pub struct Quiet;

impl Watch for Quiet {
    fn progress(&mut self, _progress: Progress) {}
}

/// A check that goes from unit to unit; which is next follows from all it saw.
#[derive(Clone, Copy)]
pub struct Check {
    seed: u64,
    /// One in so many says that it can't tell or that it is bad.
    rare: u64,
}

impl Check {
    pub fn of(seed: u64) -> Self {
        Self {
            seed,
            rare: 2 + seed % 7,
        }
    }

    pub fn examine(self, state: &State<'_>) -> Seen {
        let choices = &state.choices;
        let recording = choices.recording();
        let contents = choices.contents(&state.keep);
        let marks = recording.marks_by(choices.event()).len() as u64;
        let mix = |a: u64, b: u128| {
            let mut bytes = a.to_le_bytes().to_vec();
            bytes.extend(b.to_le_bytes());
            xxh3_64(&bytes)
        };
        let mut mind = mix(self.seed, marks.into());
        let mut read = BTreeSet::new();
        while !contents.is_empty() && mind % 5 != 0 {
            let place = (mind >> 8) as usize % contents.len();
            if !read.insert(place) && mind % 3 == 0 {
                break;
            }
            mind = mix(mind, contents[place]);
        }
        let sectors = u64::from(recording.header().atomic_unit) / 512;
        let ranges = read.iter().map(|place| {
            let first = recording.written()[*place] * sectors;
            (first + mind % sectors, 1)
        });
        let verdict = match (mind >> 20) % (2 * self.rare) {
            0 | 1 => bad("exit 1"),
            2 => bad("exit 2"),
            3 => Verdict::Skipped,
            _ => Verdict::Consistent,
        };
        let reads = Some(Reads::from_ranges(ranges.collect()));
        Seen::new(verdict, reads)
    }
}

pub fn bad(how: &str) -> Verdict {
    Verdict::Violation(Finding::new(Kind::Check, how, ""))
}

/// Runs a made-up check, several at a time, and hands out results in a
/// peculiar order.
pub struct Fake<F> {
    check: F,
    slots: usize,
    done: VecDeque<(Key, Seen)>,
    pub asked: u64,
    /// A signal comes after so many.
    pub patience: u64,
}

impl<F: FnMut(&State<'_>) -> Seen> Fake<F> {
    pub fn new(slots: usize, check: F) -> Self {
        Self {
            check,
            slots,
            done: VecDeque::new(),
            asked: 0,
            patience: u64::MAX,
        }
    }
}

impl<F: FnMut(&State<'_>) -> Seen> Runner for Fake<F> {
    fn slots(&self) -> usize {
        self.slots
    }

    fn begin(&mut self, key: Key, state: &State<'_>) -> Result<()> {
        self.asked += 1;
        let seen = (self.check)(state);
        if self.asked % 3 == 0 {
            self.done.push_front((key, seen));
        } else {
            self.done.push_back((key, seen));
        }
        Ok(())
    }

    fn next(&mut self) -> Result<(Key, Seen)> {
        self.patience = self.patience.saturating_sub(1);
        if self.patience == 0 {
            self.done.pop_back();
            return Err(Interrupted::Signal(2).into());
        }
        Ok(self.done.pop_back().expect("something was begun"))
    }
}

pub fn plan(strategy: Strategy) -> Plan {
    Plan {
        strategy,
        budget: Budget::Unlimited,
        seed: 3,
        max_violations: None,
        shard: None,
        depth: 1,
        recovery_budget: Budget::Unlimited,
        marks: Marks::Any,
    }
}

/// What two explorations must have in common to be called the same.
pub fn gist(outcome: &Outcome) -> String {
    let found: Vec<String> = outcome
        .violations
        .iter()
        .map(|v| format!("{} {} {:?} {:?}", v.id, v.finding.how, v.again, v.rank))
        .collect();
    format!(
        "{found:#?} {} {} {} {} {:?} {:?} {:?} {:?} {:?}",
        outcome.checked,
        outcome.same_image,
        outcome.same_reads,
        outcome.skipped,
        outcome.covered,
        outcome.skipped_states,
        outcome.remaining,
        outcome.repeats,
        outcome.all,
    )
}

/// Of every third disk, writes survive as prefixes; of some of the others, they may cost their
/// neighbours.
pub fn some_history(seed: u64) -> History {
    match (seed % 3, seed % 5) {
        (2, _) => History::random_prefixes(seed),
        (_, 3) => History::random_rmw(seed),
        _ => History::random(seed),
    }
}

/// Every legal state at the dominating cuts, and more: by every set of pieces, or prefix
/// of each write.
pub fn every_state<'r>(space: &Space<'r>, mut look: impl FnMut(&State<'r>)) {
    for cut in space.cuts() {
        let choices = space.choices(*cut).unwrap();
        if choices.has_prefixes() {
            for keep in choices.every_prefix(usize::MAX).unwrap() {
                let choices = Rc::clone(&choices);
                look(&State { choices, keep });
            }
            continue;
        }
        assert!(choices.len() <= 20);
        for bits in 0u32..1 << choices.len() {
            let keep = Keep::that(choices.len(), |i| (bits >> i) & 1 == 1);
            look(&State {
                choices: Rc::clone(&choices),
                keep,
            });
        }
    }
}
