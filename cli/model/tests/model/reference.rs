// SPDX-License-Identifier: GPL-2.0

//! At the last event of every small history, the model allows what the device may hold, and
//! nothing else. (Its earlier cuts are those of shorter histories: see `selections`.)

use powercut_model::{Cut, Entry};

use crate::{
    contents::{Set, Space},
    device::Device,
    log::Log,
    walk::{walk, Bounds},
};

/// Whether the model leaves out a content that a device may have, as its documentation says: one in
/// which a sector shows the one of two writes which the model has lie below the other, both being
/// stable, or the other, pending, being seen elsewhere in the unit.
pub fn is_left_out(space: &Space, log: &Log, cut: &Cut, content: usize) -> bool {
    let writes: Vec<&Entry> = log
        .entries
        .iter()
        .filter(|entry| entry.is_write())
        .collect();
    let found = space.found(content);
    let shows = |version: usize, unit: u64| {
        (0..found.len()).any(|cell| found[cell] == version && space.unit_of(cell) == unit)
    };
    let place = |version: usize| (cut.arrival(writes[version - 1]), version);
    let is_stable = |version: usize| cut.is_stable(writes[version - 1]);

    found.iter().enumerate().any(|(cell, &version)| {
        version != 0
            && (1..=writes.len()).any(|above| {
                space.is_covered(cell, writes[above - 1])
                    && place(above) > place(version)
                    && if is_stable(above) {
                        is_stable(version)
                    } else {
                        shows(above, space.unit_of(cell))
                    }
            })
    })
}

/// What the device may hold and the model lacks, or the other way round, but for what it leaves
/// out on purpose.
fn difference(space: &Space, log: &Log, cut: &Cut, media: &Set, allowed: &Set) -> Set {
    let mut different = allowed.without(media);

    for content in media.iter() {
        if allowed.contains(content) == is_left_out(space, log, cut, content) {
            different.insert(content);
        }
    }
    different
}

pub fn compare(bounds: &Bounds, log: &Log, device: &Device) -> u64 {
    let space = &bounds.space;
    let cut = Cut::new(log, log.last).unwrap();
    let layers = space.layers(log, &cut);
    let allowed = space.contents(&layers);
    let media = space.of_device(device);

    if allowed != media || bounds.overlapping {
        let different = difference(space, log, &cut, &media, &allowed);

        assert!(
            different.len() == 0,
            "they differ in {:?}\nthe device may hold {:?}\nthe model allows {:?}\nat the end of {log:#?}",
            space.list(&different),
            space.list(&media),
            space.list(&allowed),
        );
        assert!(allowed == media || bounds.overlapping, "{log:#?}");
    }

    // The product over units of 1 + the number of pending versions, as the design has it.
    let pieces = || layers.iter().filter(|layer| layer.piece.is_some());

    if pieces().all(|piece| space.is_unit(piece.cells)) {
        let states = space.each_cell().map(|cell| {
            let here = pieces().filter(|piece| piece.cells & cell != 0);

            1 + u32::try_from(here.count()).unwrap()
        });

        assert_eq!(allowed.len(), states.product(), "{log:#?}");
    }
    u64::from(allowed.len())
}

#[test]
fn inline_five_writes_two_units() {
    walk(
        "inline: 5 writes, 2 units, 2 flushes",
        &Bounds {
            space: Space::of_units(2, 5),
            write_cache: true,
            writes: 5,
            flushes: 2,
            marks: 0,
            in_flight: 1,
            overlapping: false,
            reduced: true,
        },
        &compare,
    );
}

/// Nothing left out, so that what the others leave out is shown to make no difference.
#[test]
fn inline_unreduced() {
    walk(
        "inline, unreduced: 3 writes, 3 units, 3 flushes",
        &Bounds {
            space: Space::of_units(3, 3),
            write_cache: true,
            writes: 3,
            flushes: 3,
            marks: 0,
            in_flight: 1,
            overlapping: false,
            reduced: false,
        },
        &compare,
    );
}

#[test]
fn inline_cache_off() {
    walk(
        "inline, cache off: 4 writes, 3 units, 1 flush",
        &Bounds {
            space: Space::of_units(3, 4),
            write_cache: false,
            writes: 4,
            flushes: 1,
            marks: 0,
            in_flight: 1,
            overlapping: false,
            reduced: true,
        },
        &compare,
    );
}

/// Blocks of 512 bytes in units of 4096: writes that begin and end inside of a unit.
#[test]
fn inline_parts_of_units() {
    walk(
        "inline, parts of units: 3 writes, 4 cells, 2 flushes",
        &Bounds {
            space: Space::new(8, &[0, 3, 5, 8, 16], 3),
            write_cache: true,
            writes: 3,
            flushes: 2,
            marks: 0,
            in_flight: 1,
            overlapping: false,
            reduced: false,
        },
        &compare,
    );
}

#[test]
fn delayed_three_in_flight() {
    walk(
        "delayed: 3 writes, 3 units, 2 flushes, 3 in flight",
        &Bounds {
            space: Space::of_units(3, 3),
            write_cache: true,
            writes: 3,
            flushes: 2,
            marks: 0,
            in_flight: 3,
            overlapping: true,
            reduced: true,
        },
        &compare,
    );
}

#[test]
fn delayed_four_writes() {
    walk(
        "delayed: 4 writes, 2 units, 1 flush, 2 in flight",
        &Bounds {
            space: Space::of_units(2, 4),
            write_cache: true,
            writes: 4,
            flushes: 1,
            marks: 0,
            in_flight: 2,
            overlapping: true,
            reduced: true,
        },
        &compare,
    );
}

#[test]
fn delayed_cache_off() {
    walk(
        "delayed, cache off: 3 writes, 3 units, 3 in flight",
        &Bounds {
            space: Space::of_units(3, 3),
            write_cache: false,
            writes: 3,
            flushes: 0,
            marks: 0,
            in_flight: 3,
            overlapping: true,
            reduced: true,
        },
        &compare,
    );
}

#[test]
fn delayed_parts_of_units() {
    walk(
        "delayed, parts of units: 2 writes, 4 cells, 2 flushes, 2 in flight",
        &Bounds {
            space: Space::new(8, &[0, 3, 5, 8, 16], 2),
            write_cache: true,
            writes: 2,
            flushes: 2,
            marks: 0,
            in_flight: 2,
            overlapping: true,
            reduced: false,
        },
        &compare,
    );
}

#[test]
fn delayed_parts_of_units_three_writes() {
    walk(
        "delayed, parts of units: 3 writes, 3 cells, 1 flush, 3 in flight",
        &Bounds {
            space: Space::new(8, &[0, 3, 8, 9], 3),
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
fn delayed_parts_of_units_cache_off() {
    walk(
        "delayed, parts of units, cache off: 3 writes, 3 cells, 3 in flight",
        &Bounds {
            space: Space::new(8, &[0, 3, 8, 9], 3),
            write_cache: false,
            writes: 3,
            flushes: 0,
            marks: 0,
            in_flight: 3,
            overlapping: true,
            reduced: true,
        },
        &compare,
    );
}
