// SPDX-License-Identifier: GPL-2.0

use super::*;
use anyhow::Result;

use crate::budget::Budget;
use crate::marks::Marks;
use crate::oracle::{Finding, Kind, Oracle, Verdict};
use crate::recording::testing::History;
use crate::recording::Recording;
use crate::stop::Never;
use crate::strategy::State;
use crate::strategy::Strategy;

struct Quiet;

impl Watch for Quiet {
    fn progress(&mut self, _progress: Progress) {}
}

/// Says what a function of the kept pieces says; counts how often.
struct Fake<F> {
    judge: F,
    asked: u64,
}

impl<F: FnMut(&State<'_>) -> Verdict> Oracle for Fake<F> {
    fn examine(&mut self, state: &State<'_>) -> Result<Verdict> {
        self.asked += 1;
        Ok((self.judge)(state))
    }
}

fn bad() -> Verdict {
    Verdict::Violation(Finding::new(Kind::Check, "exit 1", ""))
}

fn plan(strategy: Strategy) -> Plan {
    Plan {
        strategy,
        budget: Budget::States(10_000),
        seed: 1,
        max_violations: None,
        shard: None,
        depth: 1,
        recovery_budget: Budget::Unlimited,
        marks: Marks::Any,
    }
}

fn run(recording: &Recording, plan: Plan, judge: impl FnMut(&State<'_>) -> Verdict) -> Outcome {
    let space = Space::new(recording, plan.marks);
    let mut oracle = Fake { judge, asked: 0 };
    let mut serial = Serial::new(&mut oracle);
    let mut journal = Journal::none();
    let mut runner = JournaledRunner::new(&mut serial, &mut journal);
    let outcome = explore(&space, &plan, &mut runner, &Never, &mut Quiet).0;
    assert_eq!(oracle.asked, outcome.checked + outcome.repeats.repeated);
    outcome
}

#[test]
fn a_small_log_is_covered_completely() {
    let log = History::new().write(0, "a").write(1, "b").done();
    let outcome = run(&log, plan(Strategy::Auto), |_| Verdict::Consistent);
    assert_eq!(outcome.legal, BigUint::from(4u8));
    assert_eq!((outcome.checked, outcome.all), (4, true));
    assert_eq!(outcome.end, End::Exhausted);
}

#[test]
fn zeroes_over_zeroes_are_no_choice() {
    let log = (0..500).fold(History::new(), |log, n| log.write(n % 250, ""));
    let outcome = run(&log.done(), plan(Strategy::Auto), |_| Verdict::Consistent);
    assert_eq!(outcome.legal, BigUint::from(3u8).pow(250));
    assert_eq!((outcome.checked, outcome.all), (1, true));
}

#[test]
fn equal_images_are_examined_again_when_more_is_acknowledged() {
    let log = History::new().write(0, "a").flush().mark("safe");
    let outcome = run(&log.done(), plan(Strategy::Auto), |_| Verdict::Consistent);
    // Lost and kept before the flush, kept after the mark.
    assert_eq!(outcome.checked, 3);
}

#[test]
fn a_budget_makes_a_sample() {
    let log = (0..30).fold(History::new(), |log, n| log.write(n, "x"));
    let mut plan = plan(Strategy::Auto);
    plan.budget = Budget::States(40);
    let outcome = run(&log.done(), plan, |_| Verdict::Consistent);
    assert_eq!((outcome.checked, outcome.all), (40, false));
    assert_eq!(outcome.end, End::Budget);
}

#[test]
fn a_budget_that_just_suffices_covers_all() {
    let log = History::new().write(0, "a").write(1, "b").done();
    let mut plan = plan(Strategy::Auto);
    plan.budget = Budget::States(4);
    let outcome = run(&log, plan, |_| Verdict::Consistent);
    assert!(outcome.all);
}

#[test]
fn violations_are_named_and_may_end_it() {
    // Block 1 without block 0: a commit without its data.
    let log = History::new().write(0, "data").write(1, "commit").done();
    let judge = |state: &State<'_>| {
        if state.keep.contains(1) && !state.keep.contains(0) {
            bad()
        } else {
            Verdict::Skipped
        }
    };
    let outcome = run(&log, plan(Strategy::Auto), judge);
    assert_eq!((outcome.violations.len(), outcome.skipped), (1, 3));
    assert_eq!(outcome.of(Kind::Check), 1);
    let id = &outcome.violations[0].id;
    assert!(id.to_string().ends_with(":k=4:keep=1"), "{id}");
    let mut first = plan(Strategy::Auto);
    first.max_violations = Some(1);
    assert_eq!(run(&log, first, judge).end, End::EnoughFound);
}

#[test]
fn a_strategy_that_leaves_states_out_never_claims_all() {
    let log = History::new().write(0, "a").write(1, "b").done();
    let outcome = run(&log, plan(Strategy::Ends), |_| Verdict::Consistent);
    assert_eq!((outcome.end, outcome.all), (End::Exhausted, false));
}
