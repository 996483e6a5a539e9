// SPDX-License-Identifier: GPL-2.0

//! At the last event of every small history, the model allows what the device may hold, and
//! nothing else. (Its earlier cuts are those of shorter histories: see `selections`.)

use powercut_model::Cut;

use crate::{
    contents::Space,
    device::Device,
    log::Log,
    walk::{walk, Bounds},
};

fn compare(bounds: &Bounds, log: &Log, device: &Device<'_>) -> u64 {
    let space = &bounds.space;
    let cut = Cut::new(log, log.last).unwrap();
    let (allowed, pieces) = space.allowed(log, &cut);
    let media = device.media();

    assert!(
        allowed == *media,
        "the device may hold {:?}\nthe model allows {:?}\nat the end of {log:#?}",
        space.list(media),
        space.list(&allowed),
    );

    // The product over units of 1 + the number of pending versions, as the design has it.
    if pieces.iter().all(|&(_, cells)| space.is_unit(cells)) {
        let states = space.each_cell().map(|cell| {
            let here = pieces.iter().filter(|(_, cells)| cells & cell != 0);

            1 + u32::try_from(here.count()).unwrap()
        });

        assert_eq!(allowed.len(), states.product(), "{log:#?}");
    }
    u64::from(allowed.len())
}

#[test]
fn inline_five_writes_three_units() {
    walk(
        "inline: 5 writes, 3 units, 2 flushes",
        &Bounds {
            space: Space::of_units(3, 5),
            write_cache: true,
            writes: 5,
            flushes: 2,
            marks: 0,
            in_flight: 1,
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
            reduced: true,
        },
        &compare,
    );
}

#[test]
fn delayed_four_writes() {
    walk(
        "delayed: 4 writes, 2 units, 2 flushes, 2 in flight",
        &Bounds {
            space: Space::of_units(2, 4),
            write_cache: true,
            writes: 4,
            flushes: 2,
            marks: 0,
            in_flight: 2,
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
            reduced: false,
        },
        &compare,
    );
}
