// SPDX-License-Identifier: GPL-2.0

//! A log in, and out again.

// rustfmt looks for its KUnit tests in the wrong place.
#[rustfmt::skip]
#[path = "../../../src/control/format.rs"]
mod format;
#[path = "../../../src/control/import.rs"]
mod import;

use crate::disk::{Members, Properties, RecordedDisk, Staged};
use crate::model::{Op, Tear};
use crate::sync::Arc;
use crate::{registry, text};
use format::{encode_member, Header, RawEntry, ENTRY_LEN, HEADER_LEN, MEMBER_LEN};
use import::Import;

/// What a stream was on its way in.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// No disk is like the one that it is of.
    NoDisk,
    Refused,
    /// It has not come to its end.
    Short,
    /// All of it was taken; this is what export gives then, base entries as they came.
    Whole(Vec<u8>),
}

/// Has a disk like the one that a stream is of take it in, so many bytes at a time.
pub fn take_in(stream: &[u8], at_a_time: usize) -> Taken {
    let Some((properties, members)) = disk_of(stream) else {
        return Taken::NoDisk;
    };
    let disk = Arc::new(RecordedDisk::new(properties, members));
    registry::publish(&disk);
    let Ok(mut import) = Import::new(disk.clone()) else {
        return Taken::Refused;
    };
    for bytes in stream.chunks(at_a_time.max(1)) {
        if import.feed(bytes).is_err() {
            return Taken::Refused;
        }
    }
    match disk.adopted() {
        Some(staged) => Taken::Whole(export(&disk, &staged)),
        None => Taken::Short,
    }
}

/// An entry, read and written; none if it is refused.
pub fn entry(bytes: &[u8]) -> Option<[u8; ENTRY_LEN]> {
    RawEntry::decode(bytes).ok().map(|entry| entry.encode())
}

/// The disk that the header of a stream is of, if there can be one.
fn disk_of(stream: &[u8]) -> Option<(Properties, Members)> {
    let header = stream.get(..HEADER_LEN)?;
    let u32_at = |at: usize| Some(u32::from_le_bytes(header.get(at..at + 4)?.try_into().ok()?));
    let u64_at = |at: usize| Some(u64::from_le_bytes(header.get(at..at + 8)?.try_into().ok()?));
    let flags = u32_at(12)?;
    let properties = Properties {
        nr_sectors: u64_at(16)?,
        block_size: u32_at(24)?,
        atomic_unit: u32_at(28)?,
        tear: match flags & 24 {
            0 => Tear::Any,
            8 => Tear::Prefix,
            _ => Tear::Rmw,
        },
        write_cache: flags & 1 != 0,
        fua: flags & 2 != 0,
    };
    // As settings allow, but for whole MiB.
    let block_sectors = (u64::from(properties.block_size) / 512).max(1);
    let is_disk = matches!(properties.block_size, 512 | 4096)
        && properties.atomic_unit.is_power_of_two()
        && (properties.block_size..=65536).contains(&properties.atomic_unit)
        && (properties.tear != Tear::Rmw || properties.atomic_unit == 512)
        && properties.nr_sectors % block_sectors == 0
        && (1..=1 << 35).contains(&properties.nr_sectors)
        && (properties.write_cache || !properties.fua);
    let mut members = Members::NONE;
    let nr_members = ((flags >> 8) & 0xff) as usize;
    for bytes in stream[HEADER_LEN..].chunks(MEMBER_LEN).take(nr_members) {
        let (size, name) = bytes.split_at_checked(8)?;
        let nr_sectors = u64::from_le_bytes(size.try_into().ok()?);
        let name = text::fields(name, 0).next()?;
        let is_member = nr_sectors != 0 && nr_sectors % block_sectors == 0 && nr_sectors <= 1 << 35;
        let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let is_name = !name.is_empty() && name.iter().all(is_allowed);
        if !is_member || !is_name {
            return None;
        }
        members.push(name, nr_sectors).ok()?;
    }
    let is_whole = members.as_slice().len() == nr_members
        && (nr_members == 0 || members.nr_sectors() == properties.nr_sectors);
    (is_disk && is_whole).then_some((properties, members))
}

fn export(disk: &RecordedDisk, staged: &Staged) -> Vec<u8> {
    let (record, members) = (&staged.record, disk.members().as_slice());
    let header = Header {
        properties: disk.properties(),
        nr_members: members.len(),
        has_data: true,
        nr_entries: record.log().len() as u64,
        last_event: record.last_event(),
        truncated: record.truncated(),
        nr_base: staged.base.len() as u64,
        faults: record.faults(),
    };
    let mut stream = header.encode().to_vec();
    stream.extend(members.iter().flat_map(encode_member));
    for base in &staged.base {
        let len = base.data.len() as u32;
        stream.extend(RawEntry::base(base.sector, base.nr_sectors, len).encode());
        stream.extend(&base.data);
    }
    for (write, data) in record.log().iter().zip(&staged.data) {
        let payload = match write.entry.op {
            Op::Mark => record.mark_text(write),
            _ => data,
        };
        let submitter = record.submitter(write);
        let garbage = staged.garbage.flatten();
        stream.extend(RawEntry::new(write, submitter, payload.len() as u32, garbage).encode());
        stream.extend(payload);
    }
    stream
}
