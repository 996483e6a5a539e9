// SPDX-License-Identifier: GPL-2.0

//! Writes that may cost their neighbours: the model allows what the disk that writes physical blocks
//! may hold after a power failure, and nothing else, at every event of all small histories and of
//! random ones.

use std::collections::BTreeSet;
use std::ops::Range;

use powercut_model::{
    check_piece, check_pieces, is_neighbour, is_shadowed, losses, pending, spans, Cut, Marks, Op,
    Piece, Tear, IN_FLIGHT,
};
use proptest::prelude::*;

use crate::{
    drive::{units_of, Medium, Replay, GONE},
    histories::cases,
    log::{Bio, Log},
};

/// What the model allows at a cut, of a disk of so many units that are always written whole.
fn allowed(log: &Log, cut: &Cut, nr_units: usize) -> BTreeSet<Medium> {
    // Where it lies, the unit, the version, and whether it may be there or not.
    let mut layers = Vec::new();
    let mut version = 0;

    for (index, entry) in log.entries.iter().enumerate() {
        version += u8::from(entry.is_write());
        if cut.is_stable(entry) {
            for unit in units_of(log, entry) {
                let place = (false, cut.arrival(entry), index);

                layers.push((place, unit, version, false));
            }
        }
        let own = pending(log, cut).filter(|piece| piece.entry == index);
        for piece in own {
            let place = (false, cut.arrival(entry), index);

            layers.push((place, piece.unit as usize, version, true));
        }
        let lost = losses(log, cut).filter(|piece| piece.entry == index);
        for piece in lost {
            layers.push(((true, 0, index), piece.unit as usize, GONE, true));
        }
    }
    layers.sort();
    layers.into_iter().fold(
        BTreeSet::from([vec![0; nr_units]]),
        |contents, (_, unit, version, is_open)| {
            let with = contents.iter().map(|content| {
                let mut content = content.clone();

                content[unit] = version;
                content
            });
            let mut next: BTreeSet<Medium> = with.collect();

            if is_open {
                next.extend(contents);
            }
            next
        },
    )
}

/// The selections of one piece that are accepted are those of what is pending and may be lost; a
/// run is, if each of it is.
fn accepts(log: &Log, cut: &Cut, nr_units: u64) {
    let legal: BTreeSet<Piece> = pending(log, cut).chain(losses(log, cut)).collect();

    for entry in 0..log.entries.len() {
        for unit in 0..nr_units {
            let piece = Piece { entry, unit };
            let is_legal = check_piece(log, cut, piece, None).is_ok();

            assert_eq!(is_legal, legal.contains(&piece), "{piece:?} of {log:#?}");
            for last in unit..nr_units {
                let run = check_pieces(log, cut, entry, unit..=last, None);
                let all = (unit..=last).all(|unit| legal.contains(&Piece { entry, unit }));

                assert_eq!(run.is_ok(), all, "{entry}:{unit}-{last} of {log:#?}");
            }
        }
    }
}

/// Compares at every event, and returns how many contents had something lost.
fn compare(log: &Log, nr_units: usize) -> usize {
    let mut replay = Replay::new(log, nr_units);
    let ends: Vec<Cut> = spans(log, Marks::Any).collect();
    let mut lossy = 0;

    for event in 0..=log.last {
        let cut = Cut::new(log, event).unwrap();

        replay.event(event);
        let found = replay.after_a_cut();
        let allowed_here = allowed(log, &cut, nr_units);

        assert_eq!(found, allowed_here, "after {event} of {log:#?}");
        lossy += found.iter().filter(|medium| medium.contains(&GONE)).count();
        accepts(log, &cut, nr_units as u64);

        // What a cut allows, the end of its span allows.
        let later = ends.iter().filter(|end| end.event >= event);
        let earlier = ends.iter().rev().filter(|end| end.event < event);
        let has_all = |end: &Cut| allowed_here.is_subset(&allowed(log, end, nr_units));
        assert!(later.chain(earlier).any(has_all), "{event} of {log:#?}");
    }
    lossy
}

/// All histories of three bios of a disk of two blocks of two units.
#[test]
fn all_small_histories() {
    const UNIT: u64 = 4;
    let runs = [0..1, 1..2, 0..2, 1..3, 0..3, 2..4];
    let runs = runs.map(|run: Range<u64>| run.start * UNIT..run.end * UNIT);
    let mut bios = vec![Bio::flush(), Bio::mark(), Bio::discard(4..8)];

    for run in runs {
        let write = Bio::write(run);

        bios.extend([
            write.clone(),
            write.clone().fua(),
            write.clone().preflush(),
            write.preflush().fua(),
        ]);
    }
    bios.push(Bio::write_zeroes(0..4));
    for write_cache in [true, false] {
        let mut lossy = 0;

        for one in &bios {
            for two in &bios {
                for three in &bios {
                    let bios = [one, two, three].map(Bio::clone);
                    let log = Log::of(UNIT as u32, write_cache, bios).with_rmw();

                    lossy += compare(&log, 4);
                }
            }
        }
        assert!(lossy > 100_000, "{lossy}");
    }
}

/// Writes of whole blocks cost nothing, and nor does any write without the setting.
#[test]
fn nothing_is_lost_but_by_parts_of_blocks() {
    let lost = |log: &Log| {
        let cut = Cut::new(log, log.last).unwrap();

        losses(log, &cut)
            .map(|piece| piece.unit)
            .collect::<Vec<_>>()
    };
    let cases: [(Bio, &[u64]); 7] = [
        (Bio::write(0..8), &[]),
        (Bio::write(8..24), &[]),
        (Bio::write(9..10), &[8, 10, 11, 12, 13, 14, 15]),
        (
            Bio::write(6..17),
            &[0, 1, 2, 3, 4, 5, 17, 18, 19, 20, 21, 22, 23],
        ),
        (Bio::write_zeroes(0..7), &[7]),
        (Bio::discard(0..7), &[]),
        (Bio::flush(), &[]),
    ];

    for (bio, expected) in cases {
        let any = Log::of(1, true, [bio.clone()]);

        assert_eq!(lost(&any), [], "{bio:?}");
        assert_eq!(lost(&any.clone().with_prefixes()), [], "{bio:?}");
        assert_eq!(lost(&any.with_rmw()), expected, "{bio:?}");

        // Units of a whole block have no neighbours in it.
        assert_eq!(
            lost(&Log::of(8, true, [bio.clone()]).with_rmw()),
            [],
            "{bio:?}"
        );
        let flushed = Log::of(1, true, [bio, Bio::flush()]).with_rmw();
        assert_eq!(lost(&flushed), []);
    }

    // Its only sector there was written anew and is stable: it has nothing left to do.
    let log = Log::of(1, true, [Bio::write(0..1), Bio::write(0..1).fua()]).with_rmw();
    assert_eq!(lost(&log), []);
    let log = Log::of(1, true, [Bio::write(0..2), Bio::write(0..1).fua()]).with_rmw();
    assert_eq!(lost(&log), [2, 3, 4, 5, 6, 7]);
}

/// What is lost hides what is kept there, and one loss another.
#[test]
fn a_loss_lies_above_all_else() {
    let bios = [Bio::write(0..1), Bio::write(1..2), Bio::write(2..3)];
    let log = Log::of(1, true, bios).with_rmw();
    let cut = Cut::new(&log, log.last).unwrap();
    let piece = |entry, unit| Piece { entry, unit };
    let (kept, older, newer) = (piece(2, 2), piece(0, 2), piece(1, 2));
    let shadowed = |one, by| is_shadowed(&log, &cut, one, [one, by]);

    assert!(is_neighbour(log.geometry, &log.entries[0], 2));
    assert!(shadowed(kept, older) && shadowed(kept, newer) && shadowed(older, newer));
    assert!(!shadowed(older, kept) && !shadowed(newer, older) && !shadowed(newer, kept));
    assert!(!shadowed(kept, piece(1, 3)));
}

const UNIT_SECTORS: u64 = 2;
const NR_UNITS: u64 = 8;

#[derive(Clone, Debug)]
enum Step {
    Submit(Bio),
    Advance(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    let run = (0..NR_UNITS, 1..4u64);
    let run = run.prop_map(|(first, len)| first..(first + len).min(NR_UNITS));
    let op = prop::sample::select(vec![Op::Write, Op::Write, Op::WriteZeroes, Op::Discard]);
    let flags = (prop::bool::weighted(0.3), prop::bool::weighted(0.2));
    let bio = prop_oneof![
        5 => (op, run, flags).prop_map(|(op, run, (fua, preflush))| Bio {
            op,
            preflush,
            fua: fua && op != Op::Discard,
            sectors: run.start * UNIT_SECTORS..run.end * UNIT_SECTORS,
        }),
        2 => Just(Bio::flush()),
        1 => Just(Bio::mark()),
    ];

    prop_oneof![
        3 => bio.prop_map(Step::Submit),
        4 => any::<prop::sample::Index>().prop_map(Step::Advance),
    ]
}

/// Takes a step if there is room for it: few writes, and none that overlaps another in flight.
fn take(log: &mut Log, step: &Step) {
    let is_in_flight = |&index: &usize| log.entries[index].complete == IN_FLIGHT;
    let in_flight: Vec<_> = (0..log.entries.len()).filter(is_in_flight).collect();
    let writes = log.entries.iter().filter(|entry| entry.is_write()).count();
    let overlaps = |bio: &Bio| {
        in_flight
            .iter()
            .any(|&index| log.entries[index].touches(&bio.sectors))
    };

    match step {
        Step::Submit(bio)
            if in_flight.len() < 3 && (writes < 4 || !bio.op.is_write()) && !overlaps(bio) =>
        {
            log.submit(bio);
        }
        Step::Advance(which) if !in_flight.is_empty() => log.advance(*which.get(&in_flight)),
        _ => (),
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(150),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn as_the_drive(write_cache: bool, steps in prop::collection::vec(step(), 1..24)) {
        let mut log = Log::new(UNIT_SECTORS as u32, write_cache).with_rmw();

        steps.iter().for_each(|step| take(&mut log, step));
        prop_assert_eq!(log.geometry.tear, Tear::Rmw);
        compare(&log, NR_UNITS as usize);
    }
}
