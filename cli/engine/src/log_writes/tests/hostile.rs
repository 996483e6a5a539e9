// SPDX-License-Identifier: GPL-2.0

//! Logs that are damaged, cut off, stale or made up.

use super::imported;
use super::world::{sector, super_block};
use crate::log_writes::{LogError, Options, Scan};
use crate::recording::Recording;

const FLUSH: u64 = 1;
const FUA: u64 = 2;
const DISCARD: u64 = 4;
const MARK: u64 = 8;

fn entry(at: u64, nr: u64, flags: u64, text: &[u8]) -> Vec<u8> {
    sector(at, nr, flags, text, 512)
}

/// A log of sectors of 512 bytes that counts so many entries.
fn log(counted: u64, entries: &[Vec<u8>]) -> Vec<u8> {
    [super_block(counted, 512), entries.concat()].concat()
}

fn data(nr: usize) -> Vec<u8> {
    vec![7; nr * 512]
}

/// Puts a number there.
fn patched(mut log: Vec<u8>, at: usize, number: u64) -> Vec<u8> {
    log[at..at + 8].copy_from_slice(&number.to_le_bytes());
    log
}

fn refused(log: &[u8], options: &Options) -> (u64, String) {
    match imported(log, &[], options) {
        Err(LogError::Bad { offset, what }) => (offset, what),
        other => panic!("{other:?}"),
    }
}

fn two_writes() -> Vec<u8> {
    log(
        2,
        &[entry(0, 1, 0, b""), data(1), entry(8, 2, FUA, b""), data(2)],
    )
}

#[test]
fn damage_is_refused_with_the_byte_at_which_it_is() {
    let write = || two_writes();
    let one = |entry: Vec<u8>| log(1, &[entry]);
    let rows = [
        (patched(write(), 8, 2), 8, "version 2"),
        (patched(write(), 24, 0), 24, "sectors of 0 bytes"),
        (patched(write(), 24, 520), 24, "sectors of 520 bytes"),
        (
            patched(write(), 24, 1 << 31),
            24,
            "sectors of 2147483648 bytes",
        ),
        // The second entry is at 1536, the end at 3072.
        (patched(write(), 16, 3), 3072, "before the end of entry 3"),
        (
            patched(write(), 16, u64::MAX),
            3072,
            "the log ends at byte 3072",
        ),
        (
            patched(write(), 1536 + 8, u64::MAX),
            1536,
            "no disk has them",
        ),
        (patched(write(), 1536, u64::MAX), 1536, "no disk has them"),
        (patched(write(), 1536, 1 << 35), 1536, "no disk has them"),
        (
            patched(write(), 1536 + 8, 1 << 34),
            2048,
            "the data of entry 2",
        ),
        (patched(write(), 1536 + 16, 32), 1552, "unknown flags, 0x20"),
        (patched(write(), 1536 + 16, 1 << 63), 1552, "unknown flags"),
        (
            patched(write(), 1536 + 24, 1 << 40),
            1560,
            "1099511627776 bytes of data, in 2",
        ),
        (patched(write(), 1536 + 24, u64::MAX), 1560, "bytes of data"),
        (one(entry(0, 0, 0, b"")), 512, "no flush, no mark"),
        (one(entry(0, 0, FUA, b"")), 512, "no flush, no mark"),
        (
            one(entry(0, 0, FLUSH | DISCARD, b"")),
            520,
            "a discard without sectors",
        ),
        (
            one(entry(0, 0, MARK | FLUSH, b"x")),
            528,
            "a mark with other flags",
        ),
        (one(entry(0, 1, MARK, b"x")), 520, "a mark with 1 sectors"),
        (one(entry(0, 0, MARK, b"a\0b")), 512 + 32 + 1, "a NUL"),
        (
            patched(one(entry(0, 0, MARK, b"x")), 536, 481),
            536,
            "room for 480",
        ),
        (
            patched(one(entry(0, 0, MARK, b"x")), 536, u64::MAX),
            536,
            "room for 480",
        ),
        (one(vec![0; 512]), 512, "no flush, no mark"),
    ];
    for (log, offset, what) in rows {
        let (at, said) = refused(&log, &Options::default());
        assert!(
            at == offset && said.contains(what),
            "{at}: {said} ({offset}: {what})"
        );
    }
}

#[test]
fn a_log_that_is_cut_off_anywhere_is_refused() {
    let log = two_writes();
    for len in 0..log.len() {
        let told = imported(&log[..len], &[], &Options::default());
        assert!(
            matches!(told, Err(LogError::Bad { .. } | LogError::Magic)),
            "{len}: {told:?}"
        );
    }
    assert!(imported(&log, &[], &Options::default()).is_ok());
}

#[test]
fn a_mark_that_no_record_can_have_is_refused_and_an_empty_one_is_left_out() {
    let long = [
        super_block(1, 4096),
        sector(0, 0, MARK, &[b'x'; 1025], 4096),
    ]
    .concat();
    let (at, said) = refused(&long, &Options::default());
    assert!(
        at == 4096 && said.contains("a mark of 1025 bytes"),
        "{said}"
    );
    let empty = log(
        3,
        &[
            entry(0, 0, MARK, b""),
            entry(0, 0, MARK, b"x"),
            entry(0, 0, FLUSH, b""),
        ],
    );
    let (scan, stream) = imported(&empty, &[], &Options::default()).unwrap();
    let recording = Recording::read(&stream[..]).unwrap();
    assert_eq!((scan.empty_marks, recording.marks().len()), (1, 1));
}

#[test]
fn a_write_beyond_the_disk_is_refused_where_its_size_is_known() {
    let beyond = log(1, &[entry(2048, 1, 0, b""), data(1)]);
    let sized = |bytes, base_bytes| Options {
        bytes,
        base_bytes,
        ..Options::default()
    };
    let mib = Some(1 << 20);
    for options in [sized(mib, None), sized(None, mib), sized(mib, Some(9))] {
        let (at, said) = refused(&beyond, &options);
        assert!(
            at == 512 && said.contains("of a disk that has 1048576"),
            "{said}"
        );
    }
    for (options, expected) in [
        (sized(None, None), 2),
        (sized(Some(5 << 20), None), 5),
        (sized(None, Some((2 << 20) + 1)), 3),
    ] {
        let (scan, _) = imported(&beyond, &[], &options).unwrap();
        assert_eq!(scan.capacity_sectors, expected << 11);
    }
    let said = imported(&beyond, &[], &sized(mib, Some(2 << 20)))
        .unwrap_err()
        .to_string();
    assert!(said.contains("smaller than the image"), "{said}");
}

/// Sectors of the log, of a record's disk, and the unit that was asked for.
#[test]
fn sectors_of_the_log_become_blocks_and_units() {
    for (sector_size, unit, expected) in [
        (512, None, Ok((512, 512))),
        (512, Some(4096), Ok((512, 4096))),
        (1024, None, Ok((512, 1024))),
        (4096, None, Ok((4096, 4096))),
        (65536, None, Ok((4096, 65536))),
        (4096, Some(512), Err("an atomic unit of 512")),
        (512, Some(1000), Err("an atomic unit of 1000")),
        (512, Some(1 << 17), Err("an atomic unit of 131072")),
    ] {
        let size = sector_size as usize;
        let log = [
            super_block(1, size),
            sector(3, 2, 0, b"", size),
            vec![7; 2 * size],
        ]
        .concat();
        let options = Options {
            atomic_unit: unit,
            ..Options::default()
        };
        match (imported(&log, &[], &options), expected) {
            (Ok((scan, stream)), Ok((block, unit))) => {
                assert_eq!((scan.block_size(), scan.atomic_unit), (block, unit));
                let recording = Recording::read(&stream[..]).unwrap();
                let write = &recording.entries()[0];
                let bytes = (write.sector() * 512, write.bytes());
                assert_eq!(bytes, (3 * sector_size, 2 * sector_size));
            }
            (Err(error), Err(what)) => assert!(error.to_string().contains(what), "{error}"),
            (other, _) => panic!("{other:?}"),
        }
    }
}

fn scan(log: &[u8], salvage: bool) -> Scan {
    let options = Options {
        salvage,
        ..Options::default()
    };
    imported(log, &[], &options).unwrap().0
}

#[test]
fn a_log_that_was_not_closed_is_read_as_far_as_it_counts_or_as_far_as_it_goes() {
    let entries = [
        entry(0, 1, 0, b""),
        data(1),
        entry(0, 0, FLUSH, b""),
        entry(1, 1, FUA, b""),
        data(1),
    ];
    for (tail, end) in [
        (vec![], 3072),
        (vec![0; 5000], 3072),
        (vec![0xff; 5000], 3072 + 16),
        // Half an entry, and one whose data is not there.
        (vec![0; 100], 3072),
        (entry(9, 50, 0, b""), 3072 + 512),
    ] {
        let log = [log(1, &entries), tail].concat();
        let (as_counted, all) = (scan(&log, false), scan(&log, true));
        assert_eq!((as_counted.taken, as_counted.more_at), (1, Some(1536)));
        assert_eq!(
            (all.taken, all.more_at, all.stopped.is_some()),
            (3, None, true)
        );
        let stopped = all.stopped.unwrap();
        assert!(stopped.starts_with(&format!("byte {end}: ")), "{stopped}");
    }
    // One that counts more than there is.
    let log = log(7, &[&entries[..], &[vec![0; 9999]]].concat());
    let (at, _) = refused(&log, &Options::default());
    assert_eq!((at, scan(&log, true).taken), (3072, 3));
}

#[test]
fn behind_the_end_of_a_log_that_was_closed_nothing_is_looked_for() {
    let end = entry(0, 0, MARK, b"dm-log-writes-end");
    let entries = [
        entry(0, 1, 0, b""),
        data(1),
        end.clone(),
        entry(0, 0, FLUSH, b""),
    ];
    for salvage in [false, true] {
        let scan = scan(&log(2, &entries), salvage);
        assert_eq!((scan.taken, scan.entries, scan.events), (2, 1, 2));
        assert!(scan.is_closed && scan.more_at.is_none());
    }
    // In the middle it is a mark like others.
    let scan = scan(&log(2, &[end, entry(0, 0, FLUSH, b"")]), false);
    assert_eq!((scan.taken, scan.entries, scan.is_closed), (2, 2, false));
}

#[test]
fn a_large_write_is_read_in_pieces() {
    let nr = (9 << 11) + 3;
    let log = log(1, &[entry(5, nr, FUA | FLUSH, b""), data(nr as usize)]);
    let (scan, stream) = imported(&log, &[], &Options::default()).unwrap();
    let recording = Recording::read(&stream[..]).unwrap();
    assert_eq!(
        (scan.taken, scan.durable, recording.entries().len()),
        (1, 1, 3)
    );
    let sectors: u64 = recording
        .entries()
        .iter()
        .map(|e| u64::from(e.nr_sectors()))
        .sum();
    assert_eq!(sectors, nr);
    let flushes = |e: &&crate::recording::Recorded| e.flush_complete().is_some();
    assert_eq!(recording.entries().iter().filter(flushes).count(), 1);
}

#[test]
fn a_log_that_changes_while_it_is_read_is_refused() {
    use std::cell::Cell;
    use std::io::{Cursor, Read};
    let (short, whole) = (log(1, &[entry(0, 1, 0, b""), data(1)]), two_writes());
    let opened = Cell::new(0);
    let open = || {
        opened.set(opened.get() + 1);
        let log = if opened.get() == 1 { &whole } else { &short };
        Ok((Cursor::new(log), &b""[..]))
    };
    let (_, mut stream) = crate::log_writes::import::import(open, &Options::default()).unwrap();
    assert!(stream.read_to_end(&mut Vec::new()).is_err());
}
