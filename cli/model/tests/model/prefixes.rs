// SPDX-License-Identifier: GPL-2.0

//! Writes that survive as prefixes: the model allows what the disk that writes in ascending order may
//! hold, and nothing else, at every event of all small histories and of random ones; and it accepts
//! the selections that it should, and no others.

use std::collections::BTreeSet;

use powercut_model::{check_piece, check_pieces, pending, spans, Cut, Illegal, Marks, Piece, Tear};
use proptest::prelude::*;

use crate::{
    contents::Space,
    device::Device,
    histories::{cases, log, NR_UNITS, UNIT_SECTORS},
    log::Log,
    ordered::Ordered,
    reference::is_left_out,
    walk::{walk, Bounds},
};

/// The pieces of each write, in ascending order.
fn by_write(pieces: &[Piece]) -> Vec<Vec<Piece>> {
    let mut writes: Vec<Vec<Piece>> = Vec::new();

    for &piece in pieces {
        match writes.last_mut() {
            Some(write) if write[0].entry == piece.entry => write.push(piece),
            _ => writes.push(vec![piece]),
        }
    }
    writes
}

/// The selections that have of each write its first pieces.
fn selections(pieces: &[Piece]) -> Vec<Vec<Piece>> {
    by_write(pieces)
        .iter()
        .fold(vec![Vec::new()], |all, write| {
            let with = |kept: &Vec<Piece>| {
                let kept = kept.clone();

                (0..=write.len()).map(move |length| [&kept[..], &write[..length]].concat())
            };

            all.iter().flat_map(with).collect()
        })
}

/// Whether the model takes a selection, piece by piece and in runs as long as can be.
fn is_accepted(log: &Log, cut: &Cut, selection: &[Piece]) -> Result<(), Illegal> {
    let mut previous = None;

    for &piece in selection {
        check_piece(log, cut, piece, previous)?;
        previous = Some(piece);
    }

    let (mut previous, mut at) = (None, 0);

    while let Some(&first) = selection.get(at) {
        let follows = |(nr, piece): &(usize, &Piece)| {
            piece.entry == first.entry && piece.unit == first.unit + *nr as u64
        };
        let run = (0..).zip(&selection[at..]).take_while(follows).count();
        let last = selection[at + run - 1];

        check_pieces(log, cut, first.entry, first.unit..=last.unit, previous)?;
        previous = Some(last);
        at += run;
    }
    Ok(())
}

/// What the model allows at a cut, by its own word.
fn allowed(space: &Space, log: &Log, cut: &Cut) -> BTreeSet<usize> {
    let layers = space.layers(log, cut);
    let pieces: Vec<_> = pending(log, cut).collect();
    let content = |kept: &Vec<Piece>| {
        let there = layers
            .iter()
            .filter(|layer| layer.piece.is_none_or(|piece| kept.contains(&piece)));

        there.fold(0, |content, layer| {
            space.write(content, layer.version, layer.cells)
        })
    };

    selections(&pieces).iter().map(content).collect()
}

/// All subsets of what is pending: those accepted are those of prefixes, and the others are
/// refused for their gaps.
fn accepts_prefixes(log: &Log, cut: &Cut) {
    let pieces: Vec<_> = pending(log, cut).collect();
    let prefixes: BTreeSet<_> = selections(&pieces).into_iter().collect();
    let any = Log {
        geometry: powercut_model::Geometry {
            tear: Tear::Any,
            ..log.geometry
        },
        ..log.clone()
    };
    let any_cut = Cut::new(&any, cut.event).unwrap();

    for subset in 0..1u32 << pieces.len().min(12) {
        let kept = (0..pieces.len()).filter(|index| (subset >> index) & 1 == 1);
        let kept: Vec<_> = kept.map(|index| pieces[index]).collect();
        let expected = if prefixes.contains(&kept) {
            Ok(())
        } else {
            Err(Illegal::Gap)
        };

        assert_eq!(
            is_accepted(log, cut, &kept),
            expected,
            "{kept:?} of {log:#?}"
        );
        assert_eq!(is_accepted(&any, &any_cut, &kept), Ok(()));
    }
}

/// Whether the model leaves out a content that the disk may have, as its documentation says: besides
/// what it leaves out otherwise, one in which a write shows that the model has lie below another, in
/// flight together with it, which is seen in a later unit.
fn is_other_order(space: &Space, log: &Log, cut: &Cut, content: usize) -> bool {
    let writes: Vec<_> = log
        .entries
        .iter()
        .filter(|entry| entry.is_write())
        .collect();
    let found = space.found(content);
    let place = |version: usize| (cut.arrival(writes[version - 1]), version);
    let is_seen_after = |version: usize, unit: u64| {
        (0..found.len()).any(|cell| found[cell] == version && space.unit_of(cell) > unit)
    };

    is_left_out(space, log, cut, content)
        || found.iter().enumerate().any(|(cell, &version)| {
            version != 0
                && (1..=writes.len()).any(|above| {
                    space.is_covered(cell, writes[above - 1])
                        && place(above) > place(version)
                        && is_seen_after(above, space.unit_of(cell))
                })
        })
}

/// Compares at one event.
fn compare_at(space: &Space, log: &Log, cut: &Cut, media: &BTreeSet<usize>) -> u64 {
    let allowed = allowed(space, log, cut);
    let list = |contents: Vec<usize>| {
        let found = contents.into_iter().map(|content| space.found(content));

        found.collect::<Vec<_>>()
    };
    let too_many: Vec<_> = allowed.difference(media).copied().collect();
    let wrong: Vec<_> = media
        .iter()
        .copied()
        .filter(|&content| allowed.contains(&content) == is_other_order(space, log, cut, content))
        .collect();

    assert!(
        too_many.is_empty() && wrong.is_empty(),
        "the disk can't hold {:?}\nthe model is wrong of {:?}\nafter {} of {log:#?}",
        list(too_many),
        list(wrong),
        cut.event
    );
    allowed.len() as u64
}

/// At the last event of every history.
fn compare(bounds: &Bounds, log: &Log, _: &Device) -> u64 {
    let log = log.clone().with_prefixes();
    let mut disk = Ordered::new(&log, &bounds.space);

    (0..=log.last).for_each(|event| disk.event(event));

    let cut = Cut::new(&log, log.last).unwrap();
    let media = disk.media();
    let states = compare_at(&bounds.space, &log, &cut, &media);

    if !bounds.overlapping {
        assert_eq!(states, media.len() as u64, "{log:#?}");
        dominates(&bounds.space, &log);
    }
    accepts_prefixes(&log, &cut);
    states
}

/// What a cut allows, the end of its span allows.
fn dominates(space: &Space, log: &Log) {
    let ends: Vec<_> = spans(log, Marks::Any).collect();

    for event in 0..=log.last {
        let cut = Cut::new(log, event).unwrap();
        let here = allowed(space, log, &cut);
        let later = ends.iter().filter(|end| end.event >= event);
        let earlier = ends.iter().rev().filter(|end| end.event < event);
        let has_all = |end: &Cut| here.is_subset(&allowed(space, log, end));

        assert!(
            later.chain(earlier).any(has_all),
            "{event} of {log:#?} is at no end of a span"
        );
    }
}

#[test]
fn inline_three_units() {
    walk(
        "prefixes, inline: 3 writes, 3 units, 1 flush",
        &Bounds {
            space: Space::of_units(3, 3),
            write_cache: true,
            writes: 3,
            flushes: 1,
            marks: 0,
            in_flight: 1,
            overlapping: false,
            // A mirror image is another matter where the order of units counts.
            reduced: false,
        },
        &compare,
    );
}

#[test]
fn inline_four_units() {
    walk(
        "prefixes, inline: 2 writes, 4 units, 1 flush",
        &Bounds {
            space: Space::of_units(4, 2),
            write_cache: true,
            writes: 2,
            flushes: 1,
            marks: 0,
            in_flight: 1,
            overlapping: false,
            reduced: false,
        },
        &compare,
    );
}

#[test]
fn inline_parts_of_units() {
    walk(
        "prefixes, inline, parts of units: 2 writes, 5 cells, 1 flush",
        &Bounds {
            space: Space::new(8, &[0, 3, 8, 13, 16, 24], 2),
            write_cache: true,
            writes: 2,
            flushes: 1,
            marks: 0,
            in_flight: 1,
            overlapping: false,
            reduced: false,
        },
        &compare,
    );
}

#[test]
fn delayed() {
    walk(
        "prefixes, delayed: 3 writes, 2 units, 1 flush, 2 in flight",
        &Bounds {
            space: Space::of_units(2, 3),
            write_cache: true,
            writes: 3,
            flushes: 1,
            marks: 0,
            in_flight: 2,
            overlapping: true,
            reduced: false,
        },
        &compare,
    );
}

#[test]
fn delayed_parts_of_units() {
    walk(
        "prefixes, delayed, parts of units: 2 writes, 4 cells, 1 flush, 2 in flight",
        &Bounds {
            space: Space::new(8, &[0, 3, 8, 13, 16], 2),
            write_cache: true,
            writes: 2,
            flushes: 1,
            marks: 0,
            in_flight: 2,
            overlapping: true,
            reduced: false,
        },
        &compare,
    );
}

#[test]
fn delayed_cache_off() {
    walk(
        "prefixes, delayed, cache off: 2 writes, 3 units, 2 in flight",
        &Bounds {
            space: Space::of_units(3, 2),
            write_cache: false,
            writes: 2,
            flushes: 0,
            marks: 0,
            in_flight: 2,
            overlapping: true,
            reduced: false,
        },
        &compare,
    );
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(500),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn as_the_ordered_disk(log in log()) {
        let log = log.with_prefixes();
        let sectors: Vec<_> = (0..=NR_UNITS * u64::from(UNIT_SECTORS)).collect();
        let space = Space::new(UNIT_SECTORS, &sectors, 15)
            .with_members(log.geometry.members.starts());
        let mut disk = Ordered::new(&log, &space);

        for event in 0..=log.last {
            let cut = Cut::new(&log, event).unwrap();

            disk.event(event);
            let media = disk.media();
            prop_assume!(media.len() < 20_000);
            compare_at(&space, &log, &cut, &media);
        }
    }
}
