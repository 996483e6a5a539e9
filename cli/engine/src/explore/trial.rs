// SPDX-License-Identifier: GPL-2.0

//! Soundness on trial: made-up checks that read what they read because of what
//! they have read, against brute force over all states.

use std::cell::RefCell;
use std::collections::HashSet;

use super::candidate::Candidate;
use super::examinations::Examinations;
use super::explorer::Explorer;
use super::rank::Rank;
use super::testing::{bad, every_state, gist, plan, some_history, Check, Fake, Quiet};
use super::*;
use crate::budget::Budget;
use crate::marks::Marks;
use crate::oracle::Verdict;
use crate::reads::Reads;
use crate::recording::testing::History;
use crate::recording::Recording;
use crate::stop::Never;
use crate::strategy::{State, Strategy};

fn go(recording: &Recording, plan: &Plan, runner: &mut dyn Runner) -> Outcome {
    go_on(recording, plan, runner, &mut Journal::none())
}

fn go_on(
    recording: &Recording,
    plan: &Plan,
    runner: &mut dyn Runner,
    journal: &mut Journal,
) -> Outcome {
    let space = Space::new(recording, plan.marks);
    let mut runner = JournaledRunner::new(runner, journal);
    explore(&space, plan, &mut runner, &Never, &mut Quiet).0
}

/// What exhaustive says of histories, against brute force: runs, images, and failing states.
fn exhaustive_against_brute_force(histories: impl Iterator<Item = (u64, History)>) -> [u64; 3] {
    let mut saved = [0u64; 3];
    for (seed, history) in histories {
        let recording = history.done();
        let check = Check::of(seed);
        let space = Space::new(&recording, Marks::Any);
        let plan = plan(Strategy::Exhaustive);
        let mut fake = Fake::new(1, |state: &State<'_>| check.examine(state));
        let (mut quiet, mut journal) = (Quiet, Journal::none());
        let mut explorer = Explorer::new(&space, &plan, &mut quiet);
        let mut runner = JournaledRunner::new(&mut fake, &mut journal);
        let (end, error) = explorer.work(&mut Examinations::new(&mut runner), &Never);
        assert!(error.is_none());
        assert_eq!(end, End::Exhausted);

        let (mut failing, mut skipped, mut images) = (0u64, 0u64, HashSet::new());
        every_state(&space, |state| {
            let marks = recording.marks_by(state.choices.event()).len();
            let image = state.choices.image(&state.keep);
            let candidate = Candidate::new(state.clone(), image, Rank::Stream { at: 0 });
            let run = explorer.cache.find(&candidate);
            let run = explorer.cache.run(run.expect("it is covered"));
            let verdict = check.examine(state).verdict;
            assert_eq!(run.verdict, verdict, "seed {seed}");
            skipped += u64::from(verdict == Verdict::Skipped);
            if matches!(verdict, Verdict::Violation(_)) {
                failing += 1;
            }
            images.insert((image, marks));
        });

        let outcome = explorer.finish(end);
        assert_eq!(outcome.all, skipped == 0, "seed {seed}");
        assert_eq!(outcome.violations.is_empty(), failing == 0);
        for violation in &outcome.violations {
            let (choices, keep) = violation.id.resolve(&recording).unwrap();
            let choices = std::rc::Rc::new(choices);
            let seen = check.examine(&State { choices, keep });
            assert!(matches!(seen.verdict, Verdict::Violation(_)));
        }
        assert!(outcome.checked <= images.len() as u64);
        assert_eq!(outcome.repeats.verdicts + outcome.repeats.reads, 0);
        // Every legal state is accounted for, once.
        let covered = outcome.covered;
        assert_eq!(&covered.states + &outcome.skipped_states, outcome.legal);
        assert_eq!(outcome.remaining, BigUint::ZERO);
        let parts = covered.same_content + covered.unread + covered.shared + outcome.checked;
        assert_eq!(parts, outcome.legal, "seed {seed}");
        saved[0] += outcome.checked;
        saved[1] += images.len() as u64;
        saved[2] += failing;
    }
    saved
}

/// The trial is worth something: much was pruned, and much failed.
#[test]
fn exhaustive_knows_what_brute_force_finds() {
    let histories = (0..2500).map(|seed| (seed, History::random(seed)));
    let saved = exhaustive_against_brute_force(histories);
    assert!(saved[0] * 3 < saved[1] * 2, "{saved:?}");
    assert!(saved[2] > 1000, "{saved:?}");
}

#[test]
fn exhaustive_knows_what_brute_force_finds_among_prefixes() {
    let histories = (0..1500).map(|seed| (seed, History::random_prefixes(seed)));
    let saved = exhaustive_against_brute_force(histories);
    assert!(saved[0] * 3 < saved[1] * 2, "{saved:?}");
    assert!(saved[2] > 1000, "{saved:?}");
}

#[test]
fn a_write_that_is_read_has_a_leaf_for_each_of_its_lengths() {
    let words = ["x"; 60];
    let log = History::new().prefixes().write_run(0, &words).done();
    let all = |_: &State<'_>| Seen::new(Verdict::Consistent, None);
    let outcome = go(&log, &plan(Strategy::Exhaustive), &mut Fake::new(1, all));
    assert_eq!((outcome.checked, outcome.all), (61, true));
    // One unit alone tells two sorts of states apart.
    let one = |_: &State<'_>| {
        Seen::new(
            Verdict::Consistent,
            Some(Reads::from_ranges(vec![(8 * 40, 8)])),
        )
    };
    let outcome = go(&log, &plan(Strategy::Exhaustive), &mut Fake::new(1, one));
    assert_eq!((outcome.checked, outcome.all), (2, true));
    assert_eq!(outcome.covered.states, BigUint::from(61u8));
}

#[test]
fn how_many_run_at_a_time_makes_no_difference() {
    for seed in 0..300 {
        let recording = some_history(seed).done();
        let check = Check::of(seed);
        for strategy in [
            Strategy::Exhaustive,
            Strategy::Auto,
            Strategy::Random,
            Strategy::Pairs,
        ] {
            for budget in [Budget::Unlimited, Budget::States(9)] {
                let mut plan = plan(strategy);
                plan.budget = budget;
                let run = |slots| {
                    let mut fake = Fake::new(slots, |s: &State<'_>| check.examine(s));
                    gist(&go(&recording, &plan, &mut fake))
                };
                let alone = run(1);
                assert_eq!(alone, run(2), "seed {seed} {strategy}");
                assert_eq!(alone, run(7), "seed {seed} {strategy}");
            }
        }
    }
}

#[test]
fn what_was_interrupted_ends_as_if_it_had_not_been() {
    for seed in 0..60 {
        let recording = some_history(seed).done();
        let check = Check::of(seed);
        let plan = plan(Strategy::Auto);
        let mut whole = Fake::new(2, |s: &State<'_>| check.examine(s));
        let uninterrupted = gist(&go(&recording, &plan, &mut whole));
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::begin(dir.path(), &Header::default()).unwrap();
        let mut asked = 0;
        let end = loop {
            let mut fake = Fake::new(2, |s: &State<'_>| check.examine(s));
            fake.patience = 4;
            let outcome = go_on(&recording, &plan, &mut fake, &mut journal);
            asked += fake.asked;
            match outcome.end {
                End::Interrupted(_) => {
                    journal = Journal::resume(dir.path(), &Header::default()).unwrap()
                }
                _ => break outcome,
            }
        };
        assert_eq!(gist(&end), uninterrupted, "seed {seed}");
        // What was in flight is lost, no more: two at each of the interruptions.
        assert!(asked <= whole.asked + 6 * (whole.asked / 3 + 1));
    }
}

#[test]
fn shards_find_what_one_run_finds() {
    for seed in 0..300 {
        let recording = some_history(seed).done();
        let check = Check::of(seed);
        for (strategy, budget) in [
            (Strategy::Exhaustive, Budget::Unlimited),
            (Strategy::Random, Budget::Unlimited),
            (Strategy::Random, Budget::States(9)),
            (Strategy::Prefix, Budget::Unlimited),
            (Strategy::Prefix, Budget::States(7)),
            (Strategy::DropOne, Budget::Unlimited),
            (Strategy::DropOne, Budget::States(8)),
        ] {
            let found = |shard| {
                let mut plan = plan(strategy);
                plan.shard = shard;
                plan.budget = budget;
                let mut fake = Fake::new(1, |s: &State<'_>| check.examine(s));
                let outcome = go(&recording, &plan, &mut fake);
                let violations = outcome.violations.iter();
                let rows: Vec<_> = violations
                    .map(|v| (v.rank, v.image, v.id.to_string(), v.finding.how.clone()))
                    .collect();
                (rows, outcome.all)
            };
            let (one, all) = found(None);
            for of in 2..4 {
                let parts: Vec<_> = (1..=of).map(|nr| found(Some(Shard { nr, of }))).collect();
                // A shard speaks for its own cuts alone, whatever it knows of others.
                let is_all = parts.iter().all(|(_, all)| *all);
                assert_eq!(is_all, all && (is_all || strategy == Strategy::Exhaustive));
                let mut rows: Vec<_> = parts.into_iter().flat_map(|(rows, _)| rows).collect();
                rows.sort();
                let marks = |id: &str| {
                    let id: crate::id::StateId = id.parse().unwrap();
                    recording.marks_by(id.cut).len()
                };
                let mut images = HashSet::new();
                rows.retain(|(_, image, id, _)| images.insert((*image, marks(id))));
                assert_eq!(rows, one, "seed {seed} {strategy} {budget}");
            }
        }
    }
}

#[test]
fn a_check_that_changes_its_mind_is_found_out() {
    let log = (0..6)
        .fold(History::new(), |log, n| log.write(n, "x"))
        .done();
    let calls = RefCell::new(0u64);
    let fickle = |_: &State<'_>| {
        *calls.borrow_mut() += 1;
        let verdict = match *calls.borrow() % 2 {
            0 => Verdict::Consistent,
            _ => bad("exit 1"),
        };
        let reads = Some(Reads::from_ranges(vec![(0, 8 * 6)]));
        Seen::new(verdict, reads)
    };
    let outcome = go(&log, &plan(Strategy::Exhaustive), &mut Fake::new(1, fickle));
    assert!(outcome.repeats.verdicts > 0 && !outcome.all);
    assert!(outcome.repeats.example.is_some());
}

#[test]
fn a_check_that_reads_at_random_is_found_out() {
    let log = (0..6)
        .fold(History::new(), |log, n| log.write(n, "x"))
        .done();
    let calls = RefCell::new(0u64);
    let restless = |_: &State<'_>| {
        *calls.borrow_mut() += 1;
        Seen::new(
            Verdict::Consistent,
            Some(Reads::from_ranges(vec![(8 * (*calls.borrow() % 6), 8)])),
        )
    };
    let outcome = go(
        &log,
        &plan(Strategy::Exhaustive),
        &mut Fake::new(1, restless),
    );
    assert!(outcome.repeats.reads > 0);
    // Steadfast, it would have been one run for each content of one unit.
    let steady =
        |_: &State<'_>| Seen::new(Verdict::Consistent, Some(Reads::from_ranges(vec![(8, 8)])));
    let outcome = go(&log, &plan(Strategy::Exhaustive), &mut Fake::new(1, steady));
    assert_eq!((outcome.checked, outcome.repeats.reads), (2, 0));
    assert!(outcome.all);
}

#[test]
fn a_budget_leaves_the_rest_and_says_how_much() {
    let log = (0..40)
        .fold(History::new(), |log, n| log.write(n, "x"))
        .done();
    let mut plan = plan(Strategy::Exhaustive);
    plan.budget = Budget::States(5);
    // All is read: a run is a state.
    let all = |_: &State<'_>| Seen::new(Verdict::Consistent, None);
    let outcome = go(&log, &plan, &mut Fake::new(1, all));
    assert_eq!((outcome.checked, outcome.end), (5, End::Budget));
    assert!(!outcome.reads_known && !outcome.all);
    assert_eq!(outcome.covered.states, BigUint::from(5u8));
    let left = (BigUint::from(1u8) << 40u32) - 5u8;
    assert_eq!(outcome.remaining, left);
}
