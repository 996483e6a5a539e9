// SPDX-License-Identifier: GPL-2.0

//! Disks of a group: their events are numbered together, so that each has gaps in its own.

use std::collections::BTreeSet;

use powercut_model::{group_spans, pending, spans, Cut, Event, History, Op, Piece};
use proptest::prelude::*;

use crate::{
    histories::{cases, length, steps, take, Step, UNIT_SECTORS},
    log::{Bio, Log},
    rules::write,
    selections::{pieces, same_by_other_lookups},
};

/// Disks and what happens to them: each event is one of one disk.
fn group() -> impl Strategy<Value = Vec<Log>> {
    let step = (0..3usize, steps(1..2)).prop_map(|(disk, steps)| (disk, steps[0].clone()));

    (
        prop::collection::vec(any::<bool>(), 1..4),
        prop::collection::vec(step, 1..length(60)),
    )
        .prop_map(|(caches, steps)| {
            let mut disks: Vec<_> = caches
                .iter()
                .map(|&write_cache| Log::new(UNIT_SECTORS, write_cache))
                .collect();

            for (disk, step) in steps {
                let disk = disk % disks.len();

                if !matches!(step, Step::Elsewhere) && take(&mut disks[disk], &step) {
                    tell_others(&mut disks, disk);
                }
            }
            disks
        })
}

/// The others of the group count on after an event of one.
fn tell_others(disks: &mut [Log], disk: usize) {
    let last = disks[disk].last;

    for other in disks {
        while other.last < last {
            other.elsewhere();
        }
    }
}

/// Pieces, each with the disk that it is of.
type Pieces = BTreeSet<(usize, Piece)>;
/// Entries, likewise.
type Writes = BTreeSet<(usize, usize)>;

/// What may survive on all disks, and what must, as (disk, entry, unit).
fn survivors(disks: &[Log], event: Event) -> (Pieces, Writes) {
    let (mut may, mut must) = (BTreeSet::new(), BTreeSet::new());

    for (number, disk) in disks.iter().enumerate() {
        let cut = Cut::new(disk, event).unwrap();

        may.extend(pending(disk, &cut).map(|piece| (number, piece)));
        for index in 0..disk.entries.len() {
            if cut.is_stable(&disk.entries[index]) {
                must.insert((number, index));
            }
        }
    }
    (may, must)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(1500),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// A disk is judged by the order of its events, not by their numbers.
    #[test]
    fn gaps_make_no_difference(disks in group()) {
        for disk in &disks {
            let alone = disk.alone();
            let events = disk.events();
            let own = |event| events.partition_point(|&own| own <= event) as Event;

            for event in 0..=disk.last {
                let cut = Cut::new(disk, event).unwrap();
                let cut_alone = Cut::new(&alone, own(event)).unwrap();
                let offered = pieces(disk, &cut, 3);

                prop_assert!(pending(&alone, &cut_alone).eq(offered.iter().copied()));
                prop_assert_eq!(own(cut.watermark), cut_alone.watermark);
                for (entry, same) in disk.entries.iter().zip(&alone.entries) {
                    prop_assert_eq!(cut.is_stable(entry), cut_alone.is_stable(same));
                    if entry.submit <= event {
                        for (other, same_other) in disk.entries.iter().zip(&alone.entries) {
                            prop_assert_eq!(
                                cut.lies_above(entry, other),
                                cut_alone.lies_above(same, same_other)
                            );
                        }
                    }
                }
                same_by_other_lookups(disk, &cut, &offered);
            }

            let ends = spans(disk).map(|cut| own(cut.event));

            prop_assert!(ends.eq(spans(&alone).map(|cut| cut.event)));
        }
    }

    /// Any cut of the group is dominated by one of those listed: the next, with all that may survive
    /// and nothing more that must, or else nothing is new since the one before.
    #[test]
    fn group_spans_dominate(disks in group()) {
        let last = disks.iter().map(|disk| disk.last).max().unwrap();
        let ends: Vec<_> = group_spans(&disks).collect();
        let is_new = |previous: Event, event: Event| {
            disks.iter().flat_map(|disk| &disk.entries).any(|entry| {
                (entry.is_write() || entry.op == Op::Mark)
                    && entry.start > previous
                    && entry.start <= event
            })
        };

        prop_assert!(!ends.is_empty());
        prop_assert!(ends.windows(2).all(|pair| pair[0] < pair[1] && is_new(pair[0], pair[1])));
        for event in 0..=last {
            let (may, must) = survivors(&disks, event);
            let next = ends.iter().copied().find(|&end| end >= event);
            let is_within = |end| {
                let (may_at_end, must_at_end) = survivors(&disks, end);

                may.is_subset(&may_at_end) && must_at_end.is_subset(&must)
            };

            if !next.is_some_and(is_within) {
                let previous = ends.iter().copied().rfind(|&end| end < event).unwrap_or(0);

                prop_assert!(!is_new(previous, event), "{event} is not within {ends:?}");
            }
        }
    }

    #[test]
    fn a_group_of_one(disks in group()) {
        for disk in &disks {
            prop_assert!(group_spans(&[disk]).eq(spans(disk).map(|cut| cut.event)));
        }
    }
}

/// What is new on one disk is looked at before something becomes stable on another, where nothing
/// is new.
#[test]
fn ends_before_what_happens_elsewhere() {
    let mut disks = vec![Log::new(8, true), Log::new(8, true)];
    let mut issue = |disk: usize, bio: Bio| {
        disks[disk].issue(&bio);
        tell_others(&mut disks, disk);
    };

    issue(0, write(0).fua()); // 1, 2
    issue(0, write(1)); // 3, 4
    issue(0, write(2).fua()); // 5, 6
    issue(1, write(0)); // 7, 8
    issue(0, Bio::flush()); // 9, 10
    issue(1, write(1)); // 11, 12

    assert!(spans(&disks[0]).map(|cut| cut.event).eq([1, 5]));
    assert!(spans(&disks[1]).map(|cut| cut.event).eq([12]));
    assert!(group_spans(&disks).eq([1, 5, 9, 12]));
    assert_eq!(disks[0].last_event(), 12);
    assert!(group_spans::<Log>(&[]).eq([0]));
}
