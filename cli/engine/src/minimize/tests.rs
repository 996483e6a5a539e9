// SPDX-License-Identifier: GPL-2.0

//! Violations with a known culprit.

use std::collections::BTreeMap;

use anyhow::Result;
use powercut_model::Cut;

use super::{minimize, Found, Later, Trial, Trials};
use crate::choices::{Choices, Fate};
use crate::failure::Failure;
use crate::keep::Keep;
use crate::oracle::{Finding, Kind, Verdict};
use crate::recording::testing::History;
use crate::recording::Recording;

fn finding() -> Finding {
    Finding::new(Kind::Check, "exit 1", "the thing is gone")
}

/// The newest write kept of each unit, and the stable ones by their submit.
type Disk = BTreeMap<u64, u64>;

/// A check in a closure: is this consistent, held to so many marks?
struct Checked<F>(F);

impl<F: Fn(&Disk, usize) -> bool> Trial for Checked<F> {
    fn examine(&mut self, choices: &Choices<'_>, keep: &Keep, marks: usize) -> Result<Verdict> {
        assert_eq!(&choices.legal(keep), keep);
        Ok(if (self.0)(&disk(choices, keep), marks) {
            Verdict::Consistent
        } else {
            Verdict::Violation(finding())
        })
    }
}

fn disk(choices: &Choices<'_>, keep: &Keep) -> Disk {
    let mut disk = Disk::new();
    for recorded in choices.recording().entries() {
        if choices.cut().is_stable(&recorded.entry()) {
            disk.insert(recorded.sector() / 8, recorded.submit());
        }
    }
    choices.fates(keep, |index, fate| {
        let piece = choices.pieces()[index];
        let write = choices.recording().entries()[piece.entry].submit();
        if fate == Fate::Kept {
            disk.insert(piece.unit, write);
        }
    });
    disk
}

/// The culprit of the state at the last event that keeps what `keep` says.
fn culprit(
    recording: &Recording,
    at: u64,
    keep: impl Fn(usize) -> bool,
    check: impl Fn(&Disk, usize) -> bool,
) -> (Option<Found>, u64) {
    let choices = Choices::new(recording, Cut::new(recording, at).unwrap());
    let keep = Keep::that(choices.len(), keep);
    let mut trial = Checked(check);
    let mut trials = Trials::new(&mut trial, Failure::from(&finding()), 400);
    let found = minimize(&mut trials, &choices, &keep).unwrap();
    (found, trials.runs)
}

fn set(keep: &Keep) -> Vec<usize> {
    keep.iter().collect()
}

/// Twenty writes to as many blocks, then nothing.
fn twenty() -> Recording {
    let log = (0..20).fold(History::new(), |log, n| log.write(n, "x"));
    log.done()
}

#[test]
fn a_write_that_must_be_stable_before_another() {
    let recording = twenty();
    // Block 12 refers to block 7.
    let check = |disk: &Disk, _| !disk.contains_key(&12) || disk.contains_key(&7);
    let (found, runs) = culprit(&recording, 40, |i| i % 3 == 0, check);
    let found = found.unwrap();
    assert_eq!((set(&found.lost), set(&found.kept)), (vec![7], vec![12]));
    assert_eq!(set(&found.fails), [12]);
    assert_eq!(set(&found.passes.unwrap()), [7, 12]);
    assert!(found.minimal && !found.all_fail);
    assert_eq!(found.later, Later::NotAsked);
    assert_eq!(found.broken, None);
    assert!(runs < 60, "{runs} runs");
}

#[test]
fn the_unit_at_which_a_prefix_ends() {
    let log = History::new().prefixes().write(20, "x");
    let log = log.write_run(0, &["y"; 10]).write(30, "z").done();
    // Unit 6 belongs to unit 3, which the same write has.
    let check = |disk: &Disk, _| !disk.contains_key(&3) || disk.contains_key(&6);
    let (found, runs) = culprit(&log, 6, |i| i <= 5, check);
    let found = found.unwrap();
    // Pieces: 0 x, 1-10 y, 11 z.
    assert_eq!((set(&found.lost), set(&found.kept)), (vec![7], vec![]));
    assert_eq!(set(&found.fails), [1, 2, 3, 4, 5, 6]);
    assert_eq!(set(&found.passes.unwrap()), [1, 2, 3, 4, 5, 6, 7]);
    assert!(found.minimal && !found.all_fail);
    assert!(runs < 40, "{runs} runs");

    // Another write that has to be there.
    let check = |disk: &Disk, _| !disk.contains_key(&30) || disk.contains_key(&6);
    let (found, _) = culprit(&log, 6, |i| i < 5 || i == 11, check);
    let found = found.unwrap();
    assert_eq!((set(&found.lost), set(&found.kept)), (vec![7], vec![11]));
    assert!(found.minimal);
}

/// Fails where a unit is lost because of a write beside it.
struct Beside(u64);

impl Trial for Beside {
    fn examine(&mut self, choices: &Choices<'_>, keep: &Keep, _: usize) -> Result<Verdict> {
        let shown = choices.shown(keep);
        let is_lost = choices
            .losses()
            .any(|(nr, piece)| piece.unit == self.0 && shown.contains(nr));
        Ok(if is_lost {
            Verdict::Violation(finding())
        } else {
            Verdict::Consistent
        })
    }
}

#[test]
fn a_write_that_costs_what_is_beside_it() {
    // Unit 3 is stable; 2 and 5 are written, of the same physical block, and 20 of another.
    let log = History::new().rmw().write(3, "a").flush();
    let log = log.write(2, "b").write(5, "c").write(20, "d").done();
    let choices = Choices::new(&log, Cut::new(&log, 10).unwrap());
    let every = Keep::all(choices.len());
    let mut trial = Beside(3);
    let mut trials = Trials::new(&mut trial, Failure::from(&finding()), 400);
    let found = minimize(&mut trials, &choices, &every).unwrap().unwrap();
    let cost: Vec<_> = found
        .kept
        .iter()
        .map(|piece| choices.pieces()[piece])
        .collect();
    // By the newest of the writes that may.
    let expected = powercut_model::Piece { entry: 3, unit: 3 };
    assert_eq!((set(&found.lost), cost), (vec![], vec![expected]));
    assert!(found.minimal && !found.all_fail);
    assert_eq!(found.later, Later::NotAsked);
    // Beside what the passing state has: all, and nothing lost.
    assert_eq!(
        (found.fails.count(), found.passes.unwrap()),
        (4, choices.all())
    );
}

#[test]
fn a_state_that_passes_has_no_culprit() {
    let (found, runs) = culprit(&twenty(), 40, |_| true, |_, _| true);
    assert_eq!((found, runs), (None, 1));
}

/// Fails once, and never again.
struct Once(bool);

impl Trial for Once {
    fn examine(&mut self, _: &Choices<'_>, _: &Keep, _: usize) -> Result<Verdict> {
        if std::mem::take(&mut self.0) {
            return Ok(Verdict::Violation(finding()));
        }
        Ok(Verdict::Consistent)
    }
}

#[test]
fn a_state_that_failed_once_and_passes_now_has_no_culprit() {
    let recording = twenty();
    let choices = Choices::new(&recording, Cut::new(&recording, 40).unwrap());
    let mut trial = Once(true);
    let keep = choices.none();
    let explored = trial.examine(&choices, &keep, 0).unwrap();
    assert_eq!(explored, Verdict::Violation(finding()));
    let mut trials = Trials::new(&mut trial, Failure::from(&finding()), 400);
    assert_eq!(minimize(&mut trials, &choices, &keep).unwrap(), None);
    assert_eq!(trials.runs, 1);
}

#[test]
fn a_write_that_must_be_stable_before_its_mark() {
    let recording = History::new()
        .write(0, "a")
        .mark("zero")
        .write(1, "b")
        .mark("one")
        .write(2, "c")
        .mark("two")
        .done();
    // Mark N promises block N; only block 1 is lost.
    let check = |disk: &Disk, marks| (0..marks as u64).all(|n| disk.contains_key(&n));
    let (found, _) = culprit(&recording, 9, |i| i != 1, check);
    let found = found.unwrap();
    assert_eq!(found.broken, Some(1), "mark one");
    assert_eq!((set(&found.lost), set(&found.kept)), (vec![1], vec![]));
    assert_eq!(set(&found.passes.unwrap()), [0, 1, 2]);
    assert!(found.minimal);
}

#[test]
fn two_that_only_fail_together() {
    let recording = twenty();
    let check = |disk: &Disk, _| disk.contains_key(&3) || disk.contains_key(&4);
    let (found, _) = culprit(&recording, 40, |_| false, check);
    let found = found.unwrap();
    assert_eq!(set(&found.lost), [3, 4]);
    assert!(found.kept.is_empty() && found.minimal);
}

#[test]
fn what_came_too_early_is_mended_by_what_came_later() {
    // The name is on the disk, its data is written only afterwards.
    let recording = History::new()
        .write(5, "name")
        .flush()
        .write(1, "other")
        .write(9, "data")
        .done();
    let check = |disk: &Disk, _| !disk.contains_key(&5) || disk.contains_key(&9);
    let (found, _) = culprit(&recording, 2, |_| true, check);
    let found = found.unwrap();
    assert!(found.lost.is_empty());
    assert_eq!(set(&found.kept), [0]);
    assert_eq!(found.later, Later::MendedBy(7), "the data's submit");
}

#[test]
fn a_promise_that_nothing_pending_keeps() {
    let recording = History::new()
        .mark("saved")
        .write(1, "other")
        .write(2, "other")
        .write(9, "data")
        .done();
    let check = |disk: &Disk, marks| marks == 0 || disk.contains_key(&9);
    let (found, _) = culprit(&recording, 5, |_| true, check);
    let found = found.unwrap();
    assert!(found.all_fail && found.passes.is_none());
    assert_eq!((found.tried, found.broken), (4, Some(0)));
    assert_eq!(found.later, Later::MendedBy(6));
    // And if it is never written.
    let (found, _) = culprit(&recording, 5, |_| true, |_, marks| marks == 0);
    assert_eq!(found.unwrap().later, Later::NotFound);
}

#[test]
fn an_older_version_is_the_newer_one_lost() {
    let recording = History::new()
        .write(1, "old")
        .write(1, "new")
        .write(2, "refers to new")
        .done();
    let check = |disk: &Disk, _| !disk.contains_key(&2) || disk.get(&1) == Some(&3);
    let (found, _) = culprit(&recording, 6, |i| i != 1, check);
    let found = found.unwrap();
    assert_eq!((set(&found.lost), set(&found.kept)), (vec![1], vec![2]));
}

#[test]
fn a_torn_write_is_named_by_its_units() {
    let recording = History::new()
        .write_run(10, &["a", "b", "c", "d", "e", "f"])
        .write(0, "commit")
        .done();
    let check = |disk: &Disk, _| !disk.contains_key(&0) || disk.contains_key(&13);
    let (found, _) = culprit(&recording, 4, |i| i == 6 || i == 0, check);
    let found = found.unwrap();
    assert_eq!((set(&found.lost), set(&found.kept)), (vec![3], vec![6]));
}

/// A check that depends on the image, without rhyme or reason.
struct Whim(u64);

impl Whim {
    fn fails(&self, choices: &Choices<'_>, keep: &Keep) -> bool {
        let mixed = (choices.image(keep) as u64 ^ self.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed >> 62 == 0
    }
}

impl Trial for Whim {
    fn examine(&mut self, choices: &Choices<'_>, keep: &Keep, _: usize) -> Result<Verdict> {
        Ok(if self.fails(choices, keep) {
            Verdict::Violation(finding())
        } else {
            Verdict::Consistent
        })
    }
}

/// Whatever the check, the two states are as told and differ in what is named.
#[test]
fn random_checks() {
    let mut named = 0;
    for seed in 0..400u64 {
        let recording = History::random(seed).done();
        let last = recording.header().newest_event;
        let choices = Choices::new(&recording, Cut::new(&recording, last).unwrap());
        let mut whim = Whim(seed);
        if !whim.fails(&choices, &choices.none()) {
            continue;
        }
        let mut trials = Trials::new(&mut whim, Failure::from(&finding()), 1000);
        let found = minimize(&mut trials, &choices, &choices.none())
            .unwrap()
            .unwrap();
        assert!(whim.fails(&choices, &found.fails), "seed {seed}");
        let Some(passes) = &found.passes else {
            assert!(found.all_fail, "seed {seed}");
            continue;
        };
        assert!(
            !whim.fails(&choices, passes) && found.minimal,
            "seed {seed}"
        );
        assert_ne!(found.lost.count() + found.kept.count(), 0, "seed {seed}");
        named += 1;
    }
    assert!(named > 30, "{named}");
}
