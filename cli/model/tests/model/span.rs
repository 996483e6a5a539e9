// SPDX-License-Identifier: GPL-2.0

//! Dominance: what any cut allows, the cut at the end of its span allows, with the same marks or,
//! if that is all that is asked for, with at least the same; and no cut is there for nothing.

use powercut_model::{spans, Cut, Marks, Op};

use crate::{
    contents::{Set, Space},
    device::Device,
    log::Log,
    walk::{walk, Bounds},
};

pub fn compare(bounds: &Bounds, log: &Log, _: &Device) -> u64 {
    let allowed: Vec<(Set, usize)> = (0..=log.last)
        .map(|event| {
            let cut = Cut::new(log, event).unwrap();
            let is_acknowledged = |index: &usize| {
                log.entries[*index].op == Op::Mark && log.entries[*index].submit <= event
            };
            let marks = (0..log.entries.len()).filter(is_acknowledged).count();

            (bounds.space.allowed(log, &cut), marks)
        })
        .collect();

    for marks in [Marks::Any, Marks::Monotone] {
        compare_spans(log, &allowed, marks);
    }
    allowed.iter().map(|(set, _)| u64::from(set.len())).sum()
}

/// Given what each cut allows, and how many marks it has.
fn compare_spans(log: &Log, allowed: &[(Set, usize)], marks: Marks) {
    let ends: Vec<usize> = spans(log, marks).map(|cut| cut.event as usize).collect();
    let dominates = |end: usize, event: usize| {
        allowed[event].0.is_subset_of(&allowed[end].0)
            && match marks {
                Marks::Any => allowed[event].1 == allowed[end].1,
                Marks::Monotone => allowed[event].1 <= allowed[end].1,
            }
    };

    assert!(!ends.is_empty());
    assert!(ends.windows(2).all(|pair| pair[0] < pair[1]));
    for event in 0..allowed.len() {
        let next = ends.iter().copied().find(|&end| end >= event);
        let previous = ends.iter().copied().rfind(|&end| end < event);

        assert!(
            next.is_some_and(|end| dominates(end, event))
                || previous.is_some_and(|end| dominates(end, event)),
            "nothing dominates {event} of {ends:?}, {marks:?}, in {log:#?}"
        );
    }
    for pair in ends.windows(2) {
        assert!(
            !dominates(pair[0], pair[1]),
            "{pair:?} in {log:#?}, of {ends:?}, {marks:?}"
        );
    }
}

#[test]
fn inline() {
    walk(
        "spans, inline: 3 writes, 3 units, 2 flushes, 1 mark",
        &Bounds {
            space: Space::of_units(3, 3),
            write_cache: true,
            writes: 3,
            flushes: 2,
            marks: 1,
            in_flight: 1,
            overlapping: false,
            reduced: true,
        },
        &compare,
    );
}

#[test]
fn delayed() {
    walk(
        "spans, delayed: 3 writes, 2 units, 2 flushes, 2 in flight",
        &Bounds {
            space: Space::of_units(2, 3),
            write_cache: true,
            writes: 3,
            flushes: 2,
            marks: 0,
            in_flight: 2,
            overlapping: true,
            reduced: true,
        },
        &compare,
    );
}

#[test]
fn delayed_marked() {
    walk(
        "spans, delayed: 2 writes, 2 units, 2 flushes, 2 marks, 3 in flight",
        &Bounds {
            space: Space::of_units(2, 2),
            write_cache: true,
            writes: 2,
            flushes: 2,
            marks: 2,
            in_flight: 3,
            overlapping: true,
            reduced: true,
        },
        &compare,
    );
}

#[test]
fn cache_off() {
    walk(
        "spans, cache off: 3 writes, 2 units, 1 mark, 2 in flight",
        &Bounds {
            space: Space::of_units(2, 3),
            write_cache: false,
            writes: 3,
            flushes: 0,
            marks: 1,
            in_flight: 2,
            overlapping: true,
            reduced: true,
        },
        &compare,
    );
}
