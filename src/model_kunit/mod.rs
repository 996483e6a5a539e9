// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of [`crate::model`], as the kernel's compiler and checks have it.
//!
//! They stay out of the model's room, which knows nothing of the kernel. What is legal in general
//! is tried on the host, against a device built without the model: `cli/model/tests`.

mod cases;

use crate::model::*;
use cases::*;
use kernel::prelude::*;

/// Whether a cut of a log has that outcome.
fn has_outcome(log: &Log, event: Event, (stable, kept): Outcome) -> bool {
    let Ok(cut) = Cut::new(log, event) else {
        return false;
    };
    let is_stable = |&index: &usize| log.entry(index).is_some_and(|entry| cut.is_stable(&entry));
    let pieces = pending(log, &cut).map(|piece| (piece.entry, piece.unit));

    (0..log.nr_entries)
        .filter(is_stable)
        .eq(stable.iter().copied())
        && pieces.eq(kept.iter().copied())
}

/// The same, and says which one was wrong.
fn check_outcome(name: &str, log: &Log, event: Event, outcome: Outcome) -> bool {
    let is_right = has_outcome(log, event, outcome);

    if !is_right {
        pr_err!("wrong after event {}: {}\n", event, name);
    }
    is_right
}

/// Whether `check_piece` accepts at every cut of a log what is pending there, and nothing else.
fn check_acceptance(log: &Log) -> bool {
    (0..=log.last).all(|event| {
        let Ok(cut) = Cut::new(log, event) else {
            return false;
        };
        let all = (0..=log.nr_entries)
            .flat_map(|entry| (0..12).map(move |unit| Piece { entry, unit }))
            .filter(|&piece| check_piece(log, &cut, piece, None).is_ok());

        all.eq(pending(log, &cut))
    })
}

// The tests' entry points from C are made by the macro; this is not for anything else.
#[allow(unsafe_code)]
#[kunit_tests(powercut_model)]
mod tests {
    use super::*;

    #[test]
    fn named_behaviours() {
        for case in CASES {
            let log = Log::of(case.write_cache, case.bios);

            assert!(check_outcome(case.name, &log, 0, (&[], &[])));
            for (event, &outcome) in (1..).zip(case.cuts) {
                assert!(check_outcome(case.name, &log, event, outcome));
            }
            assert!(usize::try_from(log.last) == Ok(case.cuts.len()));
            assert!(Cut::new(&log, log.last + 1) == Err(Illegal::CutAfterLastEvent));
        }
    }

    #[test]
    fn accepts_what_is_pending() {
        for case in CASES {
            assert!(check_acceptance(&Log::of(case.write_cache, case.bios)));
        }
    }

    #[test]
    fn in_flight() {
        // A flush that did not wait for the write does not cover it.
        let mut log = Log::new(true);

        log.push(write(0, 1), 1, 1, 3);
        log.push(FLUSH, 2, 2, 4);
        assert!(check_outcome("did not wait", &log, 4, (&[], &[(0, 0)])));

        // FUA retires what completed before its submit, not what was in flight beside it.
        let mut log = Log::new(true);

        log.push(write(0, 1), 1, 1, 4);
        log.push(write_fua(0), 2, 2, 3);
        assert!(check_outcome("beside FUA", &log, 4, (&[1], &[(0, 0)])));

        // A flush that completes late does not take back what a newer one promised.
        let mut log = Log::new(true);

        log.push(FLUSH, 1, 1, 6);
        log.push(write(0, 1), 2, 2, 3);
        log.push(FLUSH, 4, 4, 5);
        assert!(check_outcome("late flush", &log, 5, (&[1], &[])));
        assert!(check_outcome("late flush", &log, 6, (&[1], &[])));

        // What has not started or completed yet has no event for it.
        let mut log = Log::new(true);

        log.push(write(0, 1), 1, 1, 2);
        log.push(write_preflush(1), 3, IN_FLIGHT, IN_FLIGHT);
        log.last = 3;
        assert!(check_outcome("waiting", &log, 3, (&[], &[(0, 0)])));
        assert!(check_acceptance(&log));
    }

    #[test]
    fn either_order() {
        let piece = |entry| Piece { entry, unit: 0 };
        let mut log = Log::new(true);

        log.push(write(0, 1), 1, 1, 2);
        log.push(write(0, 1), 3, 3, 6);
        log.push(write_fua(0), 4, 4, 5);
        log.push(write(0, 1), 7, 7, IN_FLIGHT);
        log.last = 7;

        // Of those in flight beside the FUA write, the older one may be what is found.
        assert!(check_outcome("beside", &log, 7, (&[2], &[(1, 0), (3, 0)])));

        let Ok(cut) = Cut::new(&log, 7) else {
            return assert!(false);
        };
        let entry = |index| log.entry(index).map(|entry| (cut.arrival(&entry), index));

        assert!(entry(2) == Some((4, 2)));
        assert!(entry(1) == Some((6, 1)));
        assert!(entry(3) == Some((IN_FLIGHT, 3)));
        assert!(visible(&log, &cut, piece(1)) == Mask::from_range(0, 8));
        assert!(visible(&log, &cut, piece(0)).is_empty());
        assert!(is_shadowed(&log, &cut, piece(1), [piece(1), piece(3)]));
        assert!(!is_shadowed(&log, &cut, piece(3), [piece(1), piece(3)]));

        // Before it completed, it was one of those in flight at the cut: in the order of the log.
        let at_five = Cut::new(&log, 5).map(|cut| log.entry(1).map(|entry| cut.arrival(&entry)));

        assert!(at_five == Ok(Some(IN_FLIGHT)));
    }

    #[test]
    fn runs_of_pieces() {
        let log = Log::of(true, &[write(0, 6), write_fua(3), write(7, 1)]);
        let table = [
            (0, 0..=2, Ok(())),
            (0, 4..=5, Ok(())),
            (0, 0..=5, Err(Illegal::Retired)),
            (0, 3..=3, Err(Illegal::Retired)),
            (0, 4..=6, Err(Illegal::OutsideWrite)),
            (0, 0..=u64::MAX, Err(Illegal::OutsideWrite)),
            (2, 7..=7, Ok(())),
        ];

        for (index, run, expected) in table {
            let found =
                Cut::new(&log, log.last).and_then(|cut| check_pieces(&log, &cut, index, run, None));

            assert!(found == expected);
        }
    }

    #[test]
    fn prefixes() {
        // Unit 3 of the first write is retired, and all of the third but its first unit.
        let mut log = Log::of(
            true,
            &[write(1, 5), write_fua(3), write(6, 3), write_fua_of(7, 4)],
        );
        let table = [
            (0, 1..=1, None, Ok(())),
            (0, 1..=2, None, Ok(())),
            (0, 2..=2, None, Err(Illegal::Gap)),
            (0, 4..=5, None, Err(Illegal::Gap)),
            (0, 4..=5, Some((0, 2)), Ok(())),
            (0, 4..=4, Some((0, 1)), Err(Illegal::Gap)),
            (0, 5..=5, Some((0, 4)), Ok(())),
            (0, 1..=5, None, Err(Illegal::Retired)),
            (2, 6..=6, Some((0, 1)), Ok(())),
            (2, 6..=6, Some((0, 5)), Ok(())),
            (2, 7..=7, None, Err(Illegal::Retired)),
            (2, 9..=9, None, Err(Illegal::OutsideWrite)),
        ];

        for tear in [Tear::Prefix, Tear::Any] {
            log.geometry.tear = tear;
            for (index, run, previous, expected) in &table {
                let previous = previous.map(|(entry, unit)| Piece { entry, unit });
                let found = Cut::new(&log, log.last)
                    .and_then(|cut| check_pieces(&log, &cut, *index, run.clone(), previous));
                let is_expected = match tear {
                    Tear::Any if *expected == Err(Illegal::Gap) => found == Ok(()),
                    _ => found == *expected,
                };

                if !is_expected {
                    pr_err!("wrong: {}:{}-{}\n", index, run.start(), run.end());
                }
                assert!(is_expected);
            }
        }

        // However much of a write is retired, it is gone over at once.
        let mut log = Log::new(true);

        log.geometry.tear = Tear::Prefix;
        log.push(write(0, 1 << 28), 1, 1, 2);
        log.push(write_fua_of(0, (1 << 28) - 1), 3, 3, 4);
        let last = (1 << 28) - 1;
        let found =
            Cut::new(&log, 4).and_then(|cut| check_pieces(&log, &cut, 0, last..=last, None));
        assert!(found == Ok(()));
    }

    #[test]
    fn groups() {
        // Two members, of which the second begins at unit 4.
        let Some(members) = Members::new(&[0, 32]) else {
            return assert!(false);
        };
        let mut log = Log::new(true);

        log.geometry.members = members;
        log.push(write_fua(0), 1, 1, 2);
        log.push(write(1, 1), 3, 3, 4);
        log.push(write(4, 1), 5, 5, 6);
        log.push(FLUSH, 7, 7, 8);
        log.push(write(5, 1), 9, 9, 10);
        assert!(check_outcome(
            "no flush of it",
            &log,
            10,
            (&[0, 1], &[(2, 4), (4, 5)])
        ));
        assert!(spans(&log, Marks::Any).map(|cut| cut.event).eq([1, 7, 10]));

        log.push(flush_of(4), 11, 11, 12);
        assert!(check_outcome("its own", &log, 12, (&[0, 1, 2, 4], &[])));
        assert!(Cut::new(&log, 12).is_ok_and(|cut| cut.watermark(0) == 7));
        assert!(Cut::new(&log, 12).is_ok_and(|cut| cut.watermark(32) == 11));
        assert!(check_acceptance(&log));
    }

    #[test]
    fn refusals() {
        let log = Log::of(
            true,
            &[
                write(0, 1),       // Events 1, 2.
                write_fua(0),      // 3, 4
                write(4, 2),       // 5, 6
                write_preflush(6), // 7, 8, 9
                MARK,              // 10
                FLUSH,             // 11, 12
            ],
        );
        let table = [
            (3, (0, 0), Ok(())),
            (4, (0, 0), Err(Illegal::Retired)),
            (2, (1, 0), Err(Illegal::NotSubmitted)),
            (4, (1, 0), Err(Illegal::AlreadyStable)),
            (6, (2, 3), Err(Illegal::OutsideWrite)),
            (6, (2, 5), Ok(())),
            (6, (2, 6), Err(Illegal::OutsideWrite)),
            (6, (2, u64::MAX), Err(Illegal::OutsideWrite)),
            (8, (2, 5), Err(Illegal::AlreadyStable)),
            (7, (3, 6), Err(Illegal::NotStarted)),
            (8, (3, 6), Ok(())),
            (12, (4, 0), Err(Illegal::NotAWrite)),
            (12, (5, 0), Err(Illegal::NotAWrite)),
            (12, (6, 0), Err(Illegal::NotAWrite)),
            (12, (usize::MAX, 0), Err(Illegal::NotAWrite)),
        ];

        for (event, (entry, unit), expected) in table {
            let piece = Piece { entry, unit };
            let found = Cut::new(&log, event).and_then(|cut| check_piece(&log, &cut, piece, None));

            if found != expected {
                pr_err!("wrong after event {}: {}:{}\n", event, entry, unit);
            }
            assert!(found == expected);
        }
    }

    #[test]
    fn selections_ascend() {
        let log = Log::of(true, &[write(4, 2), write(0, 1)]);
        let piece = |entry, unit| Piece { entry, unit };
        let table = [
            ((0, 4), (0, 5), Ok(())),
            ((0, 5), (1, 0), Ok(())),
            ((0, 5), (0, 5), Err(Illegal::OutOfOrder)),
            ((0, 5), (0, 4), Err(Illegal::OutOfOrder)),
            ((1, 0), (0, 5), Err(Illegal::OutOfOrder)),
        ];

        for (first, second, expected) in table {
            let (first, second) = (piece(first.0, first.1), piece(second.0, second.1));
            let found =
                Cut::new(&log, 4).and_then(|cut| check_piece(&log, &cut, second, Some(first)));

            assert!(found == expected);
        }
    }

    #[test]
    fn span_ends() {
        let table: [(bool, &[Bio], &[Event]); 7] = [
            (true, &[], &[0]),
            (true, &[FLUSH, FLUSH], &[4]),
            (
                true,
                &[write(1, 1), write_preflush_fua(2), write(9, 1), FLUSH],
                &[3, 4, 8],
            ),
            (true, &[write(0, 1), FLUSH, MARK], &[3, 5]),
            (true, &[write_fua(0), write_fua(1)], &[1, 3]),
            (false, &[write(0, 1), write(1, 1)], &[1, 3]),
            (true, &[FLUSH, write(0, 1)], &[4]),
        ];

        for (write_cache, bios, expected) in table {
            let log = Log::of(write_cache, bios);

            for marks in [Marks::Any, Marks::Monotone] {
                assert!(spans(&log, marks)
                    .map(|cut| cut.event)
                    .eq(expected.iter().copied()));
            }
        }
    }

    #[test]
    fn span_ends_before_marks() {
        // What ends where any mark counts, and where more marks never mend.
        let table: [(&[Bio], &[Event], &[Event]); 4] = [
            (&[MARK], &[0, 1], &[1]),
            (&[FLUSH, MARK, MARK], &[2, 3, 4], &[4]),
            (
                &[write(0, 1), MARK, write(0, 1), MARK, FLUSH],
                &[2, 5, 7],
                &[7],
            ),
            (&[write_fua(0), MARK, write(1, 1)], &[1, 5], &[1, 5]),
        ];

        for (bios, any, monotone) in table {
            let log = Log::of(true, bios);

            for (marks, expected) in [(Marks::Any, any), (Marks::Monotone, monotone)] {
                assert!(spans(&log, marks)
                    .map(|cut| cut.event)
                    .eq(expected.iter().copied()));
            }
        }
    }

    #[test]
    fn parts_of_units() {
        // First sector, number of sectors, unit, sectors of the unit as bits.
        let table = [
            (0, 8, 0, 0xff),
            (0, 8, 1, 0),
            (3, 2, 0, 0x18),
            (7, 2, 0, 0x80),
            (7, 2, 1, 0x01),
            (6, 20, 2, 0xff),
            (6, 20, 3, 0x03),
            (0, 0, 0, 0),
            (u64::MAX, u32::MAX, 0, 0),
            (u64::MAX - 9, u32::MAX, u64::MAX >> 3, 0x7f),
            (0, 8, u64::MAX, 0),
        ];
        let geometry = Log::new(true).geometry;

        for (sector, nr_sectors, unit, expected) in table {
            let entry = Entry {
                op: Op::Write,
                preflush: false,
                fua: false,
                lied: false,
                sector,
                nr_sectors,
                submit: 1,
                start: 1,
                complete: 2,
            };
            let found = coverage(geometry, &entry, unit);

            if found.bits() != expected {
                pr_err!("wrong: {}+{} in unit {}\n", sector, nr_sectors, unit);
            }
            assert!(found.bits() == expected);
            assert!(units(geometry, &entry).contains(&unit) == (expected != 0));

            // Units that can't be: nothing to rely on, but no overflow either.
            for unit_sectors in [0, 3, 128, 4096, u32::MAX] {
                let geometry = Geometry {
                    unit_sectors,
                    write_cache: true,
                    tear: Tear::Any,
                    members: Members::ONE,
                };
                let units = units(geometry, &entry);

                assert!(units.start <= units.end);
                assert!(coverage(geometry, &entry, unit).bits().count_ones() <= 128);
            }
        }
    }

    #[test]
    fn operations_by_number() {
        for op in [Op::Write, Op::WriteZeroes, Op::Discard, Op::Flush, Op::Mark] {
            assert!(Op::try_from(op as u8) == Ok(op));
        }
        for number in [0, 6, u8::MAX] {
            assert!(Op::try_from(number) == Err(UnknownOp(number)));
        }
    }
}
