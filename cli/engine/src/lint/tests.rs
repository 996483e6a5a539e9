// SPDX-License-Identifier: GPL-2.0

//! Logs made by hand, each finding with a log beside it that lacks it.

use powercut_model::{Cut, Event};

use super::{lint, Lint, Stability};
use crate::abi::{EntryOp, Flags};
use crate::recording::testing::History;

fn risky(lint: &Lint) -> Vec<(&str, u64, u64, Option<Event>)> {
    let risks = lint.at_risk.iter();
    risks
        .map(|r| (r.mark.text.as_str(), r.writes, r.own_writes, r.safe_at))
        .collect()
}

#[test]
fn an_acknowledgement_before_its_flush() {
    let log = History::new().write(0, "a").write(1, "b").mark("one");
    let found = lint(&log.clone().flush().done());
    assert_eq!(risky(&found), [("one", 2, 2, Some(7))]);
    assert_eq!(found.at_risk[0].bytes, 8192);
    assert_eq!(found.at_risk[0].tasks, ["test"]);
    assert_eq!(found.at_risk[0].first_write, 1);
    // It never comes.
    assert_eq!(risky(&lint(&log.done())), [("one", 2, 2, None)]);
}

#[test]
fn an_acknowledgement_after_its_flush_or_fua() {
    let log = History::new().write(0, "a").flush().mark("one");
    let found = lint(&log.done());
    assert_eq!((found.marks, found.at_risk.len()), (1, 0));
    let log = History::new().fua(0, "a").mark("one");
    assert!(lint(&log.done()).at_risk.is_empty());
    let log = History::new().no_write_cache().write(0, "a").mark("one");
    assert!(lint(&log.done()).at_risk.is_empty());
    // A flush does not cover its own data, nor what was in flight.
    let both = Flags::PREFLUSH;
    let log = History::new()
        .bio(EntryOp::Write, both, 0, &["a"])
        .mark("one");
    assert_eq!(risky(&lint(&log.done())), [("one", 1, 1, None)]);
    let log = History::new().submit(0, "a").flush().complete().mark("one");
    assert_eq!(risky(&lint(&log.done())), [("one", 1, 1, None)]);
}

#[test]
fn what_others_left_is_told_from_its_own() {
    let log = History::new()
        .write(0, "a")
        .mark("one")
        .fua(1, "b")
        .mark("two")
        .mark("three");
    let found = lint(&log.done());
    let wanted = [
        ("one", 1, 1, None),
        ("two", 1, 0, None),
        ("three", 1, 0, None),
    ];
    assert_eq!(risky(&found), wanted);
    let silent: Vec<&str> = found.silent.iter().map(|m| m.text.as_str()).collect();
    assert_eq!(silent, ["three"]);
}

#[test]
fn flushes_for_nothing() {
    let log = History::new().write(0, "a").flush();
    let found = lint(&log.clone().write(1, "b").flush().done());
    assert_eq!(
        (found.idle_flushes.flushes, found.idle_flushes.idle),
        (2, 0)
    );
    let found = lint(&log.clone().flush().done());
    assert_eq!(
        (found.idle_flushes.flushes, found.idle_flushes.idle),
        (2, 1)
    );
    assert_eq!(found.idle_flushes.first, [5]);
    assert_eq!(found.idle_flushes.tasks["test"], 1);
    // What FUA made stable needs no flush.
    let found = lint(&History::new().fua(0, "a").flush().done());
    assert_eq!(found.idle_flushes.idle, 1);
}

#[test]
fn writes_for_nothing() {
    let log = History::new().write(3, "a").write(3, "b").flush();
    let found = lint(&log.done()).overwritten;
    assert_eq!((found.writes, found.bytes), (1, 4096));
    assert_eq!(found.places, [(24, 1)]);
    let log = History::new().write(3, "a").flush().write(3, "b").flush();
    assert_eq!(lint(&log.done()).overwritten.writes, 0);
    // Half of it is still needed.
    let log = History::new()
        .write_run(3, &["a", "b"])
        .write(3, "c")
        .flush();
    assert_eq!(lint(&log.done()).overwritten.writes, 0);
}

/// The table of when is what the model says of each cut.
#[test]
fn stability_is_the_models() {
    for seed in 0..300 {
        let recording = History::random(seed).done();
        let stability = Stability::of(&recording);
        for event in 0..=recording.header().newest_event {
            let cut = Cut::new(&recording, event).unwrap();
            for (index, recorded) in recording.entries().iter().enumerate() {
                let stable = stability.is_stable(index, event);
                let model = cut.is_stable(&recorded.entry);
                assert_eq!(stable, model, "seed {seed}, cut {event}, entry {index}");
            }
        }
    }
}
