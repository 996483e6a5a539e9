// SPDX-License-Identifier: GPL-2.0

//! Goes through a strategy's states, leaves out those that cannot differ, and
//! has an oracle examine the others.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use num_bigint::BigUint;
use xxhash_rust::xxh3::xxh3_128;

use crate::choices::Choices;
use crate::count;
use crate::id::StateId;
use crate::keep::Keep;
use crate::oracle::{Finding, Kind, Oracle, Verdict};
use crate::signals::{Interrupted, Signals};
use crate::size::Budget;
use crate::strategy::{Space, Strategy};

/// How to explore.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub strategy: Strategy,
    pub budget: Budget,
    pub seed: u64,
    pub stop_on_first: bool,
}

/// A state that was found inconsistent.
#[derive(Debug)]
pub struct Violation {
    pub id: StateId,
    pub keep: Keep,
    pub finding: Finding,
}

/// Why an exploration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The strategy has no more states.
    Exhausted,
    Budget,
    /// The first violation was asked for.
    FirstFound,
    Interrupted(Interrupted),
}

/// What an exploration covered and found.
#[derive(Debug)]
pub struct Outcome {
    /// Legal states over all cuts that dominate.
    pub legal: BigUint,
    pub cuts: usize,
    /// Distinct images examined.
    pub checked: u64,
    /// States whose image, with the same marks, had been examined.
    pub same_image: u64,
    pub skipped: u64,
    pub violations: Vec<Violation>,
    pub end: End,
    /// Every legal state's image was examined.
    pub all: bool,
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
}

/// Somebody who wants to know how far it is.
pub trait Watch {
    fn progress(&mut self, progress: Progress);
    fn violation(&mut self, _choices: &Choices<'_>, _violation: &Violation) {}
}

/// The number of legal states over all dominating cuts.
pub fn legal_states(space: &Space<'_>) -> BigUint {
    let cuts = space.cuts().iter();
    cuts.filter_map(|cut| space.choices(*cut))
        .map(|choices| count::states(&choices))
        .sum()
}

/// Explores. An error is the oracle's: it could not examine a state at all.
pub fn explore(
    space: &Space<'_>,
    plan: &Plan,
    oracle: &mut dyn Oracle,
    signals: &Signals,
    watch: &mut dyn Watch,
) -> Result<Outcome> {
    let began = Instant::now();
    let mut outcome = Outcome {
        legal: legal_states(space),
        cuts: space.cuts().len(),
        checked: 0,
        same_image: 0,
        skipped: 0,
        violations: Vec::new(),
        end: End::Exhausted,
        all: false,
        elapsed: Duration::ZERO,
    };
    let mut named = HashSet::new();
    let mut images = HashSet::new();
    let mut states = plan.strategy.states(space, plan.seed);
    outcome.end = loop {
        if let Err(signal) = signals.check() {
            break End::Interrupted(signal);
        }
        let spent = match plan.budget {
            Budget::States(n) => outcome.checked >= n,
            Budget::Time(t) => began.elapsed() >= t,
        };
        // Asked before the budget: what ends with it has ended.
        let Some(mut state) = states.next() else {
            break End::Exhausted;
        };
        let choices = std::rc::Rc::clone(&state.choices);
        state.keep = choices.canonical(&state.keep);
        if !named.insert(name(choices.event(), &state.keep)) {
            continue;
        }
        let marks = space.recording().marks_by(choices.event()).len();
        if images.contains(&(choices.image(&state.keep), marks)) {
            outcome.same_image += 1;
            continue;
        }
        if spent {
            break End::Budget;
        }
        images.insert((choices.image(&state.keep), marks));
        let verdict = match oracle.examine(&state) {
            Ok(verdict) => verdict,
            Err(e) => match e.downcast_ref::<Interrupted>() {
                Some(signal) => break End::Interrupted(*signal),
                None => return Err(e),
            },
        };
        outcome.checked += 1;
        match verdict {
            Verdict::Consistent => {}
            Verdict::Skipped => outcome.skipped += 1,
            Verdict::Violation(finding) => {
                let violation = Violation {
                    id: StateId::of(&choices, &state.keep),
                    keep: state.keep,
                    finding,
                };
                watch.violation(&choices, &violation);
                outcome.violations.push(violation);
            }
        }
        watch.progress(Progress {
            checked: outcome.checked,
            violations: outcome.violations.len(),
            elapsed: began.elapsed(),
        });
        if plan.stop_on_first && !outcome.violations.is_empty() {
            break End::FirstFound;
        }
    };
    outcome.all =
        outcome.end == End::Exhausted && plan.strategy.is_complete() && !space.is_partial();
    outcome.elapsed = began.elapsed();
    Ok(outcome)
}

/// A short name for a state, to know it again.
fn name(cut: u64, keep: &Keep) -> u128 {
    let mut bytes = cut.to_le_bytes().to_vec();
    for word in keep.words() {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    xxh3_128(&bytes)
}

#[cfg(test)]
mod tests;
