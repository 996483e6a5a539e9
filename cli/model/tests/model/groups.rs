// SPDX-License-Identifier: GPL-2.0

//! Disks whose power fails together: members of one, told apart by nothing but the reach of a flush.

use powercut_model::{pending, spans, Cut, Event, Marks, Members, Piece, MAX_MEMBERS};
use proptest::prelude::*;

use crate::{
    contents::Space,
    histories::{cases, log, NR_UNITS},
    log::{Bio, Log},
    rules::{outcome, write},
    selections::{pieces, same_by_other_lookups},
    walk::{walk, Bounds},
};

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(1500),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// What is legal of a member is what is legal of a disk to which nothing but that happened.
    #[test]
    fn each_member_as_if_alone(log in log()) {
        let all: Vec<_> = (0..log.geometry.members.count()).map(|member| log.alone(member)).collect();

        for event in 0..=log.last {
            let cut = Cut::new(&log, event).unwrap();
            let offered = pieces(&log, &cut, NR_UNITS);
            let mut joint: Vec<Piece> = Vec::new();

            for (member, (alone, indices, events)) in all.iter().enumerate() {
                let own = |event| events.partition_point(|&own| own <= event) as Event;
                let cut_alone = Cut::new(alone, own(event)).unwrap();
                let start = log.geometry.members.starts()[member];

                prop_assert_eq!(own(cut.watermark(start)), cut_alone.watermark(0));
                joint.extend(pending(alone, &cut_alone).map(|piece| Piece {
                    entry: indices[piece.entry],
                    ..piece
                }));
                for (same, &index) in alone.entries.iter().zip(indices) {
                    let entry = &log.entries[index];

                    prop_assert_eq!(cut.is_stable(entry), cut_alone.is_stable(same));
                    for (same_other, &other) in alone.entries.iter().zip(indices) {
                        if entry.submit <= event {
                            prop_assert_eq!(
                                cut.lies_above(entry, &log.entries[other]),
                                cut_alone.lies_above(same, same_other)
                            );
                        }
                    }
                }
            }

            // Any combination of states of the members, and nothing else.
            joint.sort_unstable();
            prop_assert_eq!(&offered, &joint);
            same_by_other_lookups(&log, &cut, &offered);
        }
    }

    /// Borders that nothing is sent across make no difference.
    #[test]
    fn members_that_are_not_used(log in log()) {
        let mut more = log.clone();
        let starts: Vec<_> = log.geometry.members.starts().to_vec();
        let beyond: Vec<_> = starts.into_iter().chain([12, 16, 20]).collect();

        more = more.with_members(&beyond);
        let ends = |log: &Log| spans(log, Marks::Any).map(|cut| cut.event).collect::<Vec<_>>();

        prop_assert_eq!(ends(&log), ends(&more));
        for event in 0..=log.last {
            prop_assert_eq!(outcome(&log, event), outcome(&more, event));
        }
    }
}

/// The joint states of all small histories are those that two devices may be left in.
#[test]
fn as_two_devices() {
    walk(
        "two disks: 4 writes, 2 units, 2 flushes",
        &Bounds {
            space: Space::of_units(2, 4).with_members(&[0, 8]),
            write_cache: true,
            writes: 4,
            flushes: 2,
            marks: 0,
            in_flight: 1,
            overlapping: false,
            reduced: true,
        },
        &crate::reference::compare,
    );
}

#[test]
fn as_two_devices_delayed() {
    walk(
        "two disks, delayed: 3 writes, 3 units, 2 flushes, 2 in flight",
        &Bounds {
            space: Space::of_units(3, 3).with_members(&[0, 16]),
            write_cache: true,
            writes: 3,
            flushes: 2,
            marks: 0,
            in_flight: 2,
            overlapping: true,
            reduced: true,
        },
        &crate::reference::compare,
    );
}

#[test]
fn as_two_devices_without_cache() {
    walk(
        "two disks, cache off: 3 writes, 2 units, 1 flush, 2 in flight",
        &Bounds {
            space: Space::of_units(2, 3).with_members(&[0, 8]),
            write_cache: false,
            writes: 3,
            flushes: 1,
            marks: 0,
            in_flight: 2,
            overlapping: true,
            reduced: true,
        },
        &crate::reference::compare,
    );
}

#[test]
fn spans_of_two_disks() {
    walk(
        "spans, two disks: 3 writes, 2 units, 2 flushes, 1 mark",
        &Bounds {
            space: Space::of_units(2, 3).with_members(&[0, 8]),
            write_cache: true,
            writes: 3,
            flushes: 2,
            marks: 1,
            in_flight: 1,
            overlapping: false,
            reduced: true,
        },
        &crate::span::compare,
    );
}

/// A log record on one disk, then data in place on the other: a flush of the data's disk says
/// nothing of the record.
#[test]
fn a_flush_of_another_member() {
    let bios = |flushed| {
        [
            write(8),               // 0: the record, events 1, 2
            Bio::flush_of(flushed), // 1: 3, 4
            write(0),               // 2: the data, 5, 6
            Bio::flush_of(0),       // 3: 7, 8
        ]
    };
    let run = |flushed| {
        let mut log = Log::new(8, true).with_members(&[0, 64]);

        for bio in bios(flushed) {
            log.issue(&bio);
        }
        log
    };
    let text = |stable: &str, kept: &str| (stable.to_owned(), kept.to_owned());

    // Data without a record may be what is found.
    let buggy = run(0);

    assert_eq!(outcome(&buggy, 6), text("", "0:8 2:0"));
    assert_eq!(outcome(&buggy, 8), text("2", "0:8"));

    let clean = run(64);

    assert_eq!(outcome(&clean, 6), text("0", "2:0"));
    assert_eq!(outcome(&clean, 8), text("0 2", ""));
    assert!(spans(&clean, Marks::Any).map(|cut| cut.event).eq([3, 7]));

    let cut = Cut::new(&clean, 8).unwrap();

    assert_eq!((cut.watermark(63), cut.watermark(64)), (7, 3));
}

/// What is new on one member is looked at before something becomes stable on another.
#[test]
fn ends_before_what_happens_elsewhere() {
    let mut log = Log::new(8, true).with_members(&[0, 64]);

    log.issue(&write(0).fua()); // 1, 2
    log.issue(&write(1)); // 3, 4
    log.issue(&write(2).fua()); // 5, 6
    log.issue(&write(8)); // 7, 8
    log.issue(&Bio::flush_of(0)); // 9, 10
    log.issue(&write(9)); // 11, 12

    assert!(spans(&log, Marks::Any)
        .map(|cut| cut.event)
        .eq([1, 5, 9, 12]));
}

#[test]
fn borders() {
    let members = Members::new(&[0, 8, 64]).unwrap();
    let of = |sectors: &[u64]| sectors.iter().map(|&at| members.of(at)).collect::<Vec<_>>();

    assert_eq!(of(&[0, 7, 8, 63, 64, u64::MAX]), [0, 0, 1, 1, 2, 2]);
    assert_eq!(members.starts(), [0, 8, 64]);
    assert_eq!(Members::ONE, Members::new(&[0]).unwrap());
    assert_eq!(Members::ONE.of(u64::MAX), 0);
    for bad in [&[][..], &[8], &[0, 0], &[0, 16, 8], &[0; MAX_MEMBERS + 1]] {
        assert!(Members::new(bad).is_none(), "{bad:?}");
    }
    let most: Vec<_> = (0..MAX_MEMBERS as u64).collect();

    assert_eq!(Members::new(&most).unwrap().count(), MAX_MEMBERS);
}
