// SPDX-License-Identifier: GPL-2.0

//! Keeps account of an exploration, and does nothing else.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use num_bigint::BigUint;

use super::candidate::Candidate;
use super::outcome::{Again, Covered, End, Outcome, Repeats, Violation};
use super::partition::Size;
use super::seen::Seen;
use crate::failure::Failure;
use crate::id::StateId;
use crate::oracle::{Finding, Verdict};
use crate::recoveries::Recoveries;

pub struct Account {
    outcome: Outcome,
    /// Images with their marks that were reported as violations.
    reported: HashSet<(u128, usize)>,
    sorts: HashSet<Failure>,
    /// A state could not be examined again.
    unrepeated: bool,
}

impl Account {
    /// Of so many cuts, and the legal states there: all, and those that other shards look at.
    pub fn new(cuts: usize, legal: BigUint, of_other_shards: BigUint) -> Self {
        Self {
            outcome: Outcome {
                legal,
                cuts,
                checked: 0,
                same_image: 0,
                same_reads: 0,
                skipped: 0,
                violations: Vec::new(),
                end: End::Exhausted,
                covered: Covered::default(),
                skipped_states: BigUint::ZERO,
                remaining: BigUint::ZERO,
                of_other_shards,
                all: false,
                kinds: BTreeMap::new(),
                repeats: Repeats::default(),
                recoveries: Recoveries::default(),
                reads_known: true,
                elapsed: Duration::ZERO,
            },
            reported: HashSet::new(),
            sorts: HashSet::new(),
            unrepeated: false,
        }
    }

    pub fn checked(&self) -> u64 {
        self.outcome.checked
    }

    pub fn nr_violations(&self) -> usize {
        self.outcome.violations.len()
    }

    /// A state was examined for the first time.
    pub fn ran(&mut self, seen: &Seen) {
        self.outcome.checked += 1;
        self.outcome.reads_known &= seen.reads.is_some();
        if let Some(recoveries) = &seen.recoveries {
            self.outcome.recoveries.add(recoveries);
        }
    }

    /// A state at a cut of that kind has a verdict, from its own run or another.
    pub fn looked_at(&mut self, kind: u32, ran: bool) {
        let looked = self.outcome.kinds.entry(kind).or_default();
        looked.states += 1;
        looked.runs += u64::from(ran);
    }

    /// A run could not tell.
    pub fn skipped(&mut self) {
        self.outcome.skipped += 1;
    }

    /// A state of a strategy's stream was known from the run of another.
    pub fn same_reads(&mut self) {
        self.outcome.same_reads += 1;
    }

    /// A state was examined for the second time.
    pub fn repeated(&mut self) {
        self.outcome.repeats.repeated += 1;
    }

    /// A state could not be examined for the second time.
    pub fn unrepeated(&mut self) {
        self.unrepeated = true;
    }

    /// A state had another verdict when it was examined again.
    pub fn other_verdict(&mut self, state: StateId) {
        self.outcome.repeats.verdicts += 1;
        self.outcome.repeats.example = Some(state);
    }

    /// Of a state something else was read than it had to be.
    pub fn other_reads(&mut self, state: StateId) {
        self.outcome.repeats.reads += 1;
        self.outcome.repeats.example.get_or_insert(state);
    }

    /// Whether no violation was reported that looks the same.
    pub fn is_new_sort(&self, finding: &Finding) -> bool {
        !self.sorts.contains(&Failure::from(finding))
    }

    /// The states of a leaf have a verdict, from a run of one of them or else of another.
    pub fn cover(&mut self, size: &Size, verdict: &Verdict, ran: bool) {
        let covered = &mut self.outcome.covered;
        covered.same_content += &size.legal - &size.images;
        if ran {
            covered.unread += &size.images - 1u8;
        } else {
            covered.shared += &size.images;
        }
        if *verdict == Verdict::Skipped {
            self.outcome.skipped_states += &size.legal;
        } else {
            covered.states += &size.legal;
        }
    }

    /// A state is a violation; none if that was reported: then only what a second examination
    /// showed is new.
    pub fn violation(
        &mut self,
        candidate: &Candidate<'_>,
        finding: Finding,
        again: Option<Again>,
    ) -> Option<&Violation> {
        if !self.reported.insert(candidate.identity()) {
            let last = self.outcome.violations.last_mut();
            if let Some(last) = last.filter(|last| again.is_some() && last.rank == candidate.rank) {
                last.again = again;
            }
            return None;
        }
        self.sorts.insert(Failure::from(&finding));
        self.outcome.violations.push(Violation {
            id: candidate.id(),
            keep: candidate.state.keep.clone(),
            finding,
            again,
            image: candidate.image,
            rank: candidate.rank,
        });
        self.outcome.violations.last()
    }

    /// `complete`: every state of the cuts looked at is in a leaf.
    pub fn close(
        mut self,
        end: End,
        complete: bool,
        same_image: u64,
        elapsed: Duration,
    ) -> Outcome {
        let outcome = &mut self.outcome;
        let known = &outcome.covered.states + &outcome.skipped_states;
        outcome.remaining = &outcome.legal - known.min(outcome.legal.clone());
        let repeats = &outcome.repeats;
        let is_steady = repeats.verdicts == 0 && repeats.reads == 0 && !self.unrepeated;
        outcome.all = complete
            && is_steady
            && outcome.skipped == 0
            && outcome.remaining == outcome.of_other_shards;
        outcome.end = end;
        outcome.same_image = same_image;
        outcome.elapsed = elapsed;
        self.outcome
    }
}
