// SPDX-License-Identifier: GPL-2.0

use super::*;

fn header() -> Header {
    Header {
        write_cache: true,
        fua: false,
        with_data: true,
        capacity_sectors: 2048,
        block_size: 4096,
        atomic_unit: 8192,
        tear: Tear::Any,
        entries: 1,
        newest_event: 2,
        truncated: 0,
        base_entries: 0,
        faults: Faults::LIED,
        members: Members::default(),
    }
}

fn entry() -> Entry {
    Entry {
        op: EntryOp::Write,
        flags: Flags::FUA | Flags::META,
        submit: 1,
        start: 1,
        complete: 2,
        sector: 8,
        nr_sectors: 8,
        payload_len: 4096,
        submitted_ns: 5,
        completed_ns: 6,
        tid: 77,
        stack: 0x1a2b_3c4d,
        task: "jbd2/vda-8".into(),
        asked: 0,
    }
}

fn stream(header: &Header, entry: &Entry, payload: &[u8]) -> Vec<u8> {
    let mut out = header.to_bytes();
    write_entry(&mut out, entry, payload).unwrap();
    out
}

fn read(bytes: &[u8]) -> Result<(Header, Entry), AbiError> {
    let mut reader = Reader::new(bytes)?;
    let mut payload = Vec::new();
    let entry = reader.next_entry(&mut payload)?.unwrap();
    assert!(reader.next_entry(&mut payload)?.is_none());
    Ok((reader.header().clone(), entry))
}

#[test]
fn what_is_written_is_read() {
    let bytes = stream(&header(), &entry(), &[7; 4096]);
    assert_eq!(read(&bytes).unwrap(), (header(), entry()));
}

/// As docs/abi.md has it: what is where.
#[test]
fn fields_are_where_the_driver_has_them() {
    let mut entry = entry();
    (entry.start, entry.tid, entry.asked) = (0x0101, 0x0202_0202, 0x0303_0303_0303);
    let bytes = stream(&group(), &entry, &[7; 4096]);
    let header: [(usize, &[u8]); 12] = [
        (0, b"powercut"),
        (8, &[2, 0, 0, 0]),
        (12, &[5, 2, 1, 0]),
        (16, &2048u64.to_le_bytes()),
        (24, &4096u32.to_le_bytes()),
        (28, &8192u32.to_le_bytes()),
        (32, &1u64.to_le_bytes()),
        (40, &2u64.to_le_bytes()),
        (48, &[0; 16]),
        (64, &1024u64.to_le_bytes()),
        (72, b"data\0\0"),
        (104, b"log\0"),
    ];
    let of_entry: [(usize, &[u8]); 14] = [
        (0, &[1, 0, 0, 0]),
        (4, &[6, 0, 0, 0]),
        (8, &1u64.to_le_bytes()),
        (16, &0x0101u64.to_le_bytes()),
        (24, &2u64.to_le_bytes()),
        (32, &8u64.to_le_bytes()),
        (40, &8u32.to_le_bytes()),
        (44, &4096u32.to_le_bytes()),
        (48, &5u64.to_le_bytes()),
        (56, &6u64.to_le_bytes()),
        (64, &[2, 2, 2, 2, 0x4d, 0x3c, 0x2b, 0x1a]),
        (72, b"jbd2/vda-8\0\0\0\0\0\0"),
        (88, &0x0303_0303_0303u64.to_le_bytes()),
        (96, &[7; 8]),
    ];
    for (at, expected) in header {
        assert_eq!(&bytes[at..at + expected.len()], expected, "byte {at}");
    }
    let bytes = &bytes[128..];
    for (at, expected) in of_entry {
        let found = &bytes[at..at + expected.len()];
        assert_eq!(found, expected, "byte {at} of the entry");
    }
}

#[test]
fn a_short_stream_is_refused_wherever_it_ends() {
    let bytes = stream(&header(), &entry(), &[7; 4096]);
    for len in 0..bytes.len() {
        assert!(matches!(read(&bytes[..len]), Err(AbiError::Short(_))));
    }
}

#[test]
fn other_files_and_versions_are_refused() {
    let mut bytes = stream(&header(), &entry(), &[7; 4096]);
    bytes[8] = 5;
    assert!(matches!(read(&bytes), Err(AbiError::Version(5))));
    bytes[0] = b'P';
    assert!(matches!(read(&bytes), Err(AbiError::Magic)));
}

fn group() -> Header {
    let member = |name: &str| Member {
        name: name.into(),
        sectors: 1024,
    };
    Header {
        members: Members::new(vec![member("data"), member("log")]).unwrap(),
        ..header()
    }
}

#[test]
fn a_group_comes_with_its_members() {
    let bytes = stream(&group(), &entry(), &[7; 4096]);
    assert_eq!(read(&bytes).unwrap(), (group(), entry()));
    assert_eq!(bytes[8], 2);
    for len in 0..bytes.len() {
        assert!(matches!(read(&bytes[..len]), Err(AbiError::Short(_))));
    }
    // Name, size, number of members.
    for (at, value) in [(72, b'/'), (72, 0), (64, 1), (13, 0), (13, 1)] {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        assert!(matches!(read(&bytes), Err(AbiError::Malformed(_))), "{at}");
    }
    let mut across = entry();
    across.sector = 1020;
    let bytes = stream(&group(), &across, &[7; 4096]);
    assert!(matches!(read(&bytes), Err(AbiError::Malformed(_))));
}

/// A version of its own, so that nobody takes for legal what is not, or misses what is.
#[test]
fn other_ways_to_tear_have_versions_of_their_own() {
    let tears = [(Tear::Prefix, 3, 8), (Tear::Rmw, 4, 16)];
    let tears = tears.map(|tear| [(tear, header()), (tear, group())]);
    for ((tear, version, bit), header) in tears.into_iter().flatten() {
        let header = Header {
            tear,
            block_size: 512,
            atomic_unit: 512,
            ..header
        };
        let bytes = stream(&header, &entry(), &[7; 4096]);
        assert_eq!(read(&bytes).unwrap(), (header.clone(), entry()));
        assert_eq!((bytes[8], bytes[12] & 24), (version, bit));
        let both = (12, bytes[12] | 24);
        for (at, value) in [
            (8, 1),
            (8, 2),
            (8, 7 - version),
            (12, bytes[12] & !24),
            both,
        ] {
            let mut bytes = bytes.clone();
            bytes[at] = value;
            assert!(matches!(read(&bytes), Err(AbiError::Malformed(_))), "{at}");
        }
    }
}

/// The step from one byte of a header to a gigabyte of memory.
#[test]
fn memory_is_taken_for_data_that_is_there_alone() {
    let mut long = entry();
    long.nr_sectors = 1 << 20;
    let mut header = header();
    header.capacity_sectors = 1 << 21;
    let mut bytes = stream(&header, &long, &[7; 4096]);
    let at = bytes.len() - 4096 - 96 + 44;
    bytes[at..at + 4].copy_from_slice(&(512u32 << 20).to_le_bytes());
    let mut reader = Reader::new(&bytes[..]).unwrap();
    let mut payload = Vec::new();
    let short = reader.next_entry(&mut payload);
    assert!(matches!(short, Err(AbiError::Short(_))), "{short:?}");
    assert!(payload.capacity() <= 4 << 20, "{}", payload.capacity());
}

#[test]
fn data_where_none_belongs_is_refused() {
    let rows: [(EntryOp, u32, usize, bool); 7] = [
        (EntryOp::Write, 8, 4096, true),
        (EntryOp::Mark, 0, 1024, true),
        (EntryOp::Mark, 0, 1025, false),
        (EntryOp::Flush, 0, 1, false),
        (EntryOp::Discard, 8, 4096, false),
        (EntryOp::WriteZeroes, 8, 512, false),
        (EntryOp::Flush, 0, 0, true),
    ];
    for (op, nr_sectors, len, is_good) in rows {
        let entry = Entry {
            op,
            nr_sectors,
            ..entry()
        };
        let bytes = stream(&header(), &entry, &vec![7; len]);
        assert_eq!(read(&bytes).is_ok(), is_good, "{op:?} with {len} bytes");
    }
    // No data, and 2 TiB of pages that a discard would then leave garbage in.
    let lost = Entry {
        op: EntryOp::Base,
        flags: Flags::LOST,
        ..entry()
    };
    let bytes = stream(&header(), &lost, &[]);
    assert!(matches!(read(&bytes), Err(AbiError::Malformed(_))));
}

#[test]
fn damage_is_refused() {
    let breakers: [fn(&mut Entry); 4] = [
        |e| e.sector = 2047,
        |e| e.sector = u64::MAX,
        |e| e.complete = 0,
        |e| e.nr_sectors = 7,
    ];
    for break_it in breakers {
        let mut e = entry();
        break_it(&mut e);
        let bytes = stream(&header(), &e, &vec![0; e.nr_sectors as usize * 512]);
        assert!(matches!(read(&bytes), Err(AbiError::Malformed(_))), "{e:?}");
    }
    let bytes = stream(&header(), &entry(), &[7; 512]);
    assert!(matches!(read(&bytes), Err(AbiError::Malformed(_))));
}
