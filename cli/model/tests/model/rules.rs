// SPDX-License-Identifier: GPL-2.0

//! The rules one by one, in cases small enough to follow.

use std::ops::RangeInclusive;

use powercut_model::{
    check_piece, check_pieces, find_write, is_shadowed, pending, spans, visible, Cut, Illegal,
    Marks, Mask, Op, Piece, UnknownOp,
};

use crate::log::{Bio, Log};

/// The sectors of a unit of 8, and of `nr` of them.
pub fn unit(first: u64, nr: u64) -> std::ops::Range<u64> {
    first * 8..(first + nr) * 8
}

pub fn write(unit_nr: u64) -> Bio {
    Bio::write(unit(unit_nr, 1))
}

/// The stable entries and the pending pieces of a cut, as the cases have them.
pub fn outcome(log: &Log, event: u64) -> (String, String) {
    let cut = Cut::new(log, event).unwrap();
    let stable = (0..log.entries.len())
        .filter(|&index| cut.is_stable(&log.entries[index]))
        .map(|index| index.to_string());
    let kept = pending(log, &cut).map(|piece| format!("{}:{}", piece.entry, piece.unit));

    (
        stable.collect::<Vec<_>>().join(" "),
        kept.collect::<Vec<_>>().join(" "),
    )
}

/// A flush that was submitted without waiting for a write does not cover it.
#[test]
fn did_not_wait() {
    let mut log = Log::new(8, true);
    let late = log.submit(&write(0));
    let flush = log.submit(&Bio::flush());

    log.advance(late);
    log.advance(flush);
    assert_eq!(outcome(&log, 4), (String::new(), "0:0".to_owned()));

    // The one that waits is safe.
    let log = Log::of(8, true, [write(0), Bio::flush()]);

    assert_eq!(outcome(&log, 4), ("0".to_owned(), String::new()));
}

/// An older flush that completes late does not take back what a newer one has promised.
#[test]
fn flushes_complete_out_of_order() {
    let mut log = Log::new(8, true);
    let older = log.submit(&Bio::flush());

    log.issue(&write(0));
    log.issue(&Bio::flush());
    log.advance(older);
    for event in [5, 6] {
        assert_eq!(Cut::new(&log, event).unwrap().watermark(0), 4);
        assert_eq!(outcome(&log, event), ("1".to_owned(), String::new()));
    }

    // Nor does it end a span.
    let mut log = Log::new(8, true);
    let older = log.submit(&Bio::flush());

    log.issue(&write(0));
    log.issue(&Bio::flush());
    log.issue(&write(1));
    log.advance(older);
    log.issue(&write(2));

    assert!(spans(&log, Marks::Any).map(|cut| cut.event).eq([4, 10]));
}

/// FUA retires what completed before it was submitted, not what was in flight beside it.
#[test]
fn in_flight_beside_fua() {
    let mut log = Log::new(8, true);
    let older = log.submit(&write(0));

    log.issue(&write(0).fua());
    assert_eq!(outcome(&log, 3), ("1".to_owned(), "0:0".to_owned()));
    log.advance(older);
    assert_eq!(outcome(&log, 4), ("1".to_owned(), "0:0".to_owned()));
}

/// Of writes in flight together, any may be the one that is found: also an older one above a newer
/// that is stable. Not one that was complete when the stable one was submitted.
#[test]
fn older_above_stable() {
    let mut log = Log::new(8, true);
    let piece = |entry| Piece { entry, unit: 0 };
    let both = Mask::from_range(0, 8);

    log.issue(&write(0)); // 0: events 1, 2
    let older = log.submit(&write(0)); // 1: 3, 6
    log.issue(&Bio::write(0..4).fua()); // 2: 4, 5
    log.advance(older);

    let cut = Cut::new(&log, 6).unwrap();

    assert!(cut.lies_above(&log.entries[1], &log.entries[2]));
    assert!(!cut.lies_above(&log.entries[0], &log.entries[1]));
    assert_eq!(visible(&log, &cut, piece(1)), both);
    assert_eq!(visible(&log, &cut, piece(0)), Mask::from_range(4, 8));
    assert!(is_shadowed(&log, &cut, piece(0), [piece(1)]));
    assert!(!is_shadowed(&log, &cut, piece(0), [piece(0)]));
    assert_eq!(visible(&log, &cut, piece(9)), Mask::EMPTY);

    // The same with a flush that did not cover the older.
    let mut log = Log::new(8, true);

    log.submit(&write(0));
    log.issue(&write(0));
    log.issue(&Bio::flush());

    let cut = Cut::new(&log, 5).unwrap();

    assert_eq!(outcome(&log, 5), ("1".to_owned(), "0:0".to_owned()));
    assert_eq!(visible(&log, &cut, piece(0)), both);
}

/// A run is accepted or refused as its pieces are, and a long one at once.
#[test]
fn long_runs() {
    const DISK_END: u64 = 1 << 40;

    let mut log = Log::of(8, true, [Bio::write(0..8)]);

    log.entries[0].nr_sectors = !7;
    log.issue(&write(DISK_END).fua());
    log.issue(&write(12_345).fua());
    log.issue(&Bio::write(12_346 * 8..12_346 * 8 + 7).fua());

    let cut = Cut::new(&log, log.last).unwrap();
    let last = u64::from(u32::MAX / 8) - 1;
    let table = [
        (0..=12_344, Ok(())),
        (12_346..=last, Ok(())),
        (12_346..=12_346, Ok(())),
        (0..=last, Err(Illegal::Retired)),
        (12_345..=12_345, Err(Illegal::Retired)),
        (12_346..=last + 1, Err(Illegal::OutsideWrite)),
        (RangeInclusive::new(1, 0), Err(Illegal::OutsideWrite)),
        (0..=u64::MAX, Err(Illegal::OutsideWrite)),
    ];

    for (run, expected) in table {
        let found = check_pieces(&log, &cut, 0, run.clone(), None);

        assert_eq!(found, expected, "{run:?}");
    }

    let previous = Piece { entry: 0, unit: 7 };

    assert_eq!(
        check_pieces(&log, &cut, 0, 7..=9, Some(previous)),
        Err(Illegal::OutOfOrder)
    );
    assert_eq!(check_pieces(&log, &cut, 0, 8..=9, Some(previous)), Ok(()));
}

#[test]
fn refusals() {
    let bios = [
        write(0),               // 0: events 1, 2
        write(0).fua(),         // 1: 3, 4
        Bio::write(unit(4, 2)), // 2: 5, 6
        write(6).preflush(),    // 3: 7, 8, 9
        Bio::flush(),           // 4: 10, 11
        Bio::mark(),            // 5: 12
        write(7),               // 6: 13, 14
    ];
    let log = Log::of(8, true, bios);
    let table = [
        (4, (0, 0), Err(Illegal::Retired)),
        (3, (0, 0), Ok(())),
        (4, (1, 0), Err(Illegal::AlreadyStable)),
        (3, (1, 0), Ok(())),
        (2, (1, 0), Err(Illegal::NotSubmitted)),
        (6, (2, 3), Err(Illegal::OutsideWrite)),
        (6, (2, 4), Ok(())),
        (6, (2, 5), Ok(())),
        (6, (2, 6), Err(Illegal::OutsideWrite)),
        (7, (2, 4), Ok(())),
        (8, (2, 4), Err(Illegal::AlreadyStable)),
        (6, (3, 6), Err(Illegal::NotSubmitted)),
        (7, (3, 6), Err(Illegal::NotStarted)),
        (8, (3, 6), Ok(())),
        (14, (4, 0), Err(Illegal::NotAWrite)),
        (14, (5, 0), Err(Illegal::NotAWrite)),
        (14, (6, 7), Ok(())),
        (14, (7, 7), Err(Illegal::NotAWrite)),
        (14, (usize::MAX, u64::MAX), Err(Illegal::NotAWrite)),
        (14, (6, u64::MAX), Err(Illegal::OutsideWrite)),
    ];

    for (event, (entry, unit), expected) in table {
        let cut = Cut::new(&log, event).unwrap();
        let piece = Piece { entry, unit };

        assert_eq!(
            check_piece(&log, &cut, piece, None),
            expected,
            "{event} {piece:?}"
        );
    }

    let cut = Cut::new(&log, 6).unwrap();
    let piece = |unit| Piece { entry: 2, unit };

    assert_eq!(check_piece(&log, &cut, piece(5), Some(piece(4))), Ok(()));
    for previous in [5, 6] {
        assert_eq!(
            check_piece(&log, &cut, piece(5), Some(piece(previous))),
            Err(Illegal::OutOfOrder)
        );
    }
    assert_eq!(Cut::new(&log, 15), Err(Illegal::CutAfterLastEvent));
    assert_eq!(
        Illegal::Retired.to_string(),
        "newer stable writes have retired that piece"
    );
}

#[test]
fn writes_by_their_submit_event() {
    let log = Log::of(
        8,
        true,
        [write(0), Bio::flush(), write(1).preflush(), Bio::mark()],
    );

    assert_eq!(find_write(&log, 1), Ok(0));
    assert_eq!(find_write(&log, 5), Ok(2));
    for event in [0, 2, 3, 6, 7, 8, 9, u64::MAX] {
        assert_eq!(find_write(&log, event), Err(Illegal::NotAWrite), "{event}");
    }
}

/// A unit of eight blocks of 512 bytes: writes of parts overlay each other.
#[test]
fn parts_of_a_unit() {
    let bios = [
        Bio::write(0..4),
        Bio::write(2..6),
        Bio::write(0..3).fua(),
        Bio::write(2..6),
    ];
    let log = Log::of(8, true, bios);
    let cut = Cut::new(&log, 8).unwrap();
    let kept: Vec<_> = pending(&log, &cut).collect();

    // Sector 3 of the first is still to be seen, if none of the others is kept.
    assert_eq!(
        kept.iter().map(|piece| piece.entry).collect::<Vec<_>>(),
        [0, 1, 3]
    );
    assert!(!is_shadowed(&log, &cut, kept[0], []));
    assert!(is_shadowed(&log, &cut, kept[0], [kept[1]]));
    assert!(is_shadowed(&log, &cut, kept[1], kept.clone()));
    assert!(!is_shadowed(&log, &cut, kept[2], kept.clone()));
}

/// The ends of spans of the trace in the model's documentation, and of others.
#[test]
fn span_ends() {
    let journal = [write(1), write(2).preflush().fua(), write(9)];
    let with_flushes = journal.iter().cloned().chain([Bio::flush(), Bio::flush()]);
    let table: [(&str, bool, Vec<Bio>, &[u64]); 8] = [
        ("nothing", true, vec![], &[0]),
        (
            "flushes of nothing",
            true,
            vec![Bio::flush(), Bio::flush()],
            &[4],
        ),
        ("a journal", true, journal.to_vec(), &[3, 4, 7]),
        (
            "a journal and flushes",
            true,
            with_flushes.collect(),
            &[3, 4, 8],
        ),
        ("writes alone", true, vec![write(0), write(1)], &[4]),
        (
            "a late mark",
            true,
            vec![write(0), Bio::flush(), Bio::mark()],
            &[3, 5],
        ),
        (
            "FUA writes",
            true,
            vec![write(0).fua(), write(1).fua()],
            &[1, 3],
        ),
        (
            "no cache",
            false,
            vec![write(0), write(1), Bio::flush()],
            &[1, 3],
        ),
    ];

    for (name, write_cache, bios, expected) in table {
        let log = Log::of(8, write_cache, bios);

        for marks in [Marks::Any, Marks::Monotone] {
            let ends: Vec<_> = spans(&log, marks).map(|cut| cut.event).collect();

            assert_eq!(ends, expected, "{name}, {marks:?}");
        }
    }
}

/// The ends of spans where any mark counts, and where more marks never mend.
#[test]
fn span_ends_before_marks() {
    /// A name, what happens, and the ends of spans where any mark counts and where not.
    type Row<'a> = (&'a str, Vec<Bio>, &'a [u64], &'a [u64]);
    let (mark, flush) = (Bio::mark, Bio::flush);
    let table: [Row<'_>; 5] = [
        ("a mark alone", vec![mark()], &[0, 1], &[1]),
        (
            "marks with nothing between",
            vec![flush(), mark(), mark()],
            &[2, 3, 4],
            &[4],
        ),
        (
            "put and del",
            vec![write(0), mark(), write(0), mark(), flush()],
            &[2, 5, 7],
            &[7],
        ),
        (
            "put, flushed, and del",
            vec![write(0), flush(), mark(), write(0), flush(), mark()],
            &[3, 8, 10],
            &[3, 8, 10],
        ),
        (
            "after a FUA write",
            vec![write(0).fua(), mark(), write(1)],
            &[1, 5],
            &[1, 5],
        ),
    ];

    for (name, bios, any, monotone) in table {
        let log = Log::of(8, true, bios);

        for (marks, expected) in [(Marks::Any, any), (Marks::Monotone, monotone)] {
            let ends: Vec<_> = spans(&log, marks).map(|cut| cut.event).collect();

            assert_eq!(ends, expected, "{name}, {marks:?}");
        }
    }
}

#[test]
fn op_numbers() {
    for op in [Op::Write, Op::WriteZeroes, Op::Discard, Op::Flush, Op::Mark] {
        assert_eq!(Op::try_from(op as u8), Ok(op));
    }
    for number in [0, 6, 255] {
        assert_eq!(Op::try_from(number), Err(UnknownOp(number)));
    }
}

/// Numbers that no recorder gives: no answer to rely on, but no overflow either.
#[test]
fn extremes() {
    let mut log = Log::of(8, true, [write(0), write(1).preflush().fua()]);

    for entry in &mut log.entries {
        entry.sector = u64::MAX - 9;
        entry.nr_sectors = u32::MAX;
    }
    for unit_sectors in [0, 1, 3, 8, 128, 256, u32::MAX] {
        log.geometry.unit_sectors = unit_sectors;
        for event in 0..=log.last {
            let cut = Cut::new(&log, event).unwrap();

            for piece in pending(&log, &cut).take(100) {
                assert_eq!(check_piece(&log, &cut, piece, None), Ok(()));
                assert!(!is_shadowed(&log, &cut, piece, [piece]));
            }
        }
    }
    for event in [log.last + 1, u64::MAX] {
        assert_eq!(Cut::new(&log, event), Err(Illegal::CutAfterLastEvent));
    }
}
