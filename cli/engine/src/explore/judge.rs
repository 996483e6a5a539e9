// SPDX-License-Identifier: GPL-2.0

//! Takes states as they come up, judges each by a run or by what is known, and
//! keeps account.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use num_bigint::BigUint;

use super::candidate::{Candidate, Place};
use super::desk::{Desk, Seen};
use super::forest::{Covered, Forest};
use super::known::{Judgement, Known};
use super::outcome::{End, Outcome, Plan, Progress, Recoveries, Repeats, Violation};
use super::stream::Stream;
use super::{legal_states, Watch};
use crate::budget::Budget;
use crate::id::StateId;
use crate::oracle::Verdict;
use crate::stop::{Interrupted, Stop};
use crate::strategy::{Space, Strategy};

/// Every so many runs one is repeated.
const REPEAT: u64 = 32;

pub struct Judge<'a, 's, 'r> {
    space: &'s Space<'r>,
    plan: &'a Plan,
    watch: &'a mut dyn Watch,
    stream: Option<Stream<'s, 'r>>,
    stream_ended: bool,
    forest: Forest<'s, 'r>,
    pub known: Known,
    /// Units written to, by place: what a run of unknown reads may have read.
    everything: std::rc::Rc<[u32]>,
    /// Images, with their marks, of violations of leaves.
    reported: HashSet<(u128, usize)>,
    /// The next is a leaf.
    leaf_next: bool,
    /// States of the stream, those of other shards too.
    streamed: u64,
    /// Whether the newest state of the stream counted.
    counts: bool,
    /// Runs for leaves, and between them.
    grown: u64,
    outcome: Outcome,
}

enum Next<'r> {
    Candidate(Candidate<'r>),
    End(End),
}

impl<'a, 's, 'r: 's> Judge<'a, 's, 'r> {
    pub fn new(space: &'s Space<'r>, plan: &'a Plan, watch: &'a mut dyn Watch) -> Self {
        let stream = match plan.strategy {
            Strategy::Exhaustive => None,
            other => Some(Stream::new(space, other, plan.seed)),
        };
        Self {
            space,
            plan,
            watch,
            stream_ended: stream.is_none(),
            stream,
            forest: Forest::new(space, plan.shard),
            known: Known::default(),
            everything: (0..space.recording().written().len() as u32).collect(),
            reported: HashSet::new(),
            leaf_next: false,
            streamed: 0,
            counts: true,
            grown: 0,
            outcome: Outcome {
                legal: legal_states(space),
                cuts: space.cuts().len(),
                checked: 0,
                same_image: 0,
                same_reads: 0,
                skipped: 0,
                violations: Vec::new(),
                end: End::Exhausted,
                covered: Covered::default(),
                skipped_states: BigUint::ZERO,
                remaining: BigUint::ZERO,
                of_other_shards: BigUint::ZERO,
                all: false,
                repeats: Repeats::default(),
                recoveries: Recoveries::default(),
                reads_known: true,
                elapsed: Duration::ZERO,
            },
        }
    }

    /// Goes on until there is a reason to end.
    pub fn work(&mut self, desk: &mut Desk<'_>, stop: &dyn Stop, began: Instant) -> Result<End> {
        loop {
            if let Err(signal) = stop.check() {
                return Ok(End::Interrupted(signal));
            }
            let candidate = match self.next(began) {
                Next::Candidate(candidate) => candidate,
                Next::End(end) => return Ok(end),
            };
            match self.judge(&candidate, desk) {
                Ok(()) => {}
                Err(e) => match e.downcast_ref::<Interrupted>() {
                    Some(signal) => return Ok(End::Interrupted(*signal)),
                    None => return Err(e),
                },
            }
            self.watch.progress(Progress {
                checked: self.outcome.checked,
                violations: self.outcome.violations.len(),
                elapsed: began.elapsed(),
                fraction: self.grows().then(|| self.forest.fraction()),
                spent: self.streamed + self.grown,
            });
            if self.plan.stop_on_first && !self.outcome.violations.is_empty() {
                return Ok(End::FirstFound);
            }
        }
    }

    /// Whether leaves are among what is looked at.
    fn grows(&self) -> bool {
        matches!(self.plan.strategy, Strategy::Exhaustive | Strategy::Auto)
    }

    fn is_spent(&self, began: Instant) -> bool {
        match self.plan.budget {
            Budget::States(n) => self.streamed + self.grown >= n,
            Budget::Time(t) => began.elapsed() >= t,
            Budget::Unlimited => false,
        }
    }

    fn is_known(&self, candidate: &Candidate<'_>) -> bool {
        self.known
            .find(&candidate.contents, candidate.marks)
            .is_some()
    }

    /// The next state to judge. What the budget has no room for may still be
    /// known.
    fn next(&mut self, began: Instant) -> Next<'r> {
        loop {
            let (spent, grows) = (self.is_spent(began), self.grows());
            let directed = self.stream.as_mut().is_some_and(|s| s.is_directed());
            if self.stream_ended || (grows && !directed && (self.leaf_next || spent)) {
                self.leaf_next = false;
                let Some(candidate) = self.forest.next() else {
                    return Next::End(End::Exhausted);
                };
                if !spent || self.is_known(&candidate) {
                    return Next::Candidate(candidate);
                }
                if let Place::Leaf { node, .. } = candidate.place {
                    self.forest.put_back(node);
                }
                return Next::End(End::Budget);
            }
            self.leaf_next = true;
            let Some(stream) = &mut self.stream else {
                continue;
            };
            let ended = stream.look(1).next().is_none();
            if spent && !ended && (directed || !grows) {
                return Next::End(End::Budget);
            }
            let Some(candidate) = stream.next() else {
                self.stream_ended = true;
                if grows {
                    continue;
                }
                return Next::End(End::Exhausted);
            };
            // Between leaves, only what is run counts.
            self.counts = directed || !grows;
            self.streamed += u64::from(self.counts);
            if let (Some(shard), Place::Stream(at)) = (self.plan.shard, &candidate.place) {
                if !shard.has(*at) {
                    continue;
                }
            }
            return Next::Candidate(candidate);
        }
    }

    fn judge(&mut self, candidate: &Candidate<'r>, desk: &mut Desk<'_>) -> Result<()> {
        let found = self.known.find(&candidate.contents, candidate.marks);
        let run = match found {
            Some(run) => run,
            None => self.run(candidate, desk)?,
        };
        let judgement = self.known.run(run).clone();
        let seen_before = match &candidate.place {
            Place::Stream(_) => {
                self.outcome.same_reads += u64::from(found.is_some());
                self.grown += u64::from(found.is_none() && !self.counts);
                false
            }
            Place::Leaf { node, .. } => {
                self.grown += u64::from(found.is_none());
                self.forest.settle(node, &judgement.reads, found.is_none());
                let given = self.stream.as_ref().is_some_and(|s| s.has_given(candidate));
                given || self.reported.contains(&(candidate.image, candidate.marks))
            }
        };
        if found.is_none() && judgement.verdict == Verdict::Skipped {
            self.outcome.skipped += 1;
        }
        if let (Verdict::Violation(finding), false) = (judgement.verdict, seen_before) {
            self.reported.insert((candidate.image, candidate.marks));
            let choices = &candidate.state.choices;
            let violation = Violation {
                id: StateId::of(choices, &candidate.state.keep),
                keep: candidate.state.keep.clone(),
                finding,
                again: None,
                image: candidate.image,
                rank: match candidate.place {
                    Place::Stream(at) => [0, at, 0],
                    Place::Leaf { cut, leaf, .. } => [1, cut, leaf],
                },
            };
            self.watch.violation(choices, &violation);
            self.outcome.violations.push(violation);
        }
        Ok(())
    }

    /// Has a state examined, now and then twice.
    fn run(&mut self, candidate: &Candidate<'r>, desk: &mut Desk<'_>) -> Result<usize> {
        let seen = self.examine(candidate, 0, desk)?;
        let reads = self.reads(&seen);
        if let Some(recoveries) = &seen.recoveries {
            self.outcome.recoveries.add(recoveries);
        }
        let nr = self.outcome.checked;
        self.outcome.checked += 1;
        self.watch.examined(candidate.state.choices.event());
        if nr % REPEAT == 0 {
            let again = self.examine(candidate, 1, desk)?;
            self.outcome.repeats.repeated += 1;
            let reads_again = self.reads(&again);
            if again.verdict.is_other(&seen.verdict) {
                self.outcome.repeats.verdicts += 1;
                self.outcome.repeats.example = Some(id(candidate));
            } else if reads != reads_again {
                self.differs(candidate);
            }
        }
        if let Place::Leaf {
            branch: Some(branch),
            ..
        } = &candidate.place
        {
            if reads.binary_search(branch).is_err() {
                self.differs(candidate);
            }
        }
        let judgement = Judgement {
            verdict: seen.verdict,
            reads,
        };
        Ok(self
            .known
            .add(&candidate.contents, candidate.marks, judgement))
    }

    fn differs(&mut self, candidate: &Candidate<'_>) {
        self.outcome.repeats.reads += 1;
        let example = &mut self.outcome.repeats.example;
        example.get_or_insert_with(|| id(candidate));
    }

    fn reads(&mut self, seen: &Seen) -> std::rc::Rc<[u32]> {
        match &seen.reads {
            Some(reads) => reads.places(self.space.recording()).into(),
            None => {
                self.outcome.reads_known = false;
                std::rc::Rc::clone(&self.everything)
            }
        }
    }

    fn examine(
        &mut self,
        candidate: &Candidate<'r>,
        time: u32,
        desk: &mut Desk<'_>,
    ) -> Result<Seen> {
        let (shard, grows) = (self.plan.shard, self.grows());
        let (stream, forest, known) = (&mut self.stream, &mut self.forest, &self.known);
        desk.examine(candidate.key(time), &candidate.state, |wanted| {
            let mut ahead = Vec::new();
            let mut directed = false;
            if let Some(stream) = stream {
                directed = stream.is_directed();
                let wanted = if grows && !directed {
                    wanted / 2
                } else {
                    wanted
                };
                let stride = shard.map_or(1, |s| s.of as usize);
                let mine = |c: &&Candidate<'_>| match (shard, &c.place) {
                    (Some(shard), Place::Stream(at)) => shard.has(*at),
                    _ => true,
                };
                let next = stream.look(wanted * stride).filter(mine);
                let unknown = next.filter(|c| known.find(&c.contents, c.marks).is_none());
                ahead.extend(unknown.map(|c| (c.key(0), c.state.clone())));
            }
            if grows && !directed {
                let leaves = forest.ahead(wanted, known).into_iter();
                let leaves: Vec<_> = leaves.map(|c| (c.key(0), c.state)).collect();
                ahead = interleave(leaves, ahead);
            }
            ahead
        })
    }

    /// The outcome, for a reason to end.
    pub fn finish(mut self, end: End, elapsed: Duration) -> Outcome {
        if let Some(stream) = &self.stream {
            self.outcome.same_image = stream.same_image;
        }
        let remaining = self.forest.remaining(&self.known);
        let mut outcome = self.outcome;
        let sure = outcome.repeats.verdicts == 0;
        outcome.all = sure
            && match self.plan.shard {
                // The other shards look at the other cuts.
                None => remaining == Some(BigUint::ZERO),
                Some(_) if self.plan.strategy == Strategy::Random => {
                    end == End::Exhausted && !self.space.is_partial()
                }
                Some(_) => {
                    end == End::Exhausted
                        && matches!(self.plan.strategy, Strategy::Exhaustive | Strategy::Auto)
                        && remaining == Some(BigUint::ZERO)
                }
            };
        outcome.covered = self.forest.covered.clone();
        outcome.remaining = &outcome.legal - &outcome.covered.states;
        outcome.end = end;
        outcome.elapsed = elapsed;
        outcome
    }
}

fn id(candidate: &Candidate<'_>) -> StateId {
    StateId::of(&candidate.state.choices, &candidate.state.keep)
}

/// One of each in turn.
fn interleave<T>(a: Vec<T>, b: Vec<T>) -> Vec<T> {
    let mut b = b.into_iter();
    let mut both = Vec::new();
    for item in a {
        both.push(item);
        both.extend(b.next());
    }
    both.extend(b);
    both
}
