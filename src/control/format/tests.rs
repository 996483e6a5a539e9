// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of the log's binary format.

use super::*;
use crate::disk::Members;

const PROPERTIES: Properties = Properties {
    nr_sectors: 2048,
    block_size: 512,
    physical_block_size: 4096,
    atomic_unit: 4096,
    tear: Tear::Any,
    write_cache: true,
    fua: false,
    discard: true,
    partscan: true,
};

fn header() -> Header {
    Header {
        properties: PROPERTIES,
        nr_members: 0,
        has_data: true,
        nr_entries: 0x0102_0304_0506_0708,
        last_event: 3,
        truncated: 4,
        nr_base: 5,
        faults: Kinds::STALE | Kinds::LIED,
    }
}

fn entry() -> Result<RawEntry> {
    Ok(RawEntry {
        kind: EntryKind::Log(model::Op::Discard),
        flags: Flags::from_bits(127).ok_or(EINVAL)?,
        submit: 100,
        start: 101,
        complete: 102,
        sector: 8,
        nr_sectors: 16,
        payload_len: 17,
        submit_ns: 18,
        complete_ns: 20,
        submitter: Submitter {
            task: TaskId {
                pid: 19,
                comm: *b"a task's name..\0",
            },
            stack: 0x0605_0403,
        },
        faults: Kinds::default(),
        asked: 0,
        garbage: None,
    })
}

/// Bytes that no entry has: offset and value.
const MALFORMED: [(usize, u8); 13] = [
    (0, 0),
    (0, 7),
    (0, 255),
    (1, 1),
    (3, 1),
    (4, 128),
    (5, 32),
    (5, 64),
    (5, 128),
    (6, 2),
    (7, 128),
    (88, 1),
    (95, 1),
];

/// The header's error once a byte of it is another.
fn changed_header(offset: usize) -> Result<Header> {
    let mut bytes = header().encode();
    if let Some(byte) = bytes.get_mut(offset) {
        *byte ^= 0x41;
    }
    Header::decode(&bytes, PROPERTIES, 0)
}

fn changed_entry(offset: usize, value: u8) -> Result<RawEntry> {
    let mut bytes = entry()?.encode();
    if let Some(byte) = bytes.get_mut(offset) {
        *byte = value;
    }
    RawEntry::decode(&bytes)
}

// The tests' entry points from C are made by the macro; this is not for anything else.
#[allow(unsafe_code)]
#[kunit_tests(powercut_format)]
mod suite {
    use super::*;

    #[test]
    fn headers_come_back() -> Result {
        let bytes = header().encode();
        assert!(bytes.starts_with(b"powercut\x01\0\0\0\x05\0\x21\0\0\x08\0\0"));
        let back = Header::decode(&bytes, PROPERTIES, 0)?;
        assert!(back.encode() == bytes);
        assert!(back.nr_entries == 0x0102_0304_0506_0708);
        assert!((back.last_event, back.truncated, back.nr_base) == (3, 4, 5));
        Ok(())
    }

    #[test]
    fn headers_of_other_kinds_are_refused() {
        // Magic, version, flags, capacity, block size, atomic unit.
        for offset in [0, 7, 8, 11, 12, 16, 23, 24, 28, 31] {
            assert!(changed_header(offset).is_err_and(|error| error == EINVAL));
        }
        let bytes = header().encode();
        for len in [0, 8, HEADER_LEN - 1] {
            let short = Header::decode(bytes.get(..len).unwrap_or(&[]), PROPERTIES, 0);
            assert!(short.is_err_and(|error| error == EINVAL));
        }
    }

    #[test]
    fn headers_of_groups() -> Result {
        let mut members = Members::NONE;
        members.push(b"data", 4096)?;
        members.push(b"log", 2048)?;
        let header = Header {
            nr_members: 2,
            ..header()
        };
        let bytes = header.encode();
        assert!(bytes.starts_with(b"powercut\x02\0\0\0\x05\x02\x21\0"));
        assert!(Header::decode(&bytes, PROPERTIES, 2)?.encode() == bytes);
        for nr_members in [0, 1, 3] {
            let other = Header::decode(&bytes, PROPERTIES, nr_members);
            assert!(other.is_err_and(|error| error == EINVAL));
        }

        let [data, _] = members.as_slice() else {
            return Err(EINVAL);
        };
        let bytes = encode_member(data);
        assert!(bytes.starts_with(b"\0\x10\0\0\0\0\0\0data\0"));
        assert!(bytes.iter().skip(12).all(|byte| *byte == 0));
        Ok(())
    }

    #[test]
    fn headers_of_other_ways_to_tear() -> Result {
        for (tear, nr_members, begin) in [
            (Tear::Prefix, 0, b"powercut\x03\0\0\0\x0d\0\x21\0"),
            (Tear::Prefix, 2, b"powercut\x03\0\0\0\x0d\x02\x21\0"),
            (Tear::Rmw, 0, b"powercut\x04\0\0\0\x15\0\x21\0"),
            (Tear::Rmw, 2, b"powercut\x04\0\0\0\x15\x02\x21\0"),
        ] {
            let torn = Properties { tear, ..PROPERTIES };
            let header = Header {
                properties: torn,
                nr_members,
                ..header()
            };
            let bytes = header.encode();
            assert!(bytes.starts_with(begin));
            assert!(Header::decode(&bytes, torn, nr_members)?.encode() == bytes);
            let refused = Header::decode(&bytes, PROPERTIES, nr_members);
            assert!(refused.is_err_and(|error| error == EINVAL));

            // The bit or the version alone.
            for offset in [8, 12] {
                let mut other = bytes;
                if let Some(byte) = other.get_mut(offset) {
                    *byte = if offset == 8 { 1 } else { 5 };
                }
                for properties in [torn, PROPERTIES] {
                    let refused = Header::decode(&other, properties, nr_members);
                    assert!(refused.is_err_and(|error| error == EINVAL));
                }
            }
            let refused = Header::decode(&self::header().encode(), torn, 0);
            assert!(refused.is_err_and(|error| error == EINVAL));
        }
        Ok(())
    }

    #[test]
    fn entries_come_back() -> Result {
        let bytes = entry()?.encode();
        let back = RawEntry::decode(&bytes)?;
        assert!(back.encode() == bytes);
        assert!(bytes.starts_with(&[3, 0, 0, 0, 127, 0, 0, 0, 100]));
        assert!(bytes.get(64..72) == Some(&[19, 0, 0, 0, 3, 4, 5, 6]));
        assert!(back.submitter == self::entry()?.submitter);

        let write = back.to_write(model::Op::Discard)?;
        let entry = &write.entry;
        assert!((entry.submit, entry.start, entry.complete) == (100, 101, 102));
        assert!(write.duration_ns == 2);
        assert!(RawEntry::new(&write, back.submitter, 17, None).encode() == bytes);

        let base = RawEntry::base(8, 8, 4096);
        assert!(RawEntry::decode(&base.encode())?.kind == EntryKind::Base);
        Ok(())
    }

    #[test]
    fn malformed_entries_are_refused() -> Result {
        for (offset, value) in MALFORMED {
            assert!(changed_entry(offset, value).is_err_and(|error| error == EINVAL));
        }
        assert!(RawEntry::decode(&[0; ENTRY_LEN - 1]).is_err());
        assert!(RawEntry::decode(&[]).is_err());

        // Times and events that run backwards, or too far.
        let events: [fn(&mut RawEntry); 8] = [
            |entry| entry.start = 99,
            |entry| entry.start = 100,
            |entry| entry.start = 102,
            |entry| entry.start = u64::MAX,
            |entry| entry.complete = 101,
            |entry| entry.complete = 1 << 40,
            |entry| entry.complete_ns = 17,
            |entry| entry.complete_ns = 18 + (1 << 32),
        ];
        for change in events {
            let mut entry = entry()?;
            change(&mut entry);
            assert!(entry
                .to_write(model::Op::Discard)
                .is_err_and(|error| error == EINVAL));
        }
        Ok(())
    }
}
