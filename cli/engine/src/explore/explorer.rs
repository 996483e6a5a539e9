// SPDX-License-Identifier: GPL-2.0

//! Takes states as they come up, and judges each by a run or by what is known.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use num_bigint::BigUint;

use super::account::Account;
use super::cache::{Cache, Judgement};
use super::candidate::Candidate;
use super::examinations::Examinations;
use super::outcome::{Again, End, Outcome, Plan, Progress};
use super::scheduler::Scheduler;
use super::seen::Seen;
use super::watch::Watch;
use crate::budget::Budget;
use crate::oracle::{Finding, Verdict};
use crate::stop::{Interrupted, Stop};
use crate::strategy::Space;

/// Every so many runs one is repeated.
const REPEAT: u64 = 32;
/// More parts than this are not gone through just to count.
const COUNTED: usize = 20_000;

pub struct Explorer<'a, 's, 'r> {
    space: &'s Space<'r>,
    plan: &'a Plan,
    watch: &'a mut dyn Watch,
    scheduler: Scheduler<'s, 'r>,
    pub cache: Cache,
    account: Account,
    /// Units written to, by place: what a run of unknown reads may have read.
    everything: Rc<[u32]>,
    began: Instant,
    outputs: Outputs,
}

/// What checks printed: equal texts are one in memory.
#[derive(Default)]
struct Outputs(HashSet<Arc<str>>);

impl Outputs {
    fn share(&mut self, output: &mut Arc<str>) {
        match self.0.get(output) {
            Some(known) => *output = Arc::clone(known),
            None => drop(self.0.insert(Arc::clone(output))),
        }
    }
}

impl<'a, 's, 'r: 's> Explorer<'a, 's, 'r> {
    pub fn new(space: &'s Space<'r>, plan: &'a Plan, watch: &'a mut dyn Watch) -> Self {
        let began = Instant::now();
        let mut of_other_shards = BigUint::ZERO;
        if let Some(shard) = plan.shard {
            space.each_cut(|nr, _, states| {
                if !shard.has(nr) {
                    of_other_shards += states;
                }
            });
        }
        Self {
            space,
            plan,
            watch,
            scheduler: Scheduler::new(space, plan),
            cache: Cache::default(),
            account: Account::new(space.cuts().len(), space.legal().clone(), of_other_shards),
            everything: (0..space.recording().written().len() as u32).collect(),
            began,
            outputs: Outputs::default(),
        }
    }

    /// Goes on until there is a reason to end.
    pub fn work(
        &mut self,
        examinations: &mut Examinations<'_, '_, 'r>,
        stop: &dyn Stop,
    ) -> (End, Option<anyhow::Error>) {
        loop {
            if let Err(signal) = stop.check() {
                return (End::Interrupted(signal), None);
            }
            let (budget, began) = (self.plan.budget, self.began);
            let is_spent = |states| is_spent(budget, began, states);
            let candidate = match self.scheduler.next(is_spent, &self.cache) {
                Ok(candidate) => candidate,
                Err(end) => return (end, None),
            };
            if let Err(error) = self.judge(&candidate, examinations) {
                return match error.downcast_ref::<Interrupted>() {
                    Some(signal) => (End::Interrupted(*signal), None),
                    None => (End::Failed, Some(error)),
                };
            }
            self.watch.progress(Progress {
                checked: self.account.checked(),
                violations: self.account.nr_violations(),
                elapsed: self.began.elapsed(),
                fraction: self.scheduler.fraction(),
                spent: self.scheduler.spent(),
            });
            let found = self.account.nr_violations() as u64;
            if self.plan.max_violations.is_some_and(|max| found >= max) {
                return (End::EnoughFound, None);
            }
        }
    }

    /// How many states the budget has room for.
    fn room(&self) -> usize {
        match self.plan.budget {
            Budget::States(n) => {
                let room = n.saturating_sub(self.scheduler.spent());
                usize::try_from(room).unwrap_or(usize::MAX)
            }
            Budget::Time(_) | Budget::Unlimited => usize::MAX,
        }
    }

    /// An error may come after a verdict: that is kept.
    fn judge(
        &mut self,
        candidate: &Rc<Candidate<'r>>,
        examinations: &mut Examinations<'_, '_, 'r>,
    ) -> Result<()> {
        let known = self.cache.find(&**candidate);
        let (run, again, failed) = match known {
            Some(run) => (run, None, None),
            None => self.run(candidate, examinations)?,
        };
        let ran = known.is_none();
        let kind = self.space.kind_of(candidate.state.choices.event());
        self.account.looked_at(kind, ran);
        let judgement = self.cache.run(run).clone();
        let leaf = self.scheduler.settle(candidate, &judgement.reads, ran);
        match leaf {
            Some(size) => self.account.cover(&size, &judgement.verdict, ran),
            None if !ran => self.account.same_reads(),
            None => {}
        }
        if let Verdict::Violation(finding) = judgement.verdict {
            self.report(candidate, finding, again);
        }
        failed.map_or(Ok(()), Err)
    }

    fn report(&mut self, candidate: &Candidate<'_>, finding: Finding, again: Option<Again>) {
        if let Some(violation) = self.account.violation(candidate, finding, again) {
            self.watch.violation(&candidate.state.choices, violation);
        }
    }

    fn skipped(&mut self, candidate: &Candidate<'_>) {
        self.account.skipped();
        self.watch.skipped(candidate.state.choices.event());
    }

    /// Has a state examined, and examined again if there is a reason to: every so often, and if it is
    /// the first violation of its sort. What it showed, by its number in the cache; what a violation
    /// did the other time; and why it could not be examined again.
    fn run(
        &mut self,
        candidate: &Rc<Candidate<'r>>,
        examinations: &mut Examinations<'_, '_, 'r>,
    ) -> Result<(usize, Option<Again>, Option<anyhow::Error>)> {
        let seen = self.examine(candidate, 0, examinations)?;
        let mut repeat = self.account.checked() % REPEAT == 0;
        if let Verdict::Violation(finding) = &seen.verdict {
            repeat |= self.account.is_new_sort(finding);
            // At once: the second examination may be the last thing that this process does.
            self.report(candidate, finding.clone(), None);
        }
        let mut judgement = self.ran(candidate, &seen);
        let (mut again, mut failed) = (None, None);
        if repeat {
            match self.examine(candidate, 1, examinations) {
                Ok(second) => {
                    again = again_of(&seen.verdict, &second.verdict);
                    judgement = self.both(candidate, judgement, &second);
                }
                Err(error) => {
                    self.account.unrepeated();
                    failed = Some(error);
                }
            }
        }
        if judgement.verdict == Verdict::Skipped {
            self.skipped(candidate);
        }
        Ok((self.cache.add(&**candidate, judgement), again, failed))
    }

    /// What a first examination showed.
    fn ran(&mut self, candidate: &Candidate<'_>, seen: &Seen) -> Judgement {
        self.account.ran(seen);
        self.watch.examined(candidate.state.choices.event());
        let reads = self.reads(seen);
        let is_read = |place: u32| reads.binary_search(&place).is_ok();
        if !candidate.branch.is_none_or(is_read) {
            self.account.other_reads(candidate.id());
        }
        Judgement {
            verdict: seen.verdict.clone(),
            reads,
        }
    }

    /// What two examinations of a state show: the worse of the verdicts, by all that was read.
    fn both(&mut self, candidate: &Candidate<'_>, first: Judgement, second: &Seen) -> Judgement {
        self.account.repeated();
        if first.verdict.is_other(&second.verdict) {
            self.account.other_verdict(candidate.id());
        }
        let reads = self.reads(second);
        let reads = if reads == first.reads {
            reads
        } else {
            self.account.other_reads(candidate.id());
            let mut both: Vec<u32> = first.reads.iter().chain(&*reads).copied().collect();
            both.sort_unstable();
            both.dedup();
            both.into()
        };
        Judgement {
            verdict: first.verdict.or_worse(&second.verdict),
            reads,
        }
    }

    fn reads(&self, seen: &Seen) -> Rc<[u32]> {
        match &seen.reads {
            Some(reads) => reads.places(self.space.recording()).into(),
            None => Rc::clone(&self.everything),
        }
    }

    fn examine(
        &mut self,
        candidate: &Rc<Candidate<'r>>,
        time: u32,
        examinations: &mut Examinations<'_, '_, 'r>,
    ) -> Result<Seen> {
        let room = self.room();
        let (scheduler, cache) = (&mut self.scheduler, &self.cache);
        let mut seen = examinations.examine(candidate, time, |wanted| {
            scheduler.ahead(wanted.min(room), cache)
        })?;
        if let Verdict::Violation(finding) = &mut seen.verdict {
            self.outputs.share(&mut finding.output);
        }
        Ok(seen)
    }

    /// Takes in what was examined ahead and never asked for. An end that is a matter of time leaves
    /// it all to be reported; any other only what contradicts what is known, or else the report
    /// would depend on how many run at a time.
    pub fn take_in(&mut self, left_over: Vec<(Rc<Candidate<'r>>, Seen)>, end: End) {
        let by_time = match end {
            End::Interrupted(_) | End::Failed => true,
            End::Budget => matches!(self.plan.budget, Budget::Time(_)),
            End::Exhausted | End::EnoughFound => false,
        };
        for (candidate, seen) in left_over {
            let known = self.cache.find(&*candidate);
            let known = known.map(|run| self.cache.run(run).verdict.clone());
            match (known, seen.verdict.clone()) {
                (None, verdict) if by_time => {
                    let judgement = self.ran(&candidate, &seen);
                    self.cache.add(&*candidate, judgement);
                    match verdict {
                        Verdict::Violation(finding) => self.report(&candidate, finding, None),
                        Verdict::Skipped => self.skipped(&candidate),
                        Verdict::Consistent => {}
                    }
                }
                (Some(Verdict::Violation(_)), Verdict::Violation(finding)) if by_time => {
                    self.report(&candidate, finding, None);
                }
                (Some(known), Verdict::Violation(finding))
                    if !matches!(known, Verdict::Violation(_)) =>
                {
                    self.account.other_verdict(candidate.id());
                    self.report(&candidate, finding, None);
                }
                _ => {}
            }
        }
    }

    /// The outcome, for a reason to end.
    pub fn finish(mut self, end: End) -> Outcome {
        let worklist = &mut self.scheduler.worklist;
        let (recording, cache) = (self.space.recording(), &self.cache);
        worklist.leave_out_cuts(|cut| !cache.has_marks(recording.marks_by(cut).len()));
        for _ in 0..COUNTED {
            let Some(leaf) = worklist.next() else {
                break;
            };
            match self.cache.find(&leaf).map(|run| self.cache.run(run)) {
                Some(judgement) => {
                    let size = worklist.settle(&judgement.reads);
                    self.account.cover(&size, &judgement.verdict, false);
                }
                None => worklist.leave_out(),
            }
        }
        let complete = worklist.is_complete();
        let same_image = self.scheduler.same_image();
        let elapsed: Duration = self.began.elapsed();
        self.account.close(end, complete, same_image, elapsed)
    }
}

/// Whether a budget has room for no more than so many states.
fn is_spent(budget: Budget, began: Instant, states: u64) -> bool {
    match budget {
        Budget::States(n) => states >= n,
        Budget::Time(t) => began.elapsed() >= t,
        Budget::Unlimited => false,
    }
}

/// What a violation did the other time that its state was examined.
fn again_of(first: &Verdict, second: &Verdict) -> Option<Again> {
    let other = match (first, second) {
        (Verdict::Violation(_), other) => other,
        (other, Verdict::Violation(_)) => other,
        _ => return None,
    };
    Some(match other {
        Verdict::Consistent => Again::Passed,
        Verdict::Skipped => Again::Skipped,
        Verdict::Violation(_) if first.is_other(second) => Again::FailedOtherwise,
        Verdict::Violation(_) => Again::Failed,
    })
}
