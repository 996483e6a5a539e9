// SPDX-License-Identifier: GPL-2.0

//! Records become logs, and these records again.

use std::io::Cursor;

use super::{imported, states};
use crate::abi::{EntryOp, Flags, IN_FLIGHT};
use crate::faults::Faults;
use crate::log_writes::export::{Exported, Plan};
use crate::log_writes::{Options, END_MARK};
use crate::recording::testing::History;
use crate::recording::Recording;

fn export(stream: &[u8]) -> Result<(Exported, Vec<u8>), String> {
    let plan = Plan::new(stream).map_err(|e| e.to_string())?;
    let mut log = Cursor::new(Vec::new());
    plan.write(stream, &mut log).map_err(|e| e.to_string())?;
    Ok((plan.exported().clone(), log.into_inner()))
}

fn again(log: &[u8], of: &Recording) -> Recording {
    let options = Options {
        atomic_unit: Some(of.header().atomic_unit),
        bytes: Some(of.header().capacity_sectors * 512),
        ..Options::default()
    };
    let (scan, stream) = imported(log, &[], &options).unwrap();
    assert!(scan.is_closed && scan.more_at.is_none());
    Recording::read(&stream[..]).unwrap()
}

/// Whether writes of the same block were in flight at once: either order is legal.
fn is_ambiguous(recording: &Recording) -> bool {
    let writes = || recording.entries().iter().filter(|e| e.is_write());
    writes().any(|a| {
        let end = |e: &crate::recording::Recorded| e.sector() + u64::from(e.nr_sectors());
        writes().any(|b| {
            let overlap = a.sector() < end(b) && b.sector() < end(a);
            overlap && a.submit() < b.submit() && b.submit() < a.complete()
        })
    })
}

#[test]
fn a_record_made_of_the_log_of_a_record_has_the_same_states_where_the_log_can_tell_all() {
    let (mut equal, mut within) = (0, 0);
    for seed in 0..2500 {
        let history = History::random(seed);
        let (stream, truth) = (history.stream(), history.done());
        if !truth.members().is_empty() {
            assert!(export(&stream).unwrap_err().contains("a group"));
            continue;
        }
        let (exported, log) = export(&stream).unwrap();
        let again = again(&log, &truth);
        let marks = |r: &Recording| r.marks().iter().map(|m| m.text.clone()).collect::<Vec<_>>();
        assert_eq!(marks(&again), marks(&truth));
        if is_ambiguous(&truth) {
            continue;
        }
        let (found, truth) = (states(&again), states(&truth));
        if exported.overlapping == 0 {
            assert_eq!(found, truth, "seed {seed}");
            equal += 1;
        } else {
            assert!(found.is_subset(&truth), "seed {seed}");
            within += 1;
        }
    }
    assert!(equal > 300 && within > 200, "{equal} {within}");
}

#[test]
fn the_entries_of_a_log_are_those_that_device_mapper_would_have_passed_on() {
    let history = History::new()
        .meta(1, "a")
        .bio(EntryOp::Write, Flags::PREFLUSH | Flags::FUA, 2, &["b"])
        .bio(EntryOp::WriteZeroes, Flags::empty(), 3, &["", ""])
        .discard(8, 4)
        .flush()
        .mark("done")
        .submit(9, "c");
    let (exported, log) = export(&history.stream()).unwrap();
    let number = |at: usize| u64::from_le_bytes(log[at..at + 8].try_into().unwrap());
    let mut at = 4096;
    let mut entries = Vec::new();
    while at < log.len() {
        let [sector, nr, flags] = [0, 8, 16].map(|field| number(at + field));
        entries.push((sector, nr, flags));
        at += 4096 * (1 + if flags & 4 == 0 { nr as usize } else { 0 });
    }
    let expected = [
        (1, 1, 16),
        (0, 0, 1),
        (2, 1, 2),
        (3, 2, 0),
        (8, 4, 4),
        (0, 0, 1),
        (0, 0, 8),
        (9, 1, 0),
        (0, 0, 8),
    ];
    assert_eq!(entries, expected);
    assert_eq!(number(0), 0x006a_7366_7773_6872);
    assert_eq!((number(8), number(16), number(24)), (1, 9, 4096));
    assert!(log.windows(END_MARK.len()).any(|text| text == END_MARK));
    let expected = Exported {
        entries: 9,
        write_zeroes: 1,
        in_flight: 1,
        overlapping: 0,
        has_base: false,
    };
    assert_eq!(exported, expected);
}

#[test]
fn what_the_log_cannot_tell_is_refused_by_name() {
    let long = "x".repeat(480);
    let small = || History::new().write(0, "a");
    let rows = [
        (small().garbage(0, 1, 7), "discard_content=garbage"),
        (
            small().flush().met(Faults::LIED),
            "faults, such as flush-lies",
        ),
        (small().met_unlogged("eio"), "faults, such as eio"),
        (small().group(8), "a group"),
        (small().prefixes(), "tear=prefix"),
        (History::new().rmw().mark(&long), "tear=rmw"),
        (
            small().bio(EntryOp::Write, Flags::ATOMIC, 0, &["a", "b"]),
            "REQ_ATOMIC, event 3",
        ),
    ];
    for (history, expected) in rows {
        let refused = export(&history.stream()).unwrap_err();
        assert!(refused.contains(expected), "{refused}");
    }
    // One that can't tear anyway.
    let single = small().bio(EntryOp::Write, Flags::ATOMIC, 0, &["a"]);
    assert!(export(&single.stream()).is_ok());
}

#[test]
fn what_still_waits_for_its_flush_is_not_in_the_log() {
    let waiting = History::new().write(0, "a").submit(1, "b");
    let mut stream = waiting.stream();
    // Its flush, then its data.
    let at = stream.len() - 4096 - 96;
    stream[at + 4] = 1;
    let (_, log) = export(&stream).unwrap();
    let nr = |log: &[u8]| u64::from_le_bytes(log[16..24].try_into().unwrap());
    assert_eq!(nr(&log), 4);
    stream[at + 16..at + 24].copy_from_slice(&IN_FLIGHT.to_le_bytes());
    let (_, log) = export(&stream).unwrap();
    assert_eq!(nr(&log), 2);
}

#[test]
fn the_base_is_told_of_and_comes_back_as_an_image() {
    let history = History::new().base(0, "z").base(8, "y").write(0, "a");
    let (stream, truth) = (history.stream(), history.done());
    let (exported, log) = export(&stream).unwrap();
    assert!(exported.has_base);
    let mut image = vec![0; 2048 * 512];
    image[..4096].copy_from_slice(&crate::recording::testing::block("z"));
    image[8 * 4096..9 * 4096].copy_from_slice(&crate::recording::testing::block("y"));
    let options = Options {
        base_bytes: Some(image.len() as u64),
        ..Options::default()
    };
    let (_, stream) = imported(&log, &image, &options).unwrap();
    let again = Recording::read(&stream[..]).unwrap();
    assert_eq!(states(&again), states(&truth));
    // Without the image, other states.
    let (_, stream) = imported(&log, &[], &Options::default()).unwrap();
    assert_ne!(
        states(&Recording::read(&stream[..]).unwrap()),
        states(&truth)
    );
}
