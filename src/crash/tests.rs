// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of selections: which are legal, and what they show.

use super::*;
use crate::{
    block::Flags,
    disk::tests::{
        disk,
        disk_of_prefixes,
        disk_of_rmw,
        disk_with,
        flush,
        look_after,
        put,
        view_of,
        write,
        Shown, //
    },
    model::Op,
};

/// A record to select from. Events: 1, 2 page 1; 3, 4 pages 2 to 4; 5, 6 flush; 7, 8
/// pages 1 to 3; 9, 10 FUA page 2; 11 mark; 12, 13, 14 PREFLUSH page 5; 15, 16 discard of
/// page 1.
fn recorded() -> Result<Arc<RecordedDisk>> {
    let disk = disk()?;
    put(&disk, (8, 8), 1)?;
    put(&disk, (16, 24), 2)?;
    flush(&disk)?;
    put(&disk, (8, 24), 3)?;
    write(&disk, Flags::FUA, (16, 8), 4)?;
    disk.mark(b"mark")?;
    write(&disk, Flags::PREFLUSH, (40, 8), 5)?;
    crate::disk::tests::zero(&disk, Op::Discard, (8, 8))?;
    Ok(disk)
}

fn parse(disk: &RecordedDisk, text: &[u8]) -> Result<Selection> {
    disk.with_record(|record, _| Selection::parse(text, record))
}

/// Whether a selection reads as it was written.
fn is_stable_text(disk: &RecordedDisk, text: &[u8]) -> Result<bool> {
    let shown = kernel::str::CString::try_from_fmt(fmt!("{}", parse(disk, text)?))?;
    Ok(shown.to_bytes() == text)
}

const LEGAL: &[&[u8]] = &[
    b"cut=0 keep=none",
    b"cut=0 keep=all",
    b"cut=16 keep=none",
    b"cut=16 keep=all",
    b"cut=1 keep=1:1",
    b"cut=2 keep=1:1",
    b"cut=4 keep=1:1,3:2-4",
    b"cut=4 keep=3:2,3:4",
    b"cut=5 keep=3:3-4",
    b"cut=8 keep=7:1-3",
    b"cut=9 keep=7:1-3,9:2",
    // The FUA write has retired page 2 of the one before it.
    b"cut=10 keep=7:1,7:3",
    // Submitted, its flush under way.
    b"cut=12 keep=7:1",
    b"cut=13 keep=12:5",
    b"cut=14 keep=12:5",
    b"cut=16 keep=12:5,15:1",
];

/// What is no state, and why.
const MALFORMED: &[&[u8]] = &[
    b"",
    b"cut=2",
    b"keep=none",
    b"cut=2 keep=",
    b"cut= keep=none",
    b"cut=2  keep=none",
    b" cut=2 keep=none",
    b"cut=2 keep=none ",
    b"cut=2 keep=none x",
    b"keep=none cut=2",
    b"cut=-1 keep=none",
    b"cut=+1 keep=none",
    b"cut=0x2 keep=none",
    b"cut=2 keep=None",
    b"cut=2 keep=all,1:1",
    b"cut=2 keep=1",
    b"cut=2 keep=1:",
    b"cut=2 keep=:1",
    b"cut=2 keep=1:1,",
    b"cut=2 keep=,1:1",
    b"cut=2 keep=1:1-",
    b"cut=2 keep=1:-1",
    b"cut=2 keep=1:1-1-1",
    b"cut=2 keep=1:1:1",
    b"cut=2 keep=1:1\n",
    b"cut=2 keep=1:1\0",
];

const ILLEGAL: &[&[u8]] = &[
    // After the last event.
    b"cut=17 keep=none",
    b"cut=18446744073709551615 keep=none",
    // A flush, a mark, a complete and a start event, none at all.
    b"cut=6 keep=5:1",
    b"cut=11 keep=11:1",
    b"cut=2 keep=2:1",
    b"cut=16 keep=13:5",
    b"cut=16 keep=0:1",
    b"cut=16 keep=99:1",
    // Not submitted.
    b"cut=2 keep=3:2",
    b"cut=0 keep=1:1",
    // Waiting for its own flush.
    b"cut=12 keep=12:5",
    // Stable by the flush, by FUA, by the PREFLUSH.
    b"cut=6 keep=1:1",
    b"cut=6 keep=3:3",
    b"cut=10 keep=9:2",
    b"cut=13 keep=7:1",
    // Retired.
    b"cut=10 keep=7:2",
    b"cut=10 keep=7:1-3",
    // Outside the write.
    b"cut=2 keep=1:0",
    b"cut=2 keep=1:2",
    b"cut=4 keep=3:1-4",
    b"cut=4 keep=3:2-5",
    b"cut=4 keep=3:0-18446744073709551615",
    b"cut=4 keep=3:2-18446744073709551615",
    b"cut=4 keep=3:18446744073709551615",
    // Out of order, twice.
    b"cut=4 keep=3:4-2",
    b"cut=4 keep=3:2,1:1",
    b"cut=4 keep=3:4,3:2",
    b"cut=4 keep=1:1,1:1",
    b"cut=4 keep=3:2-3,3:3-4",
];

/// Units of a size, writes of `(sectors, byte)`, and what states show of page 1.
type Tear = (
    u32,
    &'static [((u64, u32), u8)],
    &'static [(&'static [u8], Shown)],
);

const TEARS: &[Tear] = &[
    // Smaller than a page: neighbours don't come along.
    (
        512,
        &[((9, 3), 1), ((11, 2), 2)],
        &[
            (b"cut=4 keep=none", [0; 8]),
            (b"cut=4 keep=all", [0, 1, 1, 2, 2, 0, 0, 0]),
            (b"cut=4 keep=1:9", [0, 1, 0, 0, 0, 0, 0, 0]),
            (b"cut=4 keep=1:11,3:12", [0, 0, 0, 1, 2, 0, 0, 0]),
            (b"cut=4 keep=1:9-11,3:11-12", [0, 1, 1, 2, 2, 0, 0, 0]),
            (b"cut=4 keep=3:11-12", [0, 0, 0, 2, 2, 0, 0, 0]),
        ],
    ),
    (
        1024,
        &[((8, 6), 1), ((10, 2), 2)],
        &[
            (b"cut=4 keep=1:4,1:6", [1, 1, 0, 0, 1, 1, 0, 0]),
            (b"cut=4 keep=1:4-6", [1, 1, 1, 1, 1, 1, 0, 0]),
            (b"cut=4 keep=3:5", [0, 0, 2, 2, 0, 0, 0, 0]),
        ],
    ),
    // A page.
    (
        4096,
        &[((0, 24), 1), ((8, 8), 2)],
        &[
            (b"cut=4 keep=1:0,1:2", [0; 8]),
            (b"cut=4 keep=1:1", [1; 8]),
            (b"cut=4 keep=1:1,3:1", [2; 8]),
        ],
    ),
    // Larger than a page: pages 0 and 1 stand or fall together.
    (
        8192,
        &[((0, 32), 1), ((8, 16), 2)],
        &[
            (b"cut=4 keep=1:1", [0; 8]),
            (b"cut=4 keep=1:0", [1; 8]),
            (b"cut=4 keep=1:0,3:1", [1; 8]),
            (b"cut=4 keep=3:0", [2; 8]),
        ],
    ),
    (
        65536,
        &[((8, 8), 1), ((120, 16), 2)],
        &[(b"cut=4 keep=1:0", [1; 8]), (b"cut=4 keep=3:0-1", [0; 8])],
    ),
];

fn check_tear(&(unit, writes, states): &Tear) -> Result<bool> {
    let disk = disk_with(unit, 0)?;
    disk.start_record()?;
    for (sectors, byte) in writes {
        put(&disk, *sectors, *byte)?;
    }
    let view = view_of(&disk)?;
    for (index, (state, expected)) in states.iter().enumerate() {
        if look_after(&view, state, 1)? != *expected {
            pr_err!("wrong: unit {} state {}\n", unit, index);
            return Ok(false);
        }
    }
    Ok(true)
}

// The tests' entry points from C are made by the macro; this is not for anything else.
#[allow(unsafe_code)]
#[kunit_tests(powercut_selections)]
mod suite {
    use super::*;

    #[test]
    fn legal_states_read_as_they_were_written() -> Result {
        let disk = recorded()?;
        for text in LEGAL {
            assert!(is_stable_text(&disk, text) == Ok(true));
        }
        // One unit has no range.
        let one =
            kernel::str::CString::try_from_fmt(fmt!("{}", parse(&disk, b"cut=1 keep=1:1-1")?))?;
        assert!(one.to_bytes() == b"cut=1 keep=1:1");
        Ok(())
    }

    #[test]
    fn malformed_states_are_refused() -> Result {
        let disk = recorded()?;
        for text in MALFORMED {
            assert!(parse(&disk, text).is_err_and(|error| error == EINVAL));
        }
        let large = parse(&disk, b"cut=18446744073709551616 keep=none");
        assert!(large.is_err_and(|error| error == ERANGE));
        Ok(())
    }

    #[test]
    fn states_outside_the_contract_are_refused() -> Result {
        let disk = recorded()?;
        for text in ILLEGAL {
            assert!(parse(&disk, text).is_err_and(|error| error == EINVAL));
        }
        Ok(())
    }

    #[test]
    fn a_refused_state_changes_nothing() -> Result {
        let disk = recorded()?;
        let view = view_of(&disk)?;
        let below = view.below().ok_or(EINVAL)?;
        let text = || kernel::str::CString::try_from_fmt(fmt!("{}", *below.selection()));
        assert!(text()?.to_bytes() == b"cut=0 keep=none");
        below.select(b"cut=4 keep=3:2-3")?;
        for state in Iterator::chain(ILLEGAL.iter(), MALFORMED) {
            assert!(below.select(state).is_err());
        }
        assert!(text()?.to_bytes() == b"cut=4 keep=3:2-3");
        Ok(())
    }

    #[test]
    fn writes_tear_by_units() {
        for tear in TEARS {
            assert!(check_tear(tear) == Ok(true));
        }
    }

    #[test]
    fn prefixes() -> Result {
        // Page 2 of the first write is retired.
        let disk = disk_of_prefixes()?;
        put(&disk, (8, 32), 1)?;
        write(&disk, Flags::FUA, (16, 8), 2)?;
        put(&disk, (48, 16), 3)?;
        let legal: &[(&[u8], [u8; 4])] = &[
            (b"cut=6 keep=none", [0, 2, 0, 0]),
            (b"cut=6 keep=all", [1, 2, 1, 1]),
            (b"cut=6 keep=1:1", [1, 2, 0, 0]),
            (b"cut=6 keep=1:1,1:3", [1, 2, 1, 0]),
            (b"cut=6 keep=1:1,1:3-4,5:6", [1, 2, 1, 1]),
            (b"cut=6 keep=5:6-7", [0, 2, 0, 0]),
            (b"cut=2 keep=1:1-3", [1, 1, 1, 0]),
        ];
        let view = view_of(&disk)?;
        for (state, pages) in legal {
            for (page, byte) in (1..).zip(pages) {
                assert!(look_after(&view, state, page)? == [*byte; 8]);
            }
        }
        let illegal: [&[u8]; 6] = [
            b"cut=6 keep=1:3",
            b"cut=6 keep=1:3-4",
            b"cut=6 keep=1:1,1:4",
            b"cut=6 keep=1:1,5:7",
            b"cut=2 keep=1:1,1:3",
            b"cut=2 keep=1:4",
        ];
        for state in illegal {
            assert!(parse(&disk, state).is_err_and(|error| error == EINVAL));
        }
        Ok(())
    }

    #[test]
    fn writes_cost_their_neighbours() -> Result {
        // Pages 1 and 2: a base, stable data, then writes of a part of one, and of parts of both.
        let disk = disk_of_rmw()?;
        put(&disk, (8, 16), 1)?;
        flush(&disk)?;
        put(&disk, (10, 2), 2)?;
        put(&disk, (15, 2), 3)?;
        write(&disk, Flags::FUA, (12, 1), 4)?;
        let legal: &[(&[u8], Shown, Shown)] = &[
            (b"cut=10 keep=none", [1, 1, 1, 1, 4, 1, 1, 1], [1; 8]),
            (
                b"cut=10 keep=all",
                [1, 1, 2, 2, 4, 1, 1, 3],
                [3, 1, 1, 1, 1, 1, 1, 1],
            ),
            // What is lost is, whether or not the write is, and though it was stable.
            (b"cut=10 keep=5:12", [1, 1, 1, 1, 0, 1, 1, 1], [1; 8]),
            (b"cut=10 keep=5:8-15", [0, 0, 2, 2, 0, 0, 0, 0], [1; 8]),
            // It lies above what is kept.
            (b"cut=10 keep=5:10,7:10", [1, 1, 0, 1, 4, 1, 1, 1], [1; 8]),
            (
                b"cut=10 keep=5:9,7:13-14,7:16-17,7:23",
                [1, 0, 1, 1, 4, 0, 0, 1],
                [3, 0, 1, 1, 1, 1, 1, 0],
            ),
            // The FUA write is in flight.
            (b"cut=9 keep=9:13", [1, 1, 1, 1, 1, 0, 1, 1], [1; 8]),
        ];
        let view = view_of(&disk)?;
        for (state, first, second) in legal {
            assert!(look_after(&view, state, 1)? == *first);
            assert!(look_after(&view, state, 2)? == *second);
        }
        let illegal: [&[u8]; 7] = [
            // Not of that block, nor of both.
            b"cut=10 keep=5:16",
            b"cut=10 keep=5:7",
            b"cut=10 keep=5:8-16",
            b"cut=10 keep=7:24",
            // Stable, or covered whole.
            b"cut=10 keep=9:13",
            b"cut=10 keep=1:7",
            b"cut=2 keep=1:24",
        ];
        for state in illegal {
            assert!(parse(&disk, state).is_err_and(|error| error == EINVAL));
        }
        // A disk without the setting has no such states.
        let other = disk_with(512, 0)?;
        other.start_record()?;
        put(&other, (10, 2), 2)?;
        assert!(parse(&other, b"cut=2 keep=1:10").is_ok());
        assert!(parse(&other, b"cut=2 keep=1:12").is_err_and(|error| error == EINVAL));
        Ok(())
    }

    #[test]
    fn a_growing_log_changes_no_state() -> Result {
        let disk = recorded()?;
        let view = view_of(&disk)?;
        assert!(look_after(&view, b"cut=8 keep=7:1", 1)? == [3; 8]);
        put(&disk, (8, 8), 9)?;
        flush(&disk)?;
        let page = view.page(1)?;
        assert!(crate::store::tests::shown(&page) == [3; 8]);
        disk.stop_record()?;
        put(&disk, (8, 8), 10)?;
        let page = view.page(1)?;
        assert!(crate::store::tests::shown(&page) == [3; 8]);
        Ok(())
    }
}
