// SPDX-License-Identifier: GPL-2.0

//! What an exploration is asked for, and what comes out of it.

use std::collections::BTreeMap;
use std::time::Duration;

use num_bigint::BigUint;
use serde::{Deserialize, Serialize};

use super::rank::Rank;
use crate::budget::Budget;
use crate::id::StateId;
use crate::keep::Keep;
use crate::marks::Marks;
use crate::oracle::{Finding, Kind};
use crate::recoveries::Recoveries;
use crate::stop::Interrupted;
use crate::strategy::Strategy;

/// How to explore.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub strategy: Strategy,
    pub budget: Budget,
    pub seed: u64,
    /// After so many violations it ends.
    pub max_violations: Option<u64>,
    /// The part of it that is to be done here.
    pub shard: Option<Shard>,
    /// How many power cuts follow on each other, at most: from the second on
    /// they cut recovery.
    pub depth: u32,
    /// The states to try within each recovery.
    pub recovery_budget: Budget,
    /// What more marks may do to a verdict.
    pub marks: Marks,
}

impl Plan {
    /// How to explore a recovery.
    pub fn of_recovery(&self) -> Self {
        Self {
            budget: self.recovery_budget,
            max_violations: None,
            shard: None,
            depth: self.depth.saturating_sub(1),
            // They all come before it.
            marks: Marks::Monotone,
            ..*self
        }
    }
}

/// One of several equal parts of an exploration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// From 1.
    pub nr: u64,
    pub of: u64,
}

impl Shard {
    /// Of how many parts a text says that it is one.
    pub fn of_text(text: Option<&str>) -> Option<u64> {
        text.and_then(|t| t.parse().ok())
            .map(|shard: Self| shard.of)
    }

    /// Whether the thing of that number, from 0, is in it.
    pub fn has(self, nr: u64) -> bool {
        nr % self.of == self.nr - 1
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.nr, self.of)
    }
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/');
        let numbers = parts.and_then(|(nr, of)| Some((nr.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((nr, of)) if (1..=of).contains(&nr) => Ok(Self { nr, of }),
            _ => Err(format!("{text:?} is no shard: give I/N, from 1/N to N/N")),
        }
    }
}

/// What a violation did when its state was examined once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Again {
    /// It failed in the same way.
    Failed,
    /// It failed in another way.
    FailedOtherwise,
    /// It passed: the check is not deterministic.
    Passed,
    /// The check could not tell.
    Skipped,
}

/// A state that was found inconsistent.
#[derive(Debug)]
pub struct Violation {
    pub id: StateId,
    pub keep: Keep,
    pub finding: Finding,
    /// Of the first violation of each sort, what a second examination showed.
    pub again: Option<Again>,
    /// The hash of its image.
    pub image: u128,
    /// Its place in the exploration.
    pub rank: Rank,
}

/// Why an exploration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The strategy has no more states.
    Exhausted,
    Budget,
    /// There are as many violations as were asked for.
    EnoughFound,
    Interrupted(Interrupted),
    /// An error: the account is of what was known by then.
    Failed,
}

/// Whether the check does the same when it is shown the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repeats {
    /// States examined a second time.
    pub repeated: u64,
    /// Those of another verdict then.
    pub verdicts: u64,
    /// States for which something else was read the second time, or in which
    /// it did not read what a run that saw the same up to there had read.
    pub reads: u64,
    /// One of another verdict, or else of other reads.
    pub example: Option<StateId>,
}

impl Recoveries {
    /// Of a recovery that was explored, and of those within it.
    pub fn of(outcome: &Outcome) -> Self {
        let mut one = Self {
            recorded: 1,
            legal: outcome.legal.clone(),
            checked: outcome.checked,
            complete: u64::from(outcome.all),
        };
        one.add(&outcome.recoveries);
        one
    }
}

/// Legal states of the cuts and what became of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Covered {
    /// Those that are consistent or a violation.
    pub states: BigUint,
    /// Of these and of those of which the check could not tell, those that have the
    /// same image as another, by the cut.
    pub same_content: BigUint,
    /// Likewise, images that a run spoke for as it did not read where they differ.
    pub unread: BigUint,
    /// Likewise, images that a run on another cut, or for another reason, spoke for.
    pub shared: BigUint,
}

/// States that came up at cuts of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looked {
    /// Those that have a verdict.
    pub states: u64,
    /// Those that were run for it.
    pub runs: u64,
}

/// What an exploration covered and found.
///
/// At every end `covered.states`, `skipped_states` and `remaining` add up to `legal`.
#[derive(Debug)]
pub struct Outcome {
    /// Legal states over all cuts that dominate.
    pub legal: BigUint,
    pub cuts: usize,
    /// States examined.
    pub checked: u64,
    /// States of a stream whose image, with the same marks, came before.
    pub same_image: u64,
    /// States of a stream that agree in all that was read with one examined.
    pub same_reads: u64,
    /// Examinations that could not tell.
    pub skipped: u64,
    pub violations: Vec<Violation>,
    pub end: End,
    /// Legal states that are consistent or a violation, and why most needed no run.
    pub covered: Covered,
    /// Legal states of which the check could not tell.
    pub skipped_states: BigUint,
    /// Legal states whose verdict is not known: the rest of `legal`.
    pub remaining: BigUint,
    /// Those of them at cuts that other shards look at.
    pub of_other_shards: BigUint,
    /// Every legal state has a verdict, from a run that was made or speaks for it; of a shard, every
    /// one at its own cuts.
    pub all: bool,
    /// What was looked at of each kind of cut, by the kind's number: see
    /// [`Kinds`](crate::strategy::Kinds).
    pub kinds: BTreeMap<u32, Looked>,
    pub repeats: Repeats,
    /// What was cut in its recovery.
    pub recoveries: Recoveries,
    /// Whether it was known what the check reads.
    pub reads_known: bool,
    pub elapsed: Duration,
}

impl Outcome {
    pub fn of(&self, kind: Kind) -> usize {
        let of_kind = |v: &&Violation| v.finding.kind == kind;
        self.violations.iter().filter(of_kind).count()
    }
}

/// How far an exploration is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    pub checked: u64,
    pub violations: usize,
    pub elapsed: Duration,
    /// About how much is done, from 0 to 1, if the end is when all is covered.
    pub fraction: Option<f64>,
    /// States that count for a budget in states.
    pub spent: u64,
}
