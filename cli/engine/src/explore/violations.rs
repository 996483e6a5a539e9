// SPDX-License-Identifier: GPL-2.0

//! Violations on trial: that they are run once more, never lost, and found where they show.

use std::cell::Cell;
use std::rc::Rc;

use anyhow::{anyhow, Result};

use super::accounts::go;
use super::testing::{bad, plan, Fake};
use super::*;
use crate::choices::Choices;
use crate::marks::Marks;
use crate::oracle::{Oracle, Verdict};
use crate::recording::testing::History;
use crate::recording::Recording;
use crate::stop::Never;
use crate::strategy::{State, Strategy};

/// A check that says what it is told to, time after time.
struct Told(Vec<Verdict>);

impl Oracle for Told {
    fn examine(&mut self, _: &State<'_>) -> Result<Verdict> {
        if self.0.is_empty() {
            return Err(anyhow!("the disk is gone"));
        }
        Ok(self.0.remove(0))
    }
}

fn told(verdicts: Vec<Verdict>, journal: &mut Journal) -> Outcome {
    let recording = History::new().mark("m").write(0, "").done();
    let plan = Plan {
        marks: Marks::Monotone,
        ..plan(Strategy::Exhaustive)
    };
    let mut oracle = Told(verdicts);
    let mut serial = Serial::new(&mut oracle);
    go(&recording, &plan, &mut serial, journal).0
}

#[test]
fn a_violation_is_run_once_more_and_never_lost() {
    let skip = || Verdict::Skipped;
    let good = || Verdict::Consistent;
    for (first, second, again, others) in [
        (bad("exit 1"), bad("exit 1"), Some(Again::Failed), 0),
        (
            bad("exit 1"),
            bad("exit 2"),
            Some(Again::FailedOtherwise),
            1,
        ),
        (bad("exit 1"), good(), Some(Again::Passed), 1),
        (bad("exit 1"), skip(), Some(Again::Skipped), 1),
        (good(), bad("exit 1"), Some(Again::Passed), 1),
        (skip(), bad("exit 1"), Some(Again::Skipped), 1),
    ] {
        let outcome = told(vec![first, second], &mut Journal::none());
        assert_eq!(outcome.end, End::Exhausted);
        let [violation] = &outcome.violations[..] else {
            panic!("{outcome:#?}");
        };
        assert_eq!(violation.again, again);
        assert_eq!(outcome.repeats.verdicts, others);
        assert_eq!(outcome.all, others == 0);
    }
    // An error on the way to the second run takes nothing from the first.
    let outcome = told(vec![bad("exit 1")], &mut Journal::none());
    assert_eq!((outcome.end, outcome.violations.len()), (End::Failed, 1));
    assert_eq!((outcome.violations[0].again, outcome.all), (None, false));
}

/// Counts the violations that it is told of.
struct Counting(Rc<Cell<usize>>);

impl Watch for Counting {
    fn progress(&mut self, _: Progress) {}

    fn violation(&mut self, _: &Choices<'_>, _: &Violation) {
        self.0.set(self.0.get() + 1);
    }
}

/// Always finds a violation, and notes how many were told of by then.
struct Asking {
    told: Rc<Cell<usize>>,
    by_then: Vec<usize>,
}

impl Oracle for Asking {
    fn examine(&mut self, _: &State<'_>) -> Result<Verdict> {
        self.by_then.push(self.told.get());
        Ok(bad("exit 1"))
    }
}

/// The second examination may be the last thing that a process does.
#[test]
fn a_violation_is_told_before_its_state_is_examined_again() {
    let told = Rc::new(Cell::new(0));
    let mut oracle = Asking {
        told: Rc::clone(&told),
        by_then: Vec::new(),
    };
    let recording = History::new().mark("m").write(0, "").done();
    let plan = Plan {
        marks: Marks::Monotone,
        ..plan(Strategy::Exhaustive)
    };
    let space = Space::new(&recording, plan.marks);
    let (mut serial, mut journal) = (Serial::new(&mut oracle), Journal::none());
    let mut runner = JournaledRunner::new(&mut serial, &mut journal);
    let (outcome, _) = explore(&space, &plan, &mut runner, &Never, &mut Counting(told));
    assert_eq!(oracle.by_then, [0, 1]);
    assert_eq!(outcome.violations[0].again, Some(Again::Failed));
}

#[test]
fn the_first_violation_of_each_sort_is_run_once_more() {
    let log = (0..3)
        .fold(History::new(), |log, n| log.write(n, "x"))
        .done();
    let plan = plan(Strategy::Exhaustive);
    let by_block = |state: &State<'_>| {
        let kept = state.keep.iter().next();
        let words = ["none at 17", "none at 4", "some"];
        let mut verdict = bad("exit 1");
        if let Verdict::Violation(finding) = &mut verdict {
            finding.output = words[kept.map_or(0, |piece| 1 + piece % 2)].into();
        }
        Seen::new(verdict, None)
    };
    let mut fake = Fake::new(1, by_block);
    let (outcome, _) = go(&log, &plan, &mut fake, &mut Journal::none());
    let again = outcome.violations.iter().filter(|v| v.again.is_some());
    assert_eq!((again.count(), outcome.violations.len()), (2, 8));
    assert_eq!(outcome.repeats.repeated, 2);
}

/// Where nothing can be noted, what was seen counts all the same.
#[test]
fn a_full_disk_loses_no_violation() {
    for verdicts in [vec![bad("exit 1")], vec![bad("exit 1"), bad("exit 1")]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let mut journal = Journal::on(full.unwrap());
        let outcome = told(verdicts, &mut journal);
        assert_eq!((outcome.end, outcome.violations.len()), (End::Failed, 1));
    }
}

/// "put k" and "del k" are acknowledged, and nothing is flushed between: that k was lost shows
/// only between the two.
#[test]
fn a_loss_that_shows_only_between_two_marks_is_found() {
    let put = History::new().write(0, "k");
    let lost = put.clone().mark("put k").write(0, "-").mark("del k").done();
    let safe = put.flush().mark("put k").write(0, "-").mark("del k").done();
    let base = |recording: &Recording| {
        let space = Space::new(recording, Marks::Any);
        let first = space.choices(0).unwrap();
        first.image(&first.none())
    };
    let check = |state: &State<'_>| {
        let recording = state.choices.recording();
        let marks = recording.marks_by(state.choices.event()).len();
        let is_there = state.choices.image(&state.keep) != base(recording);
        Seen::new(
            if marks == 1 && !is_there {
                bad("exit 1")
            } else {
                Verdict::Consistent
            },
            None,
        )
    };
    for strategy in [Strategy::Auto, Strategy::Ends, Strategy::Exhaustive] {
        for (recording, marks, found) in [
            (&lost, Marks::Any, 1),
            (&lost, Marks::Monotone, 0),
            (&safe, Marks::Any, 0),
        ] {
            let plan = Plan {
                marks,
                ..plan(strategy)
            };
            let mut fake = Fake::new(1, check);
            let (outcome, _) = go(recording, &plan, &mut fake, &mut Journal::none());
            assert_eq!(outcome.violations.len(), found, "{strategy} {marks}");
        }
    }
}
