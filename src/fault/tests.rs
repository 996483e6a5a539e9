// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of the rules.

use super::*;
use kernel::str::CString;

const DISK: Extent = Extent {
    nr_sectors: 2048,
    block_sectors: 8,
};

/// Rules as they are written, and as they are shown; not so but for the hits: itself.
const GOOD: &[(&str, &str)] = &[
    ("flush-lies", ""),
    ("flush-lies after=3 every=2 count=5 prob=1/3 seed=7", ""),
    ("fua-ignored lba=0-2047", ""),
    ("lost", ""),
    ("lost op=discard,write", "lost op=write,discard"),
    ("lost seed=18446744073709551615", ""),
    ("misdirected to=8 lba=16-23", "misdirected lba=16-23 to=8"),
    ("misdirected to=2040", ""),
    ("corrupt bytes=65536", ""),
    ("stale lba=5", "stale lba=5-5"),
    ("eio op=flush", ""),
    ("eio lba=8-15 op=read,flush", "eio op=read,flush lba=8-15"),
    ("eio prob=25%", "eio prob=25/100"),
    ("eio prob=1/1", ""),
    ("latency usec=10000000", ""),
];

/// What is no rule, and why.
const BAD: &[(&str, Error)] = &[
    ("Lost", EINVAL),
    ("loss", EINVAL),
    (" lost", EINVAL),
    ("lost ", EINVAL),
    ("lost  count=1", EINVAL),
    ("lost count", EINVAL),
    ("lost count=", EINVAL),
    ("lost count=0", EINVAL),
    ("lost every=0", EINVAL),
    ("lost count=1=2", EINVAL),
    ("lost count=1 count=1", EINVAL),
    ("lost count=-1", EINVAL),
    ("lost count=1x", EINVAL),
    ("lost count=18446744073709551616", ERANGE),
    ("lost hits=0", EINVAL),
    ("lost op=read", EINVAL),
    ("lost op=flush", EINVAL),
    ("lost op=", EINVAL),
    ("lost op=write,write", EINVAL),
    ("lost op=write,", EINVAL),
    ("lost lba=9-8", EINVAL),
    ("lost lba=1-2-3", EINVAL),
    ("lost lba=-", EINVAL),
    ("lost lba=0-2048", ERANGE),
    ("lost prob=0/1", EINVAL),
    ("lost prob=2/1", EINVAL),
    ("lost prob=1/0", EINVAL),
    ("lost prob=0%", EINVAL),
    ("lost prob=101%", EINVAL),
    ("lost prob=0.5", EINVAL),
    ("lost to=8", EINVAL),
    ("lost bytes=1", EINVAL),
    ("lost usec=1", EINVAL),
    ("flush-lies lba=0-7", EINVAL),
    ("flush-lies op=flush", EINVAL),
    ("stale op=read", EINVAL),
    ("eio op=flush lba=0-7", EINVAL),
    ("misdirected to=4", EINVAL),
    ("misdirected to=2048", ERANGE),
    ("corrupt bytes=0", EINVAL),
    ("corrupt bytes=65537", EINVAL),
    ("latency", EINVAL),
    ("latency usec=0", EINVAL),
    ("latency usec=10000001", EINVAL),
    ("lost\n", EINVAL),
    ("lost\n\nlost", EINVAL),
    ("+lost\nlost", EINVAL),
    ("lost\n+lost", EINVAL),
    ("+", EINVAL),
];

fn access(op: AccessOp, sector: u64, nr_sectors: u32) -> Access {
    Access {
        op,
        sector,
        nr_sectors,
        flushes: op == AccessOp::Flush,
        is_fua: false,
        has_data: op == AccessOp::Write,
    }
}

fn faults(rules: &str) -> Result<Faults> {
    let mut faults = Faults::new(DISK);
    faults.set_rules(rules.as_bytes())?;
    Ok(faults)
}

fn shows(faults: &Faults, text: &str) -> Result<bool> {
    let shown = CString::try_from_fmt(fmt!("{}", faults.rules()))?;
    Ok(shown.to_bytes() == text.as_bytes())
}

/// Which of the first 16 writes are lost: the first is the highest bit.
fn lost(faults: &mut Faults) -> Result<u16> {
    (0..16).try_fold(0, |hits, n| {
        let injected = faults.inject(&access(AccessOp::Write, n * 8, 8))?;
        Ok(hits << 1 | u16::from(injected.is(Kinds::LOST)))
    })
}

/// Changes of the bad sectors, and what there is then.
const CHANGES: &[(&str, &str)] = &[
    ("+10-19", "10 10\n"),
    ("+30-39", "10 10\n30 10\n"),
    ("+20-24", "10 15\n30 10\n"),
    ("-12-13", "10 2\n14 11\n30 10\n"),
    ("+0-0", "0 1\n10 2\n14 11\n30 10\n"),
    ("+2047-2047", "0 1\n10 2\n14 11\n30 10\n2047 1\n"),
    ("+11-35", "0 1\n10 30\n2047 1\n"),
    ("+5-5", "0 1\n5 1\n10 30\n2047 1\n"),
    ("+6-9", "0 1\n5 35\n2047 1\n"),
    ("-50-60", "0 1\n5 35\n2047 1\n"),
    ("-0-2046", "2047 1\n"),
    ("-2047-2047", ""),
];

/// Mode, whether a failure heals; whether read, write, read, discard and flush fail.
const MODES: &[(&str, &str, [bool; 5])] = &[
    ("all", "0", [true, true, true, false, false]),
    ("read", "0", [true, false, true, false, false]),
    ("write", "0", [false, true, false, false, false]),
    ("until-rewritten", "0", [true, false, false, false, false]),
    ("all", "1", [true, false, false, false, false]),
    ("write", "1", [false, true, false, false, false]),
];

// The tests' entry points from C are made by the macro; this is not for anything else.
#[allow(unsafe_code)]
#[kunit_tests(powercut_fault)]
mod suite {
    use super::*;

    #[test]
    fn rules_are_shown_as_they_are_written() -> Result {
        for (text, shown) in GOOD {
            let faults = faults(text)?;
            let shown = if shown.is_empty() { text } else { shown };
            let line = CString::try_from_fmt(fmt!("{} hits=0\n", *shown))?;
            let is_shown = CString::try_from_fmt(fmt!("{}", faults.rules()))?;
            if is_shown.to_bytes() != line.to_bytes() {
                pr_err!("wrong: {}\n", *text);
            }
            assert!(is_shown.to_bytes() == line.to_bytes());
        }
        Ok(())
    }

    #[test]
    fn what_is_no_rule_changes_nothing() -> Result {
        for (text, error) in BAD {
            let mut faults = faults("stale seed=1")?;
            let result = faults.set_rules(text.as_bytes());
            if result != Err(*error) {
                pr_err!("wrong: {}\n", *text);
            }
            assert!(result == Err(*error));
            assert!(shows(&faults, "stale seed=1 hits=0\n") == Ok(true));
        }
        Ok(())
    }

    #[test]
    fn rules_are_added_and_cleared() -> Result {
        let mut faults = faults("lost\nstale")?;
        assert!(!faults.is_empty());
        faults.set_rules(b"+eio\n+eio op=read")?;
        assert!(
            shows(
                &faults,
                "lost hits=0\nstale hits=0\neio hits=0\neio op=read hits=0\n"
            ) == Ok(true)
        );
        for _ in 4..RULES_MAX {
            faults.set_rules(b"+lost")?;
        }
        assert!(faults.set_rules(b"+lost") == Err(E2BIG));
        faults.set_rules(b"")?;
        assert!(faults.is_empty());
        assert!(shows(&faults, "") == Ok(true));
        Ok(())
    }

    #[test]
    fn rules_hit_when_it_is_their_turn() -> Result {
        let turns = [
            ("lost", 0xffff),
            ("lost after=4", 0x0fff),
            ("lost every=4", 0x1111),
            ("lost count=3", 0xe000),
            ("lost after=2 every=3 count=2", 0x0900),
            ("lost lba=16-31", 0x3000),
            ("lost lba=23", 0x2000),
            ("lost prob=1/1", 0xffff),
            ("lost op=discard", 0),
        ];
        for (text, hits) in turns {
            let mut faults = faults(text)?;
            assert!(lost(&mut faults) == Ok(hits));
            // And the same again, once it was wound back.
            faults.rewind()?;
            assert!(lost(&mut faults) == Ok(hits));
        }
        Ok(())
    }

    #[test]
    fn chance_follows_from_the_seed() -> Result {
        let mut one = faults("lost prob=1/2 seed=1")?;
        let mut again = faults("lost prob=50% seed=1")?;
        let mut other = faults("lost prob=1/2 seed=2")?;
        let hits = lost(&mut one)?;
        assert!(hits != 0 && hits != 0xffff);
        assert!(lost(&mut again) == Ok(hits));
        assert!(lost(&mut other) != Ok(hits));
        assert!(lost(&mut one) != Ok(hits));
        Ok(())
    }

    #[test]
    fn each_kind_does_what_it_says() -> Result {
        let write = access(AccessOp::Write, 16, 8);
        let fua = Access {
            is_fua: true,
            flushes: true,
            ..write
        };
        let zeroes = Access {
            has_data: false,
            ..write
        };
        let table = [
            ("flush-lies", access(AccessOp::Flush, 0, 0), Kinds::LIED),
            ("flush-lies", fua, Kinds::LIED),
            ("flush-lies", write, Kinds::default()),
            ("fua-ignored", fua, Kinds::FUA_IGNORED),
            ("fua-ignored", write, Kinds::default()),
            ("lost", write, Kinds::LOST),
            ("lost", zeroes, Kinds::LOST),
            ("misdirected", write, Kinds::MISDIRECTED),
            ("misdirected", zeroes, Kinds::default()),
            ("corrupt", write, Kinds::CORRUPTED),
            ("corrupt", zeroes, Kinds::default()),
            ("corrupt\nlost\nmisdirected", write, Kinds::LOST),
            (
                "corrupt\nfua-ignored",
                fua,
                Kinds::CORRUPTED | Kinds::FUA_IGNORED,
            ),
            ("stale", access(AccessOp::Read, 0, 8), Kinds::STALE),
            ("stale", write, Kinds::default()),
            ("lost\neio", write, Kinds::EIO),
            ("eio op=flush", fua, Kinds::EIO),
            ("eio op=flush", write, Kinds::default()),
            (
                "eio lba=16",
                access(AccessOp::Flush, 0, 0),
                Kinds::default(),
            ),
            ("latency usec=5", write, Kinds::default()),
        ];
        for (text, access, kinds) in table {
            assert!(faults(text)?.inject(&access)?.kinds == kinds);
        }
        let mut late = faults("latency usec=5\nlatency usec=7")?;
        assert!(late.inject(&write)?.delay_us == 7);
        Ok(())
    }

    #[test]
    fn misdirected_writes_stay_on_the_disk() -> Result {
        let mut faults = faults("misdirected to=2040")?;
        assert!(faults.inject(&access(AccessOp::Write, 0, 8))?.sector == 2040);
        assert!(faults.inject(&access(AccessOp::Write, 0, 24))?.sector == 2024);
        faults.set_rules(b"misdirected seed=3")?;
        let mut sum = 0;
        for _ in 0..100 {
            let sector = faults.inject(&access(AccessOp::Write, 0, 24))?.sector;
            assert!(sector % 8 == 0 && sector <= 2024);
            sum += sector;
        }
        assert!((50_000..150_000).contains(&sum));
        Ok(())
    }

    #[test]
    fn bad_sectors_come_and_go() -> Result {
        let mut faults = Faults::new(DISK);
        for (change, shown) in CHANGES {
            faults.set_bad(change.as_bytes())?;
            let is_shown = CString::try_from_fmt(fmt!("{}", *faults.bad()))?;
            if is_shown.to_bytes() != shown.as_bytes() {
                pr_err!("wrong: {}\n", *change);
            }
            assert!(is_shown.to_bytes() == shown.as_bytes());
        }
        assert!(faults.is_empty());
        for wrong in [
            "", "1-2", "+", "+1", "+2-1", "+1-2-3", "*1-2", "+1-2x", "+-2",
        ] {
            assert!(faults.set_bad(wrong.as_bytes()) == Err(EINVAL));
        }
        assert!(faults.set_bad(b"+0-2048") == Err(ERANGE));
        assert!(faults.set_mode(b"once") == Err(EINVAL));
        assert!(faults.set_once(b"2") == Err(EINVAL));
        assert!(faults.is_empty());
        Ok(())
    }

    #[test]
    fn bad_sectors_fail_as_their_mode_says() -> Result {
        let ios = [
            access(AccessOp::Read, 8, 16),
            access(AccessOp::Write, 16, 8),
            access(AccessOp::Read, 16, 8),
            access(AccessOp::Discard, 16, 8),
            access(AccessOp::Flush, 0, 0),
        ];
        for (mode, once, fail) in MODES {
            let mut faults = Faults::new(DISK);
            faults.set_bad(b"+17-20")?;
            faults.set_mode(mode.as_bytes())?;
            faults.set_once(once.as_bytes())?;
            for _ in 0..2 {
                for (io, fails) in ios.iter().zip(fail) {
                    assert!(faults.inject(io)?.is(Kinds::BAD_SECTOR) == *fails);
                }
                // Every state begins with the sectors that were set.
                faults.rewind()?;
            }
            let hits = fail.iter().filter(|fails| **fails).count() as u64;
            assert!(faults.bad_hits() == 2 * hits);
        }
        Ok(())
    }

    #[test]
    fn there_is_room_for_only_so_many_bad_sectors() -> Result {
        let mut faults = Faults::new(DISK);
        for n in 0..512 {
            let change = CString::try_from_fmt(fmt!("+{}-{}", 2 * n, 2 * n))?;
            faults.set_bad(change.to_bytes())?;
        }
        assert!(faults.set_bad(b"+2000-2000") == Err(ENOSPC));
        assert!(!faults
            .inject(&access(AccessOp::Read, 2000, 8))?
            .is(Kinds::BAD_SECTOR));
        assert!(faults
            .inject(&access(AccessOp::Read, 1020, 8))?
            .is(Kinds::BAD_SECTOR));
        Ok(())
    }
}
