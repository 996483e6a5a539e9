// SPDX-License-Identifier: GPL-2.0

//! The stream that `/dev/powercut-control` gives and takes, as docs/abi.md has it.

mod flags;
mod wire;

use std::io::{self, Read, Write};

use thiserror::Error;
use zerocopy::IntoBytes;

use crate::faults::Faults;
use crate::members::{Member, Members, MAX_MEMBERS};
use crate::tear::Tear;

use wire::{padded, read_exact, text_of, HeaderFlags};

pub use flags::Flags;

pub(crate) const MAGIC: [u8; 8] = *b"powercut";
pub(crate) const VERSION: u32 = 1;
/// Of recordings of groups: their members follow the header.
pub(crate) const VERSION_OF_GROUPS: u32 = 2;
/// Of recordings of disks on which writes survive as prefixes, groups or not.
pub(crate) const VERSION_OF_PREFIXES: u32 = 3;
/// Of a disk on which writes may cost their neighbours; of a group or not.
pub(crate) const VERSION_OF_RMW: u32 = 4;
pub const SECTOR: u64 = 512;
/// The complete event of what is still in flight.
pub const IN_FLIGHT: u64 = u64::MAX;
/// No payload is longer: a bio holds far less.
const MAX_PAYLOAD: u32 = 1 << 30;
pub(crate) const MAX_MARK: u32 = 1024;
/// Memory is taken for so much of a payload before that is there.
const PAYLOAD_STEP: usize = 1 << 20;

#[derive(Debug, Error)]
pub enum AbiError {
    #[error("not a powercut recording: it does not begin with \"powercut\"")]
    Magic,
    #[error("a powercut recording of version {0}; this command reads versions {VERSION} to {VERSION_OF_RMW}: use the powercut that wrote it")]
    Version(u32),
    #[error("the recording is damaged: {0}")]
    Malformed(String),
    #[error("the recording ends early: {0}")]
    Short(&'static str),
    #[error(transparent)]
    Io(#[from] io::Error),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub write_cache: bool,
    pub fua: bool,
    /// Base entries and the data of writes are in the stream.
    pub with_data: bool,
    pub capacity_sectors: u64,
    pub block_size: u32,
    pub atomic_unit: u32,
    pub tear: Tear,
    pub entries: u64,
    pub newest_event: u64,
    pub truncated: u64,
    pub base_entries: u64,
    /// The faults that the recorded I/O met.
    pub faults: Faults,
    pub members: Members,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EntryOp {
    Write,
    WriteZeroes,
    Discard,
    Flush,
    Mark,
    Base,
}

impl EntryOp {
    fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Write,
            2 => Self::WriteZeroes,
            3 => Self::Discard,
            4 => Self::Flush,
            5 => Self::Mark,
            6 => Self::Base,
            _ => return None,
        })
    }

    pub fn code(self) -> u8 {
        match self {
            Self::Write => 1,
            Self::WriteZeroes => 2,
            Self::Discard => 3,
            Self::Flush => 4,
            Self::Mark => 5,
            Self::Base => 6,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Write => "WRITE",
            Self::WriteZeroes => "WRITE_ZEROES",
            Self::Discard => "DISCARD",
            Self::Flush => "FLUSH",
            Self::Mark => "MARK",
            Self::Base => "BASE",
        }
    }

    pub fn changes_data(self) -> bool {
        matches!(self, Self::Write | Self::WriteZeroes | Self::Discard)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub op: EntryOp,
    pub flags: Flags,
    pub submit: u64,
    pub start: u64,
    pub complete: u64,
    pub sector: u64,
    pub nr_sectors: u32,
    pub payload_len: u32,
    pub submitted_ns: u64,
    pub completed_ns: u64,
    pub tid: u32,
    /// The hash of the kernel stack that it came from; 0: not known.
    pub stack: u32,
    pub task: String,
    /// Of a misdirected write, the first sector that it was for; of a discard that leaves
    /// garbage, the seed.
    pub asked: u64,
}

impl Header {
    fn read(inner: &mut impl Read) -> Result<Self, AbiError> {
        let raw: wire::Header = wire::read(inner, "no whole header")?;
        if raw.magic != MAGIC {
            return Err(AbiError::Magic);
        }
        let version = raw.version.get();
        let bits = raw.flags.get();
        let flags = HeaderFlags::from_bits_retain(bits);
        let nr_members = match version {
            VERSION => 0,
            VERSION_OF_GROUPS if (bits >> 8) & 0xff == 0 => {
                return Err(AbiError::Malformed("a group without disks".into()))
            }
            VERSION_OF_GROUPS | VERSION_OF_PREFIXES | VERSION_OF_RMW => (bits >> 8) & 0xff,
            version => return Err(AbiError::Version(version)),
        };
        let tear = match (version, flags & (HeaderFlags::PREFIX | HeaderFlags::RMW)) {
            (VERSION_OF_PREFIXES, HeaderFlags::PREFIX) => Tear::Prefix,
            (VERSION_OF_RMW, HeaderFlags::RMW) => Tear::Rmw,
            (VERSION | VERSION_OF_GROUPS, flags) if flags.is_empty() => Tear::Any,
            (version, _) => {
                let what = format!("a header of version {version} with flags {bits:#x}");
                return Err(AbiError::Malformed(what));
            }
        };
        let header = Header {
            write_cache: flags.contains(HeaderFlags::WRITE_CACHE),
            fua: flags.contains(HeaderFlags::FUA),
            with_data: flags.contains(HeaderFlags::WITH_DATA),
            capacity_sectors: raw.capacity_sectors.get(),
            block_size: raw.block_size.get(),
            atomic_unit: raw.atomic_unit.get(),
            tear,
            entries: raw.entries.get(),
            newest_event: raw.newest_event.get(),
            truncated: raw.truncated.get(),
            base_entries: raw.base_entries.get(),
            faults: Faults::of_header(bits),
            members: read_members(inner, nr_members)?,
        };
        header.check()?;
        Ok(header)
    }

    fn check(&self) -> Result<(), AbiError> {
        let bad = |what: String| Err(AbiError::Malformed(what));
        if !matches!(self.block_size, 512 | 4096) {
            return bad(format!("block size {}", self.block_size));
        }
        if !self.atomic_unit.is_power_of_two()
            || !(self.block_size..=65536).contains(&self.atomic_unit)
        {
            return bad(format!("atomic unit {}", self.atomic_unit));
        }
        if self.tear == Tear::Rmw && u64::from(self.atomic_unit) != SECTOR {
            return bad(format!(
                "tear=rmw with an atomic unit of {}",
                self.atomic_unit
            ));
        }
        if self.capacity_sectors == 0 || self.capacity_sectors > 1 << 35 {
            return bad(format!("capacity of {} sectors", self.capacity_sectors));
        }
        if !self.members.is_empty() && self.members.sectors() != self.capacity_sectors {
            return bad("a group's disks that are not as large as it is".into());
        }
        Ok(())
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let nr_members = self.members.iter().count() as u32;
        let mut flags = HeaderFlags::empty();
        flags.set(HeaderFlags::WRITE_CACHE, self.write_cache);
        flags.set(HeaderFlags::FUA, self.fua);
        flags.set(HeaderFlags::WITH_DATA, self.with_data);
        flags.set(HeaderFlags::PREFIX, self.tear == Tear::Prefix);
        flags.set(HeaderFlags::RMW, self.tear == Tear::Rmw);
        let version = match (self.tear, nr_members) {
            (Tear::Prefix, _) => VERSION_OF_PREFIXES,
            (Tear::Rmw, _) => VERSION_OF_RMW,
            (Tear::Any, 0) => VERSION,
            (Tear::Any, _) => VERSION_OF_GROUPS,
        };
        let raw = wire::Header {
            magic: MAGIC,
            version: version.into(),
            flags: (flags.bits() | (nr_members << 8) | self.faults.header_flags()).into(),
            capacity_sectors: self.capacity_sectors.into(),
            block_size: self.block_size.into(),
            atomic_unit: self.atomic_unit.into(),
            entries: self.entries.into(),
            newest_event: self.newest_event.into(),
            truncated: self.truncated.into(),
            base_entries: self.base_entries.into(),
        };
        let mut bytes = raw.as_bytes().to_vec();
        for member in self.members.iter() {
            let raw = wire::Member {
                sectors: member.sectors.into(),
                name: padded(&member.name),
            };
            bytes.extend_from_slice(raw.as_bytes());
        }
        bytes
    }
}

fn read_members(inner: &mut impl Read, nr: u32) -> Result<Members, AbiError> {
    let mut members = Vec::new();
    for _ in 0..nr.min(MAX_MEMBERS as u32 + 1) {
        let raw: wire::Member = wire::read(inner, "a disk of the group is missing")?;
        members.push(Member {
            name: text_of(&raw.name),
            sectors: raw.sectors.get(),
        });
    }
    Members::new(members).map_err(AbiError::Malformed)
}

impl Entry {
    /// One that nothing is known of but what it does.
    pub fn plain(op: EntryOp) -> Self {
        Entry {
            op,
            flags: Flags::empty(),
            submit: 0,
            start: 0,
            complete: 0,
            sector: 0,
            nr_sectors: 0,
            payload_len: 0,
            submitted_ns: 0,
            completed_ns: 0,
            tid: 0,
            stack: 0,
            task: String::new(),
            asked: 0,
        }
    }

    fn parse(raw: &wire::Entry, header: &Header) -> Result<Self, AbiError> {
        let op = EntryOp::from_code(raw.op)
            .ok_or_else(|| AbiError::Malformed(format!("an entry with op {}", raw.op)))?;
        let entry = Entry {
            op,
            flags: Flags::from_bits_retain(raw.flags.get()),
            submit: raw.submit.get(),
            start: raw.start.get(),
            complete: raw.complete.get(),
            sector: raw.sector.get(),
            nr_sectors: raw.nr_sectors.get(),
            payload_len: raw.payload_len.get(),
            submitted_ns: raw.submitted_ns.get(),
            completed_ns: raw.completed_ns.get(),
            tid: raw.tid.get(),
            stack: raw.stack.get(),
            task: text_of(&raw.task),
            asked: raw.asked.get(),
        };
        entry.check(header)?;
        Ok(entry)
    }

    fn check(&self, header: &Header) -> Result<(), AbiError> {
        let bad = |what: &str| {
            Err(AbiError::Malformed(format!(
                "the {} submitted at event {} {what}",
                self.op.name(),
                self.submit
            )))
        };
        if self.payload_len > MAX_PAYLOAD {
            return bad("has an impossible payload");
        }
        let end = self.sector.checked_add(u64::from(self.nr_sectors));
        if end.is_none_or(|end| end > header.capacity_sectors) {
            return bad("lies outside the disk");
        }
        let is_lost = self.flags.contains(Flags::LOST);
        let data_len = match self.op {
            EntryOp::Base => u64::from(self.nr_sectors) * SECTOR,
            EntryOp::Write if header.with_data && !is_lost => u64::from(self.nr_sectors) * SECTOR,
            EntryOp::Mark => self.payload_len.min(MAX_MARK).into(),
            _ => 0,
        };
        if u64::from(self.payload_len) != data_len {
            return bad("does not carry its data, or more than that");
        }
        let block = u64::from(header.block_size) / SECTOR;
        let touches = self.op.changes_data() || self.op == EntryOp::Base;
        if touches
            && (self.sector % block != 0
                || u64::from(self.nr_sectors) % block != 0
                || self.nr_sectors == 0)
        {
            return bad("is not of whole blocks");
        }
        let borders = header.members.to_model();
        if touches
            && self.op != EntryOp::Base
            && borders.of(self.sector) != borders.of(end.unwrap_or(0).saturating_sub(1))
        {
            return bad("lies on two disks");
        }
        if self.complete < self.submit || self.start < self.submit {
            return bad("ended before it was submitted");
        }
        Ok(())
    }

    fn to_wire(&self) -> wire::Entry {
        wire::Entry {
            op: self.op.code(),
            reserved: [0; 3],
            flags: self.flags.bits().into(),
            submit: self.submit.into(),
            start: self.start.into(),
            complete: self.complete.into(),
            sector: self.sector.into(),
            nr_sectors: self.nr_sectors.into(),
            payload_len: self.payload_len.into(),
            submitted_ns: self.submitted_ns.into(),
            completed_ns: self.completed_ns.into(),
            tid: self.tid.into(),
            stack: self.stack.into(),
            task: padded(&self.task),
            asked: self.asked.into(),
        }
    }
}

/// Reads a stream entry by entry; base entries come first.
#[derive(Debug)]
pub struct Reader<R> {
    inner: R,
    header: Header,
    left: u64,
}

impl<R: Read> Reader<R> {
    pub fn new(mut inner: R) -> Result<Self, AbiError> {
        let header = Header::read(&mut inner)?;
        let left = header
            .entries
            .checked_add(header.base_entries)
            .ok_or_else(|| AbiError::Malformed("an impossible number of entries".into()))?;
        Ok(Self {
            inner,
            header,
            left,
        })
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The next entry, its payload in `payload`; none after the last.
    pub fn next_entry(&mut self, payload: &mut Vec<u8>) -> Result<Option<Entry>, AbiError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let raw: wire::Entry = wire::read(&mut self.inner, "an entry is missing")?;
        let entry = Entry::parse(&raw, &self.header)?;
        payload.clear();
        while payload.len() < entry.payload_len as usize {
            let begin = payload.len();
            payload.resize((begin + PAYLOAD_STEP).min(entry.payload_len as usize), 0);
            let piece = &mut payload[begin..];
            read_exact(&mut self.inner, piece, "an entry's data is missing")?;
        }
        Ok(Some(entry))
    }
}

/// Writes an entry and its payload; the entry's length of payload is set.
pub fn write_entry(out: &mut impl Write, entry: &Entry, payload: &[u8]) -> io::Result<()> {
    let mut entry = entry.clone();
    entry.payload_len = u32::try_from(payload.len()).map_err(io::Error::other)?;
    out.write_all(entry.to_wire().as_bytes())?;
    out.write_all(payload)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod uapi;
