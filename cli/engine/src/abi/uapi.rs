// SPDX-License-Identifier: GPL-2.0

//! The C header of the stream says the same as this crate.

use std::collections::BTreeMap;
use std::mem::{offset_of, size_of};

use super::wire;
use super::{
    EntryOp, Flags, IN_FLIGHT, MAGIC, VERSION, VERSION_OF_GROUPS, VERSION_OF_PREFIXES,
    VERSION_OF_RMW,
};
use crate::faults::Faults;

const HEADER: &str = include_str!("../../../../src/uapi/linux/powercut.h");

/// The header without comments.
fn code() -> String {
    let mut rest = HEADER;
    let mut code = String::new();
    while let Some(begin) = rest.find("/*") {
        code.push_str(&rest[..begin]);
        let end = rest[begin..].find("*/").unwrap();
        rest = &rest[begin + end + 2..];
    }
    code + rest
}

/// The numbers that it defines, by name.
fn constants() -> BTreeMap<String, u64> {
    let code = code();
    let lines = code
        .lines()
        .filter_map(|line| line.strip_prefix("#define "));
    let defined = lines.filter_map(|line| {
        let (name, value) = line.split_once(char::is_whitespace)?;
        let value = value.trim().trim_end_matches("ULL");
        let value = match value.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).ok()?,
            None => value.parse().ok()?,
        };
        Some((name.to_string(), value))
    });
    defined.collect()
}

/// The fields of a struct, each with where it begins; and the size.
fn layout(name: &str) -> (Vec<(String, usize)>, usize) {
    let code = code();
    let begin = code.find(&format!("struct {name} {{")).unwrap();
    let body = &code[begin..begin + code[begin..].find("};").unwrap()];
    let mut offset = 0;
    let mut fields = Vec::new();
    for line in body.lines().skip(1).filter(|line| !line.trim().is_empty()) {
        let mut words = line.trim().trim_end_matches(';').split_whitespace();
        let size = match words.next().unwrap() {
            "__u8" => 1,
            "__le32" => 4,
            "__le64" => 8,
            other => panic!("unknown type {other}"),
        };
        let field = words.next().unwrap();
        let (field, count) = match field.split_once('[') {
            Some((field, count)) => (field, count.trim_end_matches(']').parse().unwrap()),
            None => (field, 1),
        };
        assert_eq!(offset % size, 0, "{name}.{field} is not aligned");
        fields.push((field.to_string(), offset));
        offset += size * count;
    }
    (fields, offset)
}

fn fields<const N: usize>(fields: [(&str, usize); N]) -> Vec<(String, usize)> {
    let fields = fields.into_iter();
    fields.map(|(name, at)| (name.to_string(), at)).collect()
}

#[test]
fn structs_have_the_same_fields_at_the_same_places() {
    let header = fields([
        ("magic", offset_of!(wire::Header, magic)),
        ("version", offset_of!(wire::Header, version)),
        ("flags", offset_of!(wire::Header, flags)),
        ("nr_sectors", offset_of!(wire::Header, capacity_sectors)),
        ("block_size", offset_of!(wire::Header, block_size)),
        ("atomic_unit", offset_of!(wire::Header, atomic_unit)),
        ("nr_entries", offset_of!(wire::Header, entries)),
        ("last_event", offset_of!(wire::Header, newest_event)),
        ("truncated", offset_of!(wire::Header, truncated)),
        ("nr_base_entries", offset_of!(wire::Header, base_entries)),
    ]);
    let of_header = (header, size_of::<wire::Header>());
    assert_eq!(layout("powercut_log_header"), of_header);
    let member = fields([
        ("nr_sectors", offset_of!(wire::Member, sectors)),
        ("name", offset_of!(wire::Member, name)),
    ]);
    let of_member = (member, size_of::<wire::Member>());
    assert_eq!(layout("powercut_log_member"), of_member);
    let entry = fields([
        ("op", offset_of!(wire::Entry, op)),
        ("reserved", offset_of!(wire::Entry, reserved)),
        ("flags", offset_of!(wire::Entry, flags)),
        ("submit", offset_of!(wire::Entry, submit)),
        ("start", offset_of!(wire::Entry, start)),
        ("complete", offset_of!(wire::Entry, complete)),
        ("sector", offset_of!(wire::Entry, sector)),
        ("nr_sectors", offset_of!(wire::Entry, nr_sectors)),
        ("payload_len", offset_of!(wire::Entry, payload_len)),
        ("submitted_ns", offset_of!(wire::Entry, submitted_ns)),
        ("completed_ns", offset_of!(wire::Entry, completed_ns)),
        ("tid", offset_of!(wire::Entry, tid)),
        ("stack", offset_of!(wire::Entry, stack)),
        ("comm", offset_of!(wire::Entry, task)),
        ("asked", offset_of!(wire::Entry, asked)),
    ]);
    let of_entry = (entry, size_of::<wire::Entry>());
    assert_eq!(layout("powercut_log_entry"), of_entry);
}

#[test]
fn numbers_are_the_same() {
    let c = constants();
    let header = |flag: wire::HeaderFlags| u64::from(flag.bits());
    let mut ours = BTreeMap::from([
        ("LOG_DISK".to_string(), u64::from(VERSION)),
        ("LOG_GROUP".into(), u64::from(VERSION_OF_GROUPS)),
        ("LOG_PREFIX".into(), u64::from(VERSION_OF_PREFIXES)),
        ("LOG_RMW".into(), u64::from(VERSION_OF_RMW)),
        (
            "LOG_WRITE_CACHE".into(),
            header(wire::HeaderFlags::WRITE_CACHE),
        ),
        ("LOG_FUA".into(), header(wire::HeaderFlags::FUA)),
        ("LOG_DATA".into(), header(wire::HeaderFlags::WITH_DATA)),
        ("LOG_TEAR_PREFIX".into(), header(wire::HeaderFlags::PREFIX)),
        ("LOG_TEAR_RMW".into(), header(wire::HeaderFlags::RMW)),
        ("LOG_MEMBERS_SHIFT".into(), 8),
        ("LOG_MEMBERS_MASK".into(), 0xff00),
        ("IN_FLIGHT".into(), IN_FLIGHT),
    ]);
    for (name, fault) in Faults::all().iter_names() {
        let name = if name == "BAD_SECTOR" {
            "BADBLOCKS"
        } else {
            name
        };
        ours.insert(format!("LOG_{name}"), fault.header_flags().into());
    }
    for (name, flag) in Flags::all().iter_names() {
        ours.insert(format!("ENTRY_{name}"), flag.bits().into());
    }
    for code in 1.. {
        let Some(op) = EntryOp::from_code(code) else {
            break;
        };
        ours.insert(format!("OP_{}", op.name()), op.code().into());
    }
    let ours = ours.into_iter();
    let ours: BTreeMap<_, _> = ours
        .map(|(name, n)| (format!("POWERCUT_{name}"), n))
        .collect();
    assert_eq!(c, ours);
    assert!(HEADER.contains(&format!("\"{}\"", String::from_utf8_lossy(&MAGIC))));
}
