// SPDX-License-Identifier: GPL-2.0

//! One flaw in a long record is found by a small budget, and nothing is where none is.

use super::testing::{bad, plan, Fake, Quiet};
use super::*;
use crate::budget::Budget;
use crate::made_up::promises::Promises;
use crate::made_up::{promises, stream, Flaw, Kind, MadeUp};
use crate::marks::Marks;
use crate::oracle::Verdict;
use crate::reads::Reads;
use crate::recording::Recording;
use crate::stop::Never;
use crate::strategy::{State, Strategy};

#[test]
fn one_flaw_in_a_long_record_is_found_within_300_runs_and_its_control_is_clean() {
    let cases = [
        (Kind::Save, Some((Flaw::Rename, 1234))),
        (Kind::Save, None),
        (Kind::Wal, Some((Flaw::Checkpoint, 4))),
        (Kind::Wal, Some((Flaw::Acknowledgement, 1345))),
        (Kind::Wal, None),
    ];
    for (kind, flaw) in cases {
        let made_up = MadeUp {
            kind,
            entries: 12_000,
            flaw,
        };
        let recording = Recording::read(stream(made_up)).unwrap();
        let promises = Promises::new(&recording, promises(made_up));
        let space = Space::new(&recording, Marks::Any);
        let plan = Plan {
            budget: Budget::States(300),
            ..plan(Strategy::Auto)
        };
        let mut fake = Fake::new(1, |state: &State<'_>| {
            let (is_kept, ranges) = promises.look(&state.choices, &state.keep);
            let verdict = if is_kept {
                Verdict::Consistent
            } else {
                bad("a promise is broken")
            };
            Seen::new(verdict, Some(Reads::from_ranges(ranges)))
        });
        let mut journal = Journal::none();
        let mut runner = JournaledRunner::new(&mut fake, &mut journal);
        let outcome = explore(&space, &plan, &mut runner, &Never, &mut Quiet).0;
        let is_found = !outcome.violations.is_empty();
        assert_eq!(is_found, flaw.is_some(), "{flaw:?} of {kind:?}");
    }
}
