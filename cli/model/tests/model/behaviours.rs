// SPDX-License-Identifier: GPL-2.0

//! What people know by name: one case each, with what every cut of it must and may keep.

use crate::{
    log::{Bio, Log},
    rules::{outcome, unit, write},
};

struct Case {
    name: &'static str,
    write_cache: bool,
    bios: Vec<Bio>,
    /// For each event from 1 on: stable entries, and pending pieces as `entry:unit`.
    cuts: &'static [(&'static str, &'static str)],
}

fn cases() -> Vec<Case> {
    let cached = |name, bios, cuts| Case {
        name,
        write_cache: true,
        bios,
        cuts,
    };

    vec![
        cached(
            "a volatile write is lost or not, complete or in flight",
            vec![write(0)],
            &[("", "0:0"), ("", "0:0")],
        ),
        cached(
            "an older version may be the one that survives",
            vec![write(0), write(0)],
            &[("", "0:0"), ("", "0:0"), ("", "0:0 1:0"), ("", "0:0 1:0")],
        ),
        cached(
            "a write of two units tears",
            vec![Bio::write(unit(3, 2))],
            &[("", "0:3 0:4"), ("", "0:3 0:4")],
        ),
        cached(
            "a flushed write is kept, once the flush is complete",
            vec![write(0), Bio::flush()],
            &[("", "0:0"), ("", "0:0"), ("", "0:0"), ("0", "")],
        ),
        cached(
            "an overwrite after a flush is volatile again",
            vec![write(0), Bio::flush(), write(0)],
            &[
                ("", "0:0"),
                ("", "0:0"),
                ("", "0:0"),
                ("0", ""),
                ("0", "2:0"),
                ("0", "2:0"),
            ],
        ),
        cached(
            "a FUA write is kept, and nothing else is",
            vec![write(0), write(1).fua()],
            &[("", "0:0"), ("", "0:0"), ("", "0:0 1:1"), ("1", "0:0")],
        ),
        cached(
            "a FUA write retires older versions of its sectors, not newer ones",
            vec![Bio::write(unit(0, 2)), write(0).fua(), write(0)],
            &[
                ("", "0:0 0:1"),
                ("", "0:0 0:1"),
                ("", "0:0 0:1 1:0"),
                ("1", "0:1"),
                ("1", "0:1 2:0"),
                ("1", "0:1 2:0"),
            ],
        ),
        cached(
            "jbd2: no commit block without its journal block",
            vec![write(1), write(2).preflush().fua(), write(9)],
            &[
                ("", "0:1"),
                ("", "0:1"),
                ("", "0:1"),
                ("0", "1:2"),
                ("0 1", ""),
                ("0 1", "2:9"),
                ("0 1", "2:9"),
            ],
        ),
        cached(
            "jbd2 with barrier=0: a commit block without its journal block",
            vec![write(1), write(2)],
            &[("", "0:1"), ("", "0:1"), ("", "0:1 1:2"), ("", "0:1 1:2")],
        ),
        cached(
            "PREFLUSH says nothing of its own data",
            vec![write(0), write(1).preflush()],
            &[
                ("", "0:0"),
                ("", "0:0"),
                ("", "0:0"),
                ("0", "1:1"),
                ("0", "1:1"),
            ],
        ),
        cached(
            "zeroes and discards are cached like writes",
            vec![
                write(0).fua(),
                Bio::discard(unit(0, 1)),
                Bio::write_zeroes(unit(1, 1)),
                Bio::flush(),
            ],
            &[
                ("", "0:0"),
                ("0", ""),
                ("0", "1:0"),
                ("0", "1:0"),
                ("0", "1:0 2:1"),
                ("0", "1:0 2:1"),
                ("0", "1:0 2:1"),
                ("0 1 2", ""),
            ],
        ),
        cached(
            "a mark changes nothing",
            vec![write(0), Bio::mark(), Bio::flush(), Bio::mark()],
            &[
                ("", "0:0"),
                ("", "0:0"),
                ("", "0:0"),
                ("", "0:0"),
                ("0", ""),
                ("0", ""),
            ],
        ),
        Case {
            name: "without a cache, only what is in flight varies",
            write_cache: false,
            bios: vec![Bio::write(unit(0, 2)), write(0)],
            cuts: &[("", "0:0 0:1"), ("0", ""), ("0", "1:0"), ("0 1", "")],
        },
    ]
}

#[test]
fn named_behaviours() {
    for case in cases() {
        let log = Log::of(8, case.write_cache, case.bios);

        assert_eq!(log.last, case.cuts.len() as u64, "{}", case.name);
        assert_eq!(
            outcome(&log, 0),
            (String::new(), String::new()),
            "{}",
            case.name
        );
        for (event, &(stable, kept)) in (1..).zip(case.cuts) {
            let expected = (stable.to_owned(), kept.to_owned());

            assert_eq!(
                outcome(&log, event),
                expected,
                "{}, after event {event}",
                case.name
            );
        }
    }
}
