// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of a record's limits. Those of its content: `crate::disk::tests`.

use super::*;
use crate::{
    model::{
        History,
        Op, //
    }, //
};

const ENTRY: u64 = ENTRY_BYTES as u64;
const TIMES: u64 = packed::TIMES_BYTES as u64;
const CHUNK: usize = log::CHUNK_ENTRIES;

fn record(limit_bytes: u64) -> Record {
    let geometry = model::Geometry {
        unit_sectors: 8,
        write_cache: true,
        tear: model::Tear::Any,
        members: model::Members::ONE,
    };
    Record::new(geometry, limit_bytes, 1)
}

/// Submits a bio of a block, with that much data.
fn push(record: &mut Record, op: Op, flags: Flags, data_bytes: u64) -> Result<u32> {
    let mut write = Write::new(op, flags, 8, 8);
    let origin = Origin::Submit { is_done: false };
    record.push(&mut write, origin, data_bytes, |_| Ok(()))
}

/// Whether there is room for a write with that much data. It is not stored, and comes to nothing.
fn fits(record: &mut Record, data_bytes: u64) -> Result {
    let mut write = Write::new(Op::Write, Flags::default(), 8, 8);
    write.nowait = NoWait(true);
    let origin = Origin::Submit { is_done: true };
    let mut is_room = false;
    let pushed = record.push(&mut write, origin, data_bytes, |_| {
        is_room = true;
        Err(EBUSY)
    });
    match pushed {
        Err(_) if is_room => Ok(()),
        Err(error) => Err(error),
        Ok(_) => Err(EINVAL),
    }
}

/// A write with that much data.
fn write(record: &mut Record, data_bytes: u64) -> Result {
    let index = push(record, Op::Write, Flags::default(), data_bytes)?;
    record.complete_bio_inline(index)
}

/// An entry as an import brings it.
fn entry(op: Op, submit: u64, start_after: u64, complete: u64) -> Write {
    let flags = if start_after == 0 {
        Flags::default()
    } else {
        Flags::PREFLUSH
    };
    let mut write = Write::new(op, flags, 0, 8);
    write.entry.submit = submit;
    write.entry.start = submit + start_after;
    write.entry.complete = complete;
    write
}

fn import(record: &mut Record, entry: Write) -> Result {
    import_with(record, entry, &[])
}

/// With the text of a mark.
fn import_with(record: &mut Record, entry: Write, text: &[u8]) -> Result {
    let mut entry = entry;
    record.import(&mut entry, Submitter::default(), text)?;
    Ok(())
}

fn submitter(pid: u32, stack: u32) -> Submitter {
    let task = TaskId {
        pid,
        ..TaskId::default()
    };
    Submitter { task, stack }
}

/// Whether a log of that many entries gives each of them back.
fn check_log(nr_entries: usize) -> Result<bool> {
    let mut log = Log::new();
    for submit in 0..nr_entries as u64 {
        // Every other one is complete at once.
        let entry = entry(Op::Write, submit, 0, submit + 1 + submit % 2);
        // What could not be stored is not there.
        let failed = log.push(&entry, || Err(EIO));
        if failed != Err(EIO) {
            return Ok(false);
        }
        log.push(&entry, || Ok(()))?;
    }
    let are_there = (0..nr_entries as u64).zip(0..).all(|(submit, index)| {
        let complete = submit + 1 + submit % 2;
        log.get(index)
            .is_some_and(|write| (write.entry.submit, write.entry.complete) == (submit, complete))
    });
    Ok(are_there && log.len() == nr_entries && log.get(nr_entries).is_none())
}

// The tests' entry points from C are made by the macro; this is not for anything else.
#[allow(unsafe_code)]
#[kunit_tests(powercut_limits)]
mod suite {
    use super::*;

    #[test]
    fn memory_is_counted() -> Result {
        let mut record = record(0);
        assert!(record.bytes() == 0);
        write(&mut record, 4096)?;
        assert!(record.bytes() == 4096 + ENTRY);
        record.push_mark(b"mark")?;
        assert!(record.bytes() == 4096 + 4 + 2 * ENTRY);
        Ok(())
    }

    #[test]
    fn what_is_not_complete_at_once_takes_more() -> Result {
        let mut record = record(0);
        let first = push(&mut record, Op::Write, Flags::PREFLUSH, 0)?;
        assert!(record.bytes() == ENTRY + TIMES);
        record.complete_bio_inline(first)?;
        assert!(record.bytes() == ENTRY);
        let [second, third] = [0; 2].map(|_| push(&mut record, Op::Write, Flags::default(), 0));
        assert!(record.bytes() == 3 * ENTRY + 2 * TIMES);
        record.complete_bio_inline(second?)?;
        record.complete_bio_inline(third?)?;
        assert!(record.bytes() == 3 * ENTRY + 2 * TIMES);
        let events = (0..3).map(|index| record.log_entry(index));
        let events = events.map(|write| write.map(|w| w.entry));
        let events = events.map(|entry| entry.map(|e| (e.submit, e.start, e.complete)));
        assert!(events.eq([(1, 2, 3), (4, 4, 6), (5, 5, 7)].map(Some)));
        Ok(())
    }

    #[test]
    fn a_record_fills_its_limit_to_the_byte() -> Result {
        let mut record = record(2 * (4096 + ENTRY));
        write(&mut record, 4096)?;
        write(&mut record, 4096)?;
        assert!(record.truncated().is_none());
        assert!(write(&mut record, 0) == Err(ENOSPC));
        assert!(record
            .truncated()
            .is_some_and(|at| at.event == 5 && at.error == ENOSPC));
        assert!(record.nr_entries() == 2);
        assert!(record.last_event() == 4);
        assert!(record.bytes() == 2 * (4096 + ENTRY));
        Ok(())
    }

    #[test]
    fn a_log_that_ended_stays_ended() -> Result {
        let mut record = record(4 * ENTRY);
        write(&mut record, 0)?;
        assert!(fits(&mut record, u64::MAX) == Err(ENOSPC));
        // What would fit, what asks for nothing, and what fails otherwise.
        assert!(write(&mut record, 0) == Err(ENOSPC));
        assert!(record.push_mark(b"mark") == Err(ENOSPC));
        assert!(record.truncate(ENOMEM) == ENOSPC);
        assert!(record.truncated().is_some_and(|at| at.event == 3));
        assert!(record.nr_marks() == 0);
        assert!(record.nr_entries() == 1);
        Ok(())
    }

    #[test]
    fn no_limit_is_none() -> Result {
        let mut record = record(0);
        fits(&mut record, u64::MAX)?;
        write(&mut record, 1 << 40)?;
        assert!(record.truncated().is_none());
        Ok(())
    }

    #[test]
    fn marks_are_text_of_limited_length() -> Result {
        let mut record = record(0);
        let longest = [b'x'; MARK_MAX_BYTES + 1];
        assert!(record.push_mark(b"") == Err(EINVAL));
        assert!(record.push_mark(b"a\0b") == Err(EINVAL));
        assert!(record.push_mark(&longest) == Err(EINVAL));
        // None of these ends the log.
        assert!(record.truncated().is_none());
        assert!(record.last_event() == 0);

        record.push_mark(b"one")?;
        write(&mut record, 0)?;
        record.push_mark(longest.get(1..).ok_or(EINVAL)?)?;
        assert!(record.nr_marks() == 2);
        let text = |index| {
            record
                .log_entry(index)
                .and_then(|entry| record.mark_text(&entry))
        };
        assert!(text(0) == Some(b"one".as_slice()));
        assert!(text(1).is_none());
        assert!(text(2).is_some_and(|text| text.len() == MARK_MAX_BYTES));
        Ok(())
    }

    #[test]
    fn imports_follow_by_submit() -> Result {
        let mut record = record(0);
        import(&mut record, entry(Op::Write, 2, 0, 7))?;
        for submit in [1, 2] {
            assert!(import(&mut record, entry(Op::Write, submit, 0, 8)) == Err(EINVAL));
        }
        // A mark without text, or with a bad one.
        let mark = entry(Op::Mark, 3, 0, 3);
        assert!(import(&mut record, mark) == Err(EINVAL));
        assert!(import_with(&mut record, mark, b"a\0b") == Err(EINVAL));
        assert!(record.nr_entries() == 1);
        assert!(record.nr_marks() == 0);

        import_with(&mut record, mark, b"mark")?;
        assert!(record.last_event() == 7);
        Ok(())
    }

    #[test]
    fn imports_have_all_events_once() -> Result {
        use model::IN_FLIGHT;

        let good: [&[Write]; 4] = [
            &[],
            &[entry(Op::Write, 1, 0, 2), entry(Op::Write, 3, 1, 5)],
            &[entry(Op::Write, 1, 0, 4), entry(Op::Flush, 2, 0, 3)],
            &[entry(Op::Write, 1, 0, IN_FLIGHT), entry(Op::Flush, 2, 0, 3)],
        ];
        let bad: [&[Write]; 5] = [
            &[entry(Op::Write, 2, 0, 3)],
            &[entry(Op::Write, 1, 0, 2), entry(Op::Write, 4, 0, 5)],
            &[entry(Op::Write, 1, 0, 3), entry(Op::Write, 2, 0, 3)],
            &[entry(Op::Write, 1, 0, 2), entry(Op::Write, 2, 0, 3)],
            &[entry(Op::Write, 1, 0, u32::MAX.into())],
        ];
        for (logs, is_good) in [(&good[..], true), (&bad[..], false)] {
            for log in logs {
                let mut record = record(0);
                for entry in *log {
                    import(&mut record, *entry)?;
                }
                assert!(record.check_import().is_ok() == is_good);
            }
        }
        Ok(())
    }

    #[test]
    fn imports_keep_the_limit() -> Result {
        let mut record = record(2 * ENTRY);
        let mark = entry(Op::Mark, 1, 0, 1);
        import_with(&mut record, mark, b"m")?;
        let mark = entry(Op::Mark, 2, 0, 2);
        assert!(import_with(&mut record, mark, b"mm") == Err(ENOSPC));
        assert!(record.nr_marks() == 1);
        Ok(())
    }

    #[test]
    fn submitters_are_listed_once() -> Result {
        let mut submitters = Submitters::new();
        for (pid, stack, index) in [
            (7, 0, 0),
            (7, 0, 0),
            (9, 0, 1),
            (7, 0, 0),
            (8, 0, 2),
            (9, 0, 1),
            (9, 5, 3),
            (8, 5, 4),
            (9, 0, 1),
            (9, 5, 3),
        ] {
            let found = submitters.index_of(submitter(pid, stack), NoWait(false))?;
            assert!(found == index);
        }
        assert!(submitters.get(1) == submitter(9, 0));
        assert!(submitters.get(3) == submitter(9, 5));
        assert!(submitters.get(5) == Submitter::default());
        Ok(())
    }

    #[test]
    fn a_bio_is_logged_as_its_submitter() -> Result {
        let mut record = record(0);
        write(&mut record, 0)?;
        let entry = record.log_entry(0).ok_or(EINVAL)?;
        let mut expected = Submitter {
            task: TaskId::current(),
            stack: 0,
        };
        assert!(record.submitter(&entry) == expected);

        let mut from_elsewhere = Write::new(Op::Flush, Flags::PREFLUSH, 0, 0);
        from_elsewhere.stack = 77;
        let origin = Origin::Submit { is_done: true };
        let index = record.push(&mut from_elsewhere, origin, 0, |_| Ok(()))?;
        let entry = record.log_entry(index as usize).ok_or(EINVAL)?;
        expected.stack = 77;
        assert!(record.submitter(&entry) == expected);
        Ok(())
    }

    #[test]
    fn logs_grow_across_chunks() -> Result {
        for nr_entries in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 1000] {
            assert!(check_log(nr_entries)?);
        }
        Ok(())
    }

    #[test]
    fn lookups_find_the_newest_flush_and_fua_write() -> Result {
        let mut record = record(0);
        let kinds = [
            (Op::Write, Flags::default()),
            (Op::Flush, Flags::PREFLUSH),
            (Op::Write, Flags::FUA),
            (Op::Write, Flags::PREFLUSH | Flags::FUA),
            // A flush has no data of its own to be FUA.
            (Op::Flush, Flags::PREFLUSH | Flags::FUA),
            (Op::Write, Flags::default()),
        ];
        for (op, flags) in kinds {
            let index = push(&mut record, op, flags, 0)?;
            record.complete_bio_inline(index)?;
        }
        for (within, flush, fua) in [
            (0..6, Some(4), Some(3)),
            (0..4, Some(3), Some(3)),
            (0..3, Some(1), Some(2)),
            (0..2, Some(1), None),
            (0..1, None, None),
            (5..6, None, None),
            (2..3, None, Some(2)),
            (4..5, Some(4), None),
            (3..3, None, None),
        ] {
            assert!(record.newest_flush(within.clone(), 0) == flush);
            assert!(record.newest_flush(within.clone(), 1).is_none());
            assert!(record.newest_fua(within) == fua);
        }
        Ok(())
    }

    #[test]
    fn bios_complete_in_any_order() -> Result {
        let mut record = record(0);
        let flush = Flags::PREFLUSH;
        for flags in [Flags::default(), flush, Flags::default()] {
            push(&mut record, Op::Write, flags, 0)?;
        }
        assert!(record.last_event() == 3);
        record.complete_bio(2)?;
        record.start_bio(1)?;
        record.complete_bio(0)?;
        let events = |index| {
            record
                .log_entry(index)
                .map(|write| (write.entry.submit, write.entry.start, write.entry.complete))
        };
        assert!(events(0) == Some((1, 1, 6)));
        assert!(events(1) == Some((2, 5, model::IN_FLIGHT)));
        assert!(events(2) == Some((3, 3, 4)));
        for (event, index) in [(0, 0), (3, 0), (5, 0), (6, 1), (u64::MAX - 1, 1)] {
            assert!(record.first_completing_after(event) == index);
        }
        Ok(())
    }

    #[test]
    fn what_is_in_flight_for_long_is_found() -> Result {
        let mut record = record(0);
        let index = push(&mut record, Op::Write, Flags::default(), 0)?;
        for _ in 0..300 {
            write(&mut record, 0)?;
        }
        assert!(record.first_completing_after(500) == 0);
        record.complete_bio(index)?;
        assert!(record.first_completing_after(500) == 0);
        assert!(record.first_completing_after(602) == 301);
        for _ in 0..100 {
            write(&mut record, 0)?;
        }
        assert!(record.first_completing_after(700) == 350);
        Ok(())
    }

    #[test]
    fn lookups_find_the_entry_that_completes_next() -> Result {
        let mut record = record(0);
        for _ in 0..100 {
            write(&mut record, 0)?;
        }
        for (event, index) in [
            (0, 0),
            (1, 0),
            (2, 1),
            (3, 1),
            (199, 99),
            (200, 100),
            (201, 100),
        ] {
            assert!(record.first_completing_after(event) == index);
        }
        for (event, index) in [(0, 0), (1, 1), (2, 1), (3, 2), (199, 100), (u64::MAX, 100)] {
            assert!(record.submitted_by(event) == index);
        }
        Ok(())
    }

    #[test]
    fn lookups_count_what_was_submitted() -> Result {
        for nr_entries in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 300] {
            let mut record = record(0);
            for _ in 0..nr_entries {
                write(&mut record, 0)?;
            }
            let nr_entries = nr_entries as u64;
            // There may be a chunk without an entry.
            fits(&mut record, 0)?;
            for event in 0..=2 * nr_entries + 1 {
                let submitted = event.div_ceil(2).min(nr_entries);
                assert!(record.submitted_by(event) as u64 == submitted);
            }
        }
        Ok(())
    }
}
