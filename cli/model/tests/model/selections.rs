// SPDX-License-Identifier: GPL-2.0

//! The parts of the model against each other, at all cuts of all small histories: pieces offered
//! and pieces accepted, selections and contents, the whole log and the log as it was.

use powercut_model::{
    check_piece, check_pieces, is_shadowed, pending, spans, Cut, History, Illegal, Marks, Piece,
};

use crate::{
    contents::{Layer, Set, Space},
    device::Device,
    log::{Indexed, Log},
    walk::{walk, Bounds},
};

/// The pending pieces of a cut; what `check_piece` has to say of every other piece as well.
pub fn pieces(log: &Log, cut: &Cut, nr_units: u64) -> Vec<Piece> {
    let offered: Vec<_> = pending(log, cut).collect();
    let mut accepted = Vec::new();

    for entry in 0..log.entries.len() + 2 {
        for unit in 0..nr_units {
            let piece = Piece { entry, unit };

            if check_piece(log, cut, piece, None).is_ok() {
                let previous = accepted.last().copied();

                assert_eq!(check_piece(log, cut, piece, previous), Ok(()));
                assert_eq!(
                    check_piece(log, cut, piece, Some(piece)),
                    Err(Illegal::OutOfOrder)
                );
                accepted.push(piece);
            }
        }
    }
    assert_eq!(offered, accepted, "{cut:?} of {log:#?}");
    runs(log, cut, nr_units, &offered);
    offered
}

/// A run of pieces is accepted if all of it are.
fn runs(log: &Log, cut: &Cut, nr_units: u64, offered: &[Piece]) {
    for entry in 0..log.entries.len() {
        for first in 0..nr_units {
            for last in first..nr_units {
                let all = (first..=last).all(|unit| offered.contains(&Piece { entry, unit }));

                assert_eq!(
                    check_pieces(log, cut, entry, first..=last, None).is_ok(),
                    all,
                    "{entry}:{first}-{last} at {cut:?} of {log:#?}"
                );
            }
        }
    }
}

/// A cut does not depend on what comes later, nor on how fast the log's lookups are.
pub fn same_by_other_lookups(log: &Log, cut: &Cut, offered: &[Piece]) {
    let indexed = Indexed(log);
    let now = log.as_of(cut.event);
    let by_index = Cut::new(&indexed, cut.event).unwrap();
    let at_once = Cut::new(&now, cut.event).unwrap();

    for &start in log.geometry.members.starts() {
        assert_eq!(by_index.watermark(start), cut.watermark(start));
        assert_eq!(at_once.watermark(start), cut.watermark(start));
    }
    assert!(
        pending(&indexed, &by_index).eq(offered.iter().copied()),
        "{cut:?} of {log:#?}"
    );
    assert!(
        pending(&now, &at_once).eq(offered.iter().copied()),
        "{cut:?} of {log:#?}"
    );
    for (then, entry) in now.entries.iter().zip(&log.entries) {
        assert_eq!(
            at_once.is_stable(then),
            cut.is_stable(entry),
            "{cut:?} of {log:#?}"
        );
    }
}

/// The content of a selection, found as a reader finds it that takes one sector after the other and
/// knows the writes of each, newest first.
fn by_walking_down(space: &Space, log: &Log, cut: &Cut, kept: &[Piece]) -> Vec<usize> {
    let versions = Space::versions(log);
    let find = |cell| {
        let mut top: Option<usize> = None;

        for (index, entry) in log.entries.iter().enumerate().rev() {
            let piece = Piece {
                entry: index,
                unit: space.unit_of(cell),
            };

            if entry.is_write()
                && space.is_covered(cell, entry)
                && (cut.is_stable(entry) || kept.contains(&piece))
                && top.is_none_or(|newer| cut.lies_above(entry, &log.entries[newer]))
            {
                top = Some(index);
            }
        }
        top.map_or(0, |index| versions[index])
    };

    (0..space.nr_cells()).map(find).collect()
}

/// All selections one by one; those without a shadowed piece are one for each content.
fn contents_of_selections(space: &Space, log: &Log, cut: &Cut, offered: &[Piece]) -> u64 {
    let layers = space.layers(log, cut);
    let (mut all, mut canonical) = (Set::EMPTY, Set::EMPTY);
    let mut nr_canonical = 0;

    for selection in 0..1u32 << offered.len() {
        let kept: Vec<Piece> = (0..offered.len())
            .filter(|index| (selection >> index) & 1 == 1)
            .map(|index| offered[index])
            .collect();
        let is_there = |layer: &&Layer| layer.piece.is_none_or(|piece| kept.contains(&piece));
        let content = layers.iter().filter(is_there).fold(0, |content, layer| {
            space.write(content, layer.version, layer.cells)
        });

        assert_eq!(
            space.found(content),
            by_walking_down(space, log, cut, &kept),
            "{cut:?} of {log:#?}"
        );
        all.insert(content);
        if !kept
            .iter()
            .any(|&piece| is_shadowed(log, cut, piece, kept.iter().copied()))
        {
            canonical.insert(content);
            nr_canonical += 1;
        }
    }
    assert!(all == space.allowed(log, cut));
    assert!(all == canonical);
    assert_eq!(canonical.len(), nr_canonical, "{cut:?} of {log:#?}");
    u64::from(nr_canonical)
}

fn compare(bounds: &Bounds, log: &Log, _: &Device) -> u64 {
    let mut states = 0;

    for event in 0..=log.last {
        let cut = Cut::new(log, event).unwrap();
        let offered = pieces(log, &cut, 4);

        same_by_other_lookups(log, &cut, &offered);
        states += contents_of_selections(&bounds.space, log, &cut, &offered);
    }
    assert_eq!(Cut::new(log, log.last + 1), Err(Illegal::CutAfterLastEvent));
    for marks in [Marks::Any, Marks::Monotone] {
        let indexed = Indexed(log);
        let ends = spans(&indexed, marks).map(|cut| cut.event);

        assert!(spans(log, marks).map(|cut| cut.event).eq(ends));
    }
    assert_eq!(log.submitted_by(u64::MAX), log.entries.len());
    states
}

#[test]
fn inline_units() {
    walk(
        "selections, inline: 3 writes, 3 units, 1 flush",
        &Bounds {
            space: Space::of_units(3, 3),
            write_cache: true,
            writes: 3,
            flushes: 1,
            marks: 0,
            in_flight: 1,
            overlapping: false,
            reduced: true,
        },
        &compare,
    );
}

#[test]
fn inline_parts_of_units() {
    walk(
        "selections, inline, parts of units: 3 writes, 3 cells, 1 flush",
        &Bounds {
            space: Space::new(8, &[0, 3, 8, 9], 3),
            write_cache: true,
            writes: 3,
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
fn delayed_units() {
    walk(
        "selections, delayed: 3 writes, 2 units, 1 flush, 2 in flight",
        &Bounds {
            space: Space::of_units(2, 3),
            write_cache: true,
            writes: 3,
            flushes: 1,
            marks: 1,
            in_flight: 2,
            overlapping: true,
            reduced: true,
        },
        &compare,
    );
}

#[test]
fn delayed_parts_of_units() {
    walk(
        "selections, delayed, parts of units: 3 writes, 2 cells, 1 flush, 3 in flight",
        &Bounds {
            space: Space::new(8, &[0, 3, 8], 3),
            write_cache: true,
            writes: 3,
            flushes: 1,
            marks: 0,
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
        "selections, cache off: 3 writes, 2 units, 2 in flight",
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
