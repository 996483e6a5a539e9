// SPDX-License-Identifier: GPL-2.0

//! Accounts on trial: at whatever end, they add up, and no violation that the oracle gave is
//! missing.

use std::collections::HashSet;

use anyhow::{anyhow, Result};
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::testing::{bad, every_state, gist, plan, some_history, Check, Quiet};
use super::*;
use crate::budget::Budget;
use crate::marks::Marks;
use crate::oracle::Verdict;
use crate::reads::Reads;
use crate::recording::testing::History;
use crate::recording::Recording;
use crate::stop::{Interrupted, Never};
use crate::strategy::{State, Strategy};

type Dice = ChaCha8Rng;

fn roll(dice: &mut Dice, n: u64) -> u64 {
    dice.next_u64() % n
}

/// A thing that ends an exploration before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    None,
    Signal,
    Error,
}

/// Answers by the state, some of several at a time, until there is trouble; in `fickle` mode
/// some answers come from nowhere.
struct Moody {
    check: Check,
    fickle: bool,
    slots: usize,
    dice: Dice,
    begun: Vec<(Key, Seen, (u128, usize))>,
    trouble: Trouble,
    /// Results until then.
    patience: u64,
    /// The violations that were given: images with their marks.
    given: HashSet<(u128, usize)>,
}

impl Moody {
    fn new(check: Check, slots: usize, seed: u64) -> Self {
        Self {
            check,
            fickle: false,
            slots,
            dice: Dice::seed_from_u64(seed),
            begun: Vec::new(),
            trouble: Trouble::None,
            patience: u64::MAX,
            given: HashSet::new(),
        }
    }
}

impl Runner for Moody {
    fn slots(&self) -> usize {
        self.slots
    }

    fn begin(&mut self, key: Key, state: &State<'_>) -> Result<()> {
        let mut seen = self.check.examine(state);
        if self.fickle && roll(&mut self.dice, 4) == 0 {
            seen.verdict = match roll(&mut self.dice, 3) {
                0 => Verdict::Consistent,
                1 => Verdict::Skipped,
                _ => bad("exit 3"),
            };
        }
        if self.fickle && roll(&mut self.dice, 6) == 0 {
            let first = roll(&mut self.dice, 64);
            seen.reads = Some(Reads::from_ranges(vec![(first, 8)]));
        }
        let marks = state.choices.recording().marks_by(state.choices.event());
        let identity = (state.choices.image(&state.keep), marks.len());
        self.begun.push((key, seen, identity));
        Ok(())
    }

    fn next(&mut self) -> Result<(Key, Seen)> {
        let at = roll(&mut self.dice, self.begun.len() as u64) as usize;
        let (key, seen, identity) = self.begun.swap_remove(at);
        self.patience = self.patience.saturating_sub(1);
        match self.trouble {
            Trouble::Signal if self.patience == 0 => return Err(Interrupted::Signal(2).into()),
            Trouble::Error if self.patience == 0 => {
                self.patience = u64::MAX;
                return Err(anyhow!("the mount is busy"));
            }
            _ => {}
        }
        if matches!(seen.verdict, Verdict::Violation(_)) {
            self.given.insert(identity);
        }
        Ok((key, seen))
    }
}

pub fn go(
    recording: &Recording,
    plan: &Plan,
    runner: &mut dyn Runner,
    journal: &mut Journal,
) -> (Outcome, bool) {
    let space = Space::new(recording, plan.marks);
    let mut runner = JournaledRunner::new(runner, journal);
    let (outcome, error) = explore(&space, plan, &mut runner, &Never, &mut Quiet);
    assert_eq!(error.is_some(), outcome.end == End::Failed);
    let failed = error.is_some();
    adds_up(&outcome, plan);
    (outcome, failed)
}

/// What has to hold at every end.
fn adds_up(outcome: &Outcome, plan: &Plan) {
    let sum = &outcome.covered.states + &outcome.skipped_states + &outcome.remaining;
    assert_eq!(sum, outcome.legal);
    assert!(outcome.remaining >= outcome.of_other_shards);
    assert!(plan.shard.is_some() || outcome.of_other_shards == BigUint::ZERO);
    if outcome.all {
        assert_eq!(outcome.remaining, outcome.of_other_shards);
        assert_eq!(
            (outcome.skipped, &outcome.skipped_states),
            (0, &BigUint::ZERO)
        );
        assert_eq!(outcome.repeats.verdicts + outcome.repeats.reads, 0);
    }
    let covered = &outcome.covered;
    let parts = &covered.same_content + &covered.unread + &covered.shared;
    assert!(parts <= &covered.states + &outcome.skipped_states);
}

fn identities(recording: &Recording, outcome: &Outcome) -> HashSet<(u128, usize)> {
    let marks = |violation: &Violation| recording.marks_by(violation.id.cut).len();
    let violations = outcome.violations.iter();
    violations.map(|v| (v.image, marks(v))).collect()
}

/// Some plan for a small record.
fn some_plan(dice: &mut Dice) -> Plan {
    let strategies = [
        Strategy::Exhaustive,
        Strategy::Auto,
        Strategy::Auto,
        Strategy::Random,
        Strategy::Ends,
        Strategy::Prefix,
        Strategy::DropOne,
    ];
    let mut plan = plan(strategies[roll(dice, strategies.len() as u64) as usize]);
    plan.seed = dice.next_u64();
    if roll(dice, 2) == 0 {
        plan.budget = Budget::States(roll(dice, 20));
    }
    plan.max_violations = (roll(dice, 5) == 0).then(|| 1 + roll(dice, 3));
    if roll(dice, 3) == 0 {
        let of = 1 + roll(dice, 3);
        let nr = 1 + roll(dice, of);
        plan.shard = Some(Shard { nr, of });
    }
    if roll(dice, 3) == 0 {
        plan.marks = Marks::Monotone;
    }
    plan
}

#[test]
fn whatever_ends_it_accounts_add_up_and_no_violation_is_missing() {
    let (mut ends, mut found, mut all) = (HashSet::new(), 0, 0);
    for seed in 0..4000 {
        let dice = &mut Dice::seed_from_u64(seed);
        let recording = some_history(seed).done();
        let plan = some_plan(dice);
        let mut moody = Moody::new(Check::of(seed), 1 + roll(dice, 4) as usize, seed);
        moody.fickle = roll(dice, 3) == 0;
        let troubles = [Trouble::None, Trouble::Signal, Trouble::Error];
        moody.trouble = troubles[roll(dice, 3) as usize];
        moody.patience = 1 + roll(dice, 12);
        let (outcome, _) = go(&recording, &plan, &mut moody, &mut Journal::none());
        let reported = identities(&recording, &outcome);
        // What came of looking ahead is left out where it would depend on how many do.
        let by_time = matches!(outcome.end, End::Interrupted(_) | End::Failed);
        if moody.slots == 1 || by_time {
            assert!(moody.given.is_subset(&reported), "seed {seed}, {plan:?}");
        }
        if outcome.all && !moody.fickle && plan.shard.is_none() {
            every_state(&Space::new(&recording, plan.marks), |state| {
                assert_ne!(moody.check.examine(state).verdict, Verdict::Skipped);
            });
            all += 1;
        }
        found += reported.len();
        ends.insert(format!("{:?}", outcome.end));
    }
    assert_eq!(ends.len(), 5, "{ends:?}");
    assert!(found > 1000 && all > 200, "{found} {all}");
}

#[test]
fn any_order_of_interrupts_and_resumes_ends_as_one_run() {
    let mut interrupted = 0;
    for seed in 0..800 {
        let dice = &mut Dice::seed_from_u64(seed);
        let recording = some_history(seed).done();
        let plan = some_plan(dice);
        let check = Check::of(seed);
        let mut whole = Moody::new(check, 1, seed);
        let (whole, _) = go(&recording, &plan, &mut whole, &mut Journal::none());
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::begin(dir.path(), &Header::default()).unwrap();
        loop {
            let slots = 1 + roll(dice, 4) as usize;
            let mut moody = Moody::new(check, slots, dice.next_u64());
            let troubles = [Trouble::Signal, Trouble::Error];
            moody.trouble = troubles[roll(dice, 2) as usize];
            moody.patience = 2 + roll(dice, 9);
            let (outcome, _) = go(&recording, &plan, &mut moody, &mut journal);
            if !matches!(outcome.end, End::Interrupted(_) | End::Failed) {
                assert_eq!(gist(&outcome), gist(&whole), "seed {seed}, {plan:?}");
                break;
            }
            interrupted += 1;
            journal = Journal::resume(dir.path(), &Header::default()).unwrap();
        }
    }
    assert!(interrupted > 300, "{interrupted}");
}

#[test]
fn merged_shards_are_the_whole() {
    for seed in 0..300 {
        let recording = some_history(seed).done();
        let check = Check::of(seed);
        let one = |shard| {
            let plan = Plan {
                shard,
                ..plan(Strategy::Exhaustive)
            };
            let mut moody = Moody::new(check, 1, seed);
            go(&recording, &plan, &mut moody, &mut Journal::none()).0
        };
        let whole = one(None);
        for of in 1..4 {
            let shards: Vec<_> = (1..=of).map(|nr| one(Some(Shard { nr, of }))).collect();
            let sum = |of: fn(&Outcome) -> BigUint| shards.iter().map(of).sum::<BigUint>();
            assert_eq!(sum(|o| o.covered.states.clone()), whole.covered.states);
            assert_eq!(sum(|o| o.skipped_states.clone()), whole.skipped_states);
            assert_eq!(sum(|o| &o.remaining - &o.of_other_shards), whole.remaining);
            assert_eq!(shards.iter().all(|o| o.all), whole.all);
            let ids = |o: &Outcome| identities(&recording, o);
            let merged: HashSet<_> = shards.iter().flat_map(ids).collect();
            assert_eq!(merged, identities(&recording, &whole), "seed {seed}");
        }
    }
}

#[test]
fn a_run_that_is_interrupted_in_its_first_part_covers_nothing() {
    let recording = History::new().write(0, "a").done();
    for trouble in [Trouble::Signal, Trouble::Error] {
        let mut moody = Moody::new(Check::of(1), 1, 0);
        (moody.trouble, moody.patience) = (trouble, 1);
        let plan = plan(Strategy::Exhaustive);
        let (outcome, _) = go(&recording, &plan, &mut moody, &mut Journal::none());
        assert_eq!((outcome.checked, outcome.all), (0, false));
        assert_eq!(outcome.remaining, BigUint::from(2u8));
    }
}
