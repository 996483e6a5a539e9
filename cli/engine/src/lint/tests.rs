// SPDX-License-Identifier: GPL-2.0

//! Logs made by hand, each finding with a log beside it that lacks it.

use std::time::{Duration, Instant};

use powercut_model::{coverage, units, Cut, Event, History as _};

use super::{lint, Lint, Risk, Stability};
use crate::abi::{EntryOp, Flags};
use crate::faults::Faults;
use crate::recording::testing::History;
use crate::recording::{Recorded, Recording};

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

#[test]
fn risks_are_of_three_kinds() {
    let kinds = |log: History| -> Vec<Risk> {
        let found = lint(&log.done());
        found.at_risk.iter().map(|r| r.risk).collect()
    };
    let one = History::new().write(0, "a").mark("one");
    assert_eq!(kinds(one.clone()), [Risk::Never]);
    assert_eq!(kinds(one.clone().flush()), [Risk::Late]);
    assert_eq!(kinds(one.mark("two").flush()), [Risk::Late, Risk::Older]);
}

#[test]
fn a_write_that_was_lost_is_not_one_for_nothing() {
    let log = History::new().write(3, "a").met(Faults::LOST).write(3, "b");
    assert_eq!(lint(&log.done()).overwritten.writes, 0);
}

/// Of each mark what is written before it and not stable, one by one.
fn risks_by_brute_force(
    recording: &Recording,
) -> Vec<(Event, u64, u64, u64, Event, Option<Event>)> {
    let stability = Stability::of(recording);
    let mut previous = 0;
    let mut found = Vec::new();
    for mark in recording.marks() {
        let entries = recording.entries().iter().enumerate();
        let open: Vec<_> = entries
            .filter(|(at, r)| {
                let is_before = r.submit() < mark.event && r.is_write();
                is_before && !stability.is_stable(*at, mark.event)
            })
            .collect();
        if let Some((_, first)) = open.first() {
            let stable = open.iter().map(|(at, _)| stability.stable(*at));
            let stable: Option<Vec<_>> = stable.collect();
            let own = open.iter().filter(|(_, r)| r.submit() > previous);
            let sectors = open.iter().map(|(_, r)| u64::from(r.nr_sectors()));
            found.push((
                mark.event,
                open.len() as u64,
                sectors.sum::<u64>() * 512,
                own.count() as u64,
                first.submit(),
                stable.and_then(|all| all.into_iter().max()).map(|s| s.0),
            ));
        }
        previous = mark.event;
    }
    found
}

/// The writes of which each unit is covered by one newer write before it is stable.
fn overwritten_by_brute_force(recording: &Recording) -> Vec<Event> {
    let stability = Stability::of(recording);
    let (entries, geometry) = (recording.entries(), recording.geometry());
    let replaced = |at: usize| {
        let entry = &entries[at].entry();
        let until = stability.stable(at).map_or(Event::MAX, |s| s.0);
        !units(geometry, entry).is_empty()
            && units(geometry, entry).all(|unit| {
                let own = coverage(geometry, entry, unit);
                entries[at + 1..].iter().map(Recorded::entry).any(|newer| {
                    newer.is_write()
                        && units(geometry, &newer).contains(&unit)
                        && newer.start < until
                        && own.without(coverage(geometry, &newer, unit)).is_empty()
                })
            })
    };
    let fua = |at: usize| entries[at].flags().contains(Flags::FUA);
    let all = (0..entries.len()).filter(|at| entries[*at].is_write() && !fua(*at));
    all.filter(|at| replaced(*at))
        .map(|at| entries[at].submit())
        .collect()
}

#[test]
fn what_is_found_is_what_brute_force_finds() {
    let (mut risks, mut replaced) = (0, 0);
    for seed in 0..2000 {
        let log = match seed % 2 {
            0 => History::random(seed),
            _ => History::random_prefixes(seed),
        };
        let recording = log.done();
        let found = lint(&recording);
        let told: Vec<_> = found
            .at_risk
            .iter()
            .map(|r| {
                let first = r.first_write;
                (
                    r.mark.event,
                    r.writes,
                    r.bytes,
                    r.own_writes,
                    first,
                    r.safe_at,
                )
            })
            .collect();
        assert_eq!(told, risks_by_brute_force(&recording), "seed {seed}");
        let events = &found.overwritten.events;
        assert_eq!(
            *events,
            overwritten_by_brute_force(&recording),
            "seed {seed}"
        );
        risks += told.len();
        replaced += events.len();
    }
    assert!(risks > 200 && replaced > 200, "{risks} {replaced}");
}

/// A log without flushes, of one hot block, with a mark after each write: nothing is ever stable, and
/// every write replaces the one before.
fn hot(writes: u64) -> History {
    let log = (0..writes).fold(History::new(), |log, n| {
        let half = ["a", "b"][(n % 2) as usize];
        log.write(n % 2, half).mark("m")
    });
    log.blocks_per_unit(2)
}

#[test]
fn no_log_takes_more_than_its_length() {
    let time = |writes| {
        let recording = hot(writes).done();
        let best = (0..3).map(|_| {
            let began = Instant::now();
            let found = lint(&recording);
            assert_eq!(found.at_risk.len() as u64, writes);
            assert_eq!(found.overwritten.writes, writes - 2);
            began.elapsed()
        });
        best.min().unwrap_or_default()
    };
    let (short, long) = (time(1_000), time(20_000));
    // Twenty times as long; if it were quadratic it would take 400 times as long.
    assert!(
        long < 100 * short.max(Duration::from_micros(100)),
        "{short:?}, {long:?}"
    );
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
                let model = cut.is_stable(&recorded.entry());
                assert_eq!(stable, model, "seed {seed}, cut {event}, entry {index}");
            }
        }
    }
}
