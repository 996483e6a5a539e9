// SPDX-License-Identifier: GPL-2.0

//! Longer histories, at random: writes that overlap in flight, sectors of any alignment, events in
//! any order that a device may have. The answers are compared with the rules as they are written,
//! flush by flush and sector by sector. The disk has one member or several.

use std::collections::BTreeSet;

use powercut_model::{pending, spans, units, Cut, Entry, Event, Marks, Op, IN_FLIGHT};
use proptest::prelude::*;

use crate::{
    histories::{cases, length},
    log::{Bio, Log},
    selections::{pieces, same_by_other_lookups},
};

const UNIT_SECTORS: u64 = 4;
pub const NR_UNITS: u64 = 4;

/// What happens next: a bio, or the next event of the `n`-th of those in flight.
#[derive(Clone, Debug)]
enum Step {
    Submit(Bio),
    Advance(prop::sample::Index),
}

fn bio() -> impl Strategy<Value = Bio> {
    let sectors = (0..UNIT_SECTORS * NR_UNITS - 6, 1u64..6).prop_map(|(at, nr)| at..at + nr);
    let op = prop::sample::select(vec![Op::Write, Op::WriteZeroes, Op::Discard]);
    let write = (op, sectors, any::<bool>(), prop::bool::weighted(0.2));

    prop_oneof![
        8 => write.prop_map(|(op, sectors, fua, preflush)| Bio { op, preflush, fua, sectors }),
        2 => (0..UNIT_SECTORS * NR_UNITS).prop_map(Bio::flush_of),
        1 => Just(Bio::mark()),
    ]
}

pub fn log() -> impl Strategy<Value = Log> {
    let step = prop_oneof![
        2 => bio().prop_map(Step::Submit),
        3 => any::<prop::sample::Index>().prop_map(Step::Advance),
    ];

    let steps = prop::collection::vec(step, 1..length(40));
    let members = prop::sample::select(vec![vec![0], vec![0, 4], vec![0, 8], vec![0, 4, 12]]);

    (any::<bool>(), members, steps).prop_map(|(write_cache, members, steps)| {
        let log = Log::new(u32::try_from(UNIT_SECTORS).unwrap(), write_cache);
        let mut log = log.with_members(&members);

        for step in steps {
            match step {
                Step::Submit(bio) => {
                    log.submit(&log.cut_to_member(&bio));
                }
                Step::Advance(which) => {
                    let is_in_flight = |&index: &usize| log.entries[index].complete == IN_FLIGHT;
                    let in_flight: Vec<_> = (0..log.entries.len()).filter(is_in_flight).collect();

                    if !in_flight.is_empty() {
                        log.advance(*which.get(&in_flight));
                    }
                }
            }
        }
        log
    })
}

/// R1, R2 and R6, word by word.
fn must_survive(log: &Log, event: Event, write: &Entry) -> bool {
    let is_complete = write.complete <= event;
    let is_flushed = log.entries.iter().any(|flush| {
        let done = match flush.op {
            Op::Flush => flush.complete,
            _ if flush.op.is_write() && flush.preflush => flush.start,
            _ => IN_FLIGHT,
        };

        done <= event && write.complete < flush.submit && log.member(flush) == log.member(write)
    });

    write.is_write() && is_complete && (is_flushed || write.fua || !log.geometry.write_cache)
}

/// R3 and R5, sector by sector: the pieces that may survive and be seen.
fn may_survive(log: &Log, event: Event) -> Vec<(usize, u64)> {
    let mut found = BTreeSet::new();

    for (index, write) in log.entries.iter().enumerate() {
        if !write.is_write() || write.start > event || must_survive(log, event, write) {
            continue;
        }
        for sector in write.sector..write.sector + u64::from(write.nr_sectors) {
            let is_retired = log.entries.iter().any(|newer| {
                must_survive(log, event, newer)
                    && newer.submit > write.complete
                    && (newer.sector..newer.sector + u64::from(newer.nr_sectors)).contains(&sector)
            });

            if !is_retired {
                found.insert((index, sector / UNIT_SECTORS));
            }
        }
    }
    found.into_iter().collect()
}

pub type Pieces = BTreeSet<(usize, u64)>;

/// The pieces that survive in some state of a cut, and those that do in every one.
pub fn survivors(log: &Log, event: Event) -> (Pieces, Pieces) {
    let cut = Cut::new(log, event).unwrap();
    let always: Pieces = (0..log.entries.len())
        .filter(|&index| cut.is_stable(&log.entries[index]))
        .flat_map(|index| units(log.geometry, &log.entries[index]).map(move |unit| (index, unit)))
        .collect();
    let may = pending(log, &cut).map(|piece| (piece.entry, piece.unit));

    (may.chain(always.iter().copied()).collect(), always)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(2000), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rules_word_by_word(log in log()) {
        for event in 0..=log.last {
            let cut = Cut::new(&log, event).unwrap();
            let offered = pieces(&log, &cut, NR_UNITS + 1);

            for entry in &log.entries {
                prop_assert_eq!(cut.is_stable(entry), must_survive(&log, event, entry));
            }
            prop_assert!(offered
                .iter()
                .map(|piece| (piece.entry, piece.unit))
                .eq(may_survive(&log, event)));
            same_by_other_lookups(&log, &cut, &offered);
        }
    }

    /// The end of a span has all that may survive before it, and nothing more that must, and the same
    /// marks if these may matter; a cut is
    /// without such an end only if nothing has happened since the one before.
    #[test]
    fn spans_only_add(log in log(), any in any::<bool>()) {
        let marks = if any { Marks::Any } else { Marks::Monotone };
        let ends: Vec<_> = spans(&log, marks).map(|cut| cut.event).collect();
        let is_mark = |entry: &&Entry| entry.op == Op::Mark;
        let marked = |by: Event| {
            log.entries.iter().filter(is_mark).filter(|mark| mark.submit <= by).count()
        };

        prop_assert!(!ends.is_empty());
        for event in 0..=log.last {
            let next = ends.iter().copied().find(|&end| end >= event);
            let (may, must) = survivors(&log, event);
            let is_within = |end| {
                let (may_at_end, must_at_end) = survivors(&log, end);

                may.is_subset(&may_at_end)
                    && must_at_end.is_subset(&must)
                    && (marks == Marks::Monotone || marked(event) == marked(end))
            };

            if !next.is_some_and(is_within) {
                let previous = ends.iter().copied().rfind(|&end| end < event).unwrap_or(0);
                let happened = log.entries.iter().any(|entry| {
                    (entry.is_write() || entry.op == Op::Mark)
                        && entry.start > previous
                        && entry.start <= event
                });

                prop_assert!(!happened, "{event} is not within {ends:?}");
            }
        }
    }
}
