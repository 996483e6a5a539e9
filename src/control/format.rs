// SPDX-License-Identifier: GPL-2.0

//! The log's binary format, out and in: docs/abi.md.
//!
//! A group's is of version 2: its header is followed by its members. That of a disk on which
//! writes survive as prefixes is of version 3, of a group or not: readers that know
//! of no such disk would take for legal what is not. That of one on which they may cost their
//! neighbours is of version 4, likewise: other readers would miss what is legal.

#[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
mod tests;

use crate::{
    block::{
        task::{
            TaskId,
            COMM_LEN, //
        },
        Flags, //
    },
    disk::{
        Member,
        Properties,
        MEMBER_NAME_LEN, //
    },
    fault::Kinds,
    model::{
        self,
        Tear, //
    },
    record::{
        Submitter,
        Write, //
    }, //
};
use kernel::prelude::*;

/// Length of the header in bytes.
pub(super) const HEADER_LEN: usize = 64;
/// Length of a member in bytes.
pub(super) const MEMBER_LEN: usize = 32;
/// Length of an entry without its payload in bytes.
pub(super) const ENTRY_LEN: usize = 96;

const MAGIC: [u8; 8] = *b"powercut";
const VERSION: u32 = 1;
const VERSION_OF_GROUPS: u32 = 2;
const VERSION_OF_PREFIXES: u32 = 3;
const VERSION_OF_RMW: u32 = 4;

const FLAG_WRITE_CACHE: u32 = 1;
const FLAG_FUA: u32 = 2;
const FLAG_DATA: u32 = 4;
const FLAG_PREFIX: u32 = 8;
const FLAG_RMW: u32 = 16;
/// Where the number of members is.
const FLAGS_MEMBERS_SHIFT: u32 = 8;

/// The number of a base entry, which is no operation of the model's.
const OP_BASE: u8 = 6;

/// What a log begins with.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) properties: Properties,
    /// How many members follow.
    pub(super) nr_members: usize,
    /// Writes carry their data, and base entries come first.
    pub(super) has_data: bool,
    pub(super) nr_entries: u64,
    pub(super) last_event: u64,
    pub(super) truncated: u64,
    pub(super) nr_base: u64,
    /// The faults that the recorded I/O met.
    pub(super) faults: Kinds,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER_LEN] {
        let mut flags = self.faults.header_flags();
        if self.properties.write_cache {
            flags |= FLAG_WRITE_CACHE;
        }
        if self.properties.fua {
            flags |= FLAG_FUA;
        }
        if self.has_data {
            flags |= FLAG_DATA;
        }
        flags |= tear_flag(self.properties.tear);

        // No truncation: there are 8 at most.
        flags |= (self.nr_members as u32) << FLAGS_MEMBERS_SHIFT;
        let version = version(self.nr_members, self.properties.tear);

        let mut bytes = Writer([0; HEADER_LEN]);
        bytes.put(0, &MAGIC);
        bytes.put(8, &version.to_le_bytes());
        bytes.put(12, &flags.to_le_bytes());
        bytes.put(16, &self.properties.nr_sectors.to_le_bytes());
        bytes.put(24, &self.properties.block_size.to_le_bytes());
        bytes.put(28, &self.properties.atomic_unit.to_le_bytes());
        bytes.put(32, &self.nr_entries.to_le_bytes());
        bytes.put(40, &self.last_event.to_le_bytes());
        bytes.put(48, &self.truncated.to_le_bytes());
        bytes.put(56, &self.nr_base.to_le_bytes());
        bytes.0
    }

    /// Decodes the header of an export for a disk like `properties` that has so many members.
    /// [`EINVAL`] if it is none, or for another kind of disk.
    pub(super) fn decode(bytes: &[u8], properties: Properties, nr_members: usize) -> Result<Self> {
        let bytes = Reader(bytes);
        let flags = bytes.u32(12)?;
        let header = Self {
            properties,
            nr_members,
            has_data: flags & FLAG_DATA != 0,
            nr_entries: bytes.u64(32)?,
            last_event: bytes.u64(40)?,
            truncated: bytes.u64(48)?,
            nr_base: bytes.u64(56)?,
            faults: Kinds::of_header(flags),
        };
        let is_ours = bytes.bytes::<8>(0)? == MAGIC
            && bytes.u32(8)? == version(nr_members, properties.tear)
            && header.has_data
            && flags & !(FLAG_WRITE_CACHE | FLAG_FUA | FLAG_DATA | Kinds::HEADER_FLAGS)
                == (nr_members as u32) << FLAGS_MEMBERS_SHIFT | tear_flag(properties.tear)
            && (flags & FLAG_WRITE_CACHE != 0) == properties.write_cache
            && bytes.u64(16)? == properties.nr_sectors
            && bytes.u32(24)? == properties.block_size
            && bytes.u32(28)? == properties.atomic_unit;
        if is_ours {
            Ok(header)
        } else {
            Err(EINVAL)
        }
    }
}

/// Of a discard: the sectors that were written to before hold garbage.
const FLAG_GARBAGE: u32 = 1 << 16;

fn version(nr_members: usize, tear: Tear) -> u32 {
    match (tear, nr_members) {
        (Tear::Prefix, _) => VERSION_OF_PREFIXES,
        (Tear::Rmw, _) => VERSION_OF_RMW,
        (Tear::Any, 0) => VERSION,
        (Tear::Any, _) => VERSION_OF_GROUPS,
    }
}

fn tear_flag(tear: Tear) -> u32 {
    match tear {
        Tear::Any => 0,
        Tear::Prefix => FLAG_PREFIX,
        Tear::Rmw => FLAG_RMW,
    }
}

/// A member: its size in sectors and its name.
pub(super) fn encode_member(member: &Member) -> [u8; MEMBER_LEN] {
    let mut bytes = Writer([0; MEMBER_LEN]);
    bytes.put(0, &member.nr_sectors.to_le_bytes());
    bytes.put(MEMBER_LEN - MEMBER_NAME_LEN, member.padded_name());
    bytes.0
}

/// What an entry is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    /// Content of the disk from before the record.
    Base,
    /// An entry of the log.
    Log(model::Op),
}

/// An entry, without its payload.
#[derive(Clone, Copy)]
pub(super) struct RawEntry {
    pub(super) kind: EntryKind,
    pub(super) flags: Flags,
    pub(super) submit: u64,
    pub(super) start: u64,
    pub(super) complete: u64,
    pub(super) sector: u64,
    pub(super) nr_sectors: u32,
    pub(super) payload_len: u32,
    pub(super) submit_ns: u64,
    pub(super) complete_ns: u64,
    pub(super) submitter: Submitter,
    /// The faults that it met.
    pub(super) faults: Kinds,
    /// The first sector that it was for, if it was misdirected.
    pub(super) asked: u64,
    /// Of a discard: what its sectors hold follows from this; without, they are zeroes.
    pub(super) garbage: Option<u64>,
}

impl RawEntry {
    /// Content of the disk from before the record.
    pub(super) fn base(sector: u64, nr_sectors: u32, payload_len: u32) -> Self {
        Self {
            kind: EntryKind::Base,
            flags: Flags::default(),
            submit: 0,
            start: 0,
            complete: 0,
            sector,
            nr_sectors,
            payload_len,
            submit_ns: 0,
            complete_ns: 0,
            submitter: Submitter::default(),
            faults: Kinds::default(),
            asked: 0,
            garbage: None,
        }
    }

    /// An entry of the log.
    pub(super) fn new(
        write: &Write,
        submitter: Submitter,
        payload_len: u32,
        garbage: Option<u64>,
    ) -> Self {
        let entry = &write.entry;
        Self {
            kind: EntryKind::Log(entry.op),
            flags: write.flags,
            submit: entry.submit,
            start: entry.start,
            complete: entry.complete,
            sector: match entry.op {
                // Not a sector.
                model::Op::Mark => 0,
                _ => entry.sector,
            },
            nr_sectors: entry.nr_sectors,
            payload_len,
            submit_ns: write.submit_ns,
            complete_ns: write.submit_ns + u64::from(write.duration_ns),
            submitter,
            faults: write.faults,
            asked: write.asked,
            garbage: garbage.filter(|_| entry.op == model::Op::Discard),
        }
    }

    /// The entry of the log that this is. [`EINVAL`] if its events or times are none.
    pub(super) fn to_write(self, op: model::Op) -> Result<Write> {
        let mut write = Write::new(op, self.flags, self.sector, self.nr_sectors);
        write = write.with_faults(self.faults);
        // A write with PREFLUSH has three events, other bios two, a mark one.
        let is_mark = op == model::Op::Mark;
        let is_complete_later = self.complete > self.start || self.complete == model::IN_FLIGHT;
        // As far from its submit as an entry can say.
        let is_near = |event: u64| match event.checked_sub(self.submit) {
            Some(after) => event == model::IN_FLIGHT || after < u32::MAX.into(),
            None => false,
        };
        if self.submit == 0
            || self.submit == model::IN_FLIGHT
            || (self.start > self.submit) != write.starts_later()
            || !is_near(self.start)
            || !is_near(self.complete)
            || is_complete_later == is_mark
        {
            return Err(EINVAL);
        }
        write.entry.submit = self.submit;
        write.entry.start = self.start;
        write.entry.complete = self.complete;
        write.asked = self.asked;
        write.submit_ns = self.submit_ns;
        write.duration_ns = self
            .complete_ns
            .checked_sub(self.submit_ns)
            .and_then(|ns| u32::try_from(ns).ok())
            .ok_or(EINVAL)?;
        Ok(write)
    }

    pub(super) fn encode(&self) -> [u8; ENTRY_LEN] {
        let op = match self.kind {
            EntryKind::Base => OP_BASE,
            EntryKind::Log(op) => op as u8,
        };

        let mut bytes = Writer([0; ENTRY_LEN]);
        bytes.put(0, &[op]);
        let flags = u32::from(self.flags.bits()) | self.faults.entry_flags();
        let flags = match self.garbage {
            Some(_) => flags | FLAG_GARBAGE,
            None => flags,
        };
        bytes.put(4, &flags.to_le_bytes());
        bytes.put(8, &self.submit.to_le_bytes());
        bytes.put(16, &self.start.to_le_bytes());
        bytes.put(24, &self.complete.to_le_bytes());
        bytes.put(32, &self.sector.to_le_bytes());
        bytes.put(40, &self.nr_sectors.to_le_bytes());
        bytes.put(44, &self.payload_len.to_le_bytes());
        bytes.put(48, &self.submit_ns.to_le_bytes());
        bytes.put(56, &self.complete_ns.to_le_bytes());
        let Submitter { task, stack } = &self.submitter;
        bytes.put(64, &task.pid.to_le_bytes());
        bytes.put(68, &stack.to_le_bytes());
        bytes.put(72, &task.comm);
        let last = self.garbage.unwrap_or(self.asked);
        bytes.put(88, &last.to_le_bytes());
        bytes.0
    }

    /// [`EINVAL`] if the bytes are no entry.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let bytes = Reader(bytes);
        let [op, reserved @ ..] = bytes.bytes::<4>(0)?;
        let flags = bytes.u32(4)?;
        let kinds = Kinds::of_entry(flags)?;
        let last = bytes.u64(88)?;
        let is_elsewhere = kinds.contains(Kinds::MISDIRECTED);
        let is_garbage = flags & FLAG_GARBAGE != 0;
        let is_unused = !is_elsewhere && !is_garbage;
        let is_other = is_garbage && (op != model::Op::Discard as u8 || is_elsewhere);
        if reserved != [0; 3] || (last != 0 && is_unused) || is_other {
            return Err(EINVAL);
        }
        Ok(Self {
            kind: match op {
                OP_BASE => EntryKind::Base,
                op => EntryKind::Log(model::Op::try_from(op).map_err(|_| EINVAL)?),
            },
            flags: Flags::from_bits(flags & !(Kinds::ENTRY_FLAGS | FLAG_GARBAGE)).ok_or(EINVAL)?,
            submit: bytes.u64(8)?,
            start: bytes.u64(16)?,
            complete: bytes.u64(24)?,
            sector: bytes.u64(32)?,
            nr_sectors: bytes.u32(40)?,
            payload_len: bytes.u32(44)?,
            submit_ns: bytes.u64(48)?,
            complete_ns: bytes.u64(56)?,
            submitter: Submitter {
                task: TaskId {
                    pid: bytes.u32(64)?,
                    comm: bytes.bytes::<COMM_LEN>(72)?,
                },
                stack: bytes.u32(68)?,
            },
            faults: kinds,
            asked: if is_elsewhere { last } else { 0 },
            garbage: is_garbage.then_some(last),
        })
    }
}

struct Writer<const N: usize>([u8; N]);

impl<const N: usize> Writer<N> {
    fn put(&mut self, offset: usize, value: &[u8]) {
        if let Some(to) = self.0.get_mut(offset..offset + value.len()) {
            to.copy_from_slice(value);
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn bytes<const N: usize>(&self, offset: usize) -> Result<[u8; N]> {
        let bytes = self.0.get(offset..offset + N).ok_or(EINVAL)?;
        bytes.try_into().map_err(|_| EINVAL)
    }

    fn u32(&self, offset: usize) -> Result<u32> {
        Ok(u32::from_le_bytes(self.bytes(offset)?))
    }

    fn u64(&self, offset: usize) -> Result<u64> {
        Ok(u64::from_le_bytes(self.bytes(offset)?))
    }
}
