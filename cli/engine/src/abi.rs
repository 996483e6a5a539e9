// SPDX-License-Identifier: GPL-2.0

//! The stream that `/dev/powercut-control` gives and takes, as docs/abi.md has it.

use std::io::{self, Read, Write};

use thiserror::Error;

use crate::faults::Faults;
use crate::members::{Member, Members, MAX_MEMBERS};
use crate::tear::Tear;

pub const MAGIC: [u8; 8] = *b"powercut";
pub const VERSION: u32 = 1;
/// Of recordings of groups: their members follow the header.
pub const VERSION_OF_GROUPS: u32 = 2;
/// Of recordings of disks on which writes survive as prefixes, groups or not.
pub const VERSION_OF_PREFIXES: u32 = 3;
/// The bit that says so.
const PREFIX: u32 = 8;
pub const HEADER_LEN: usize = 64;
const MEMBER_LEN: usize = 32;
/// Where a member's name begins.
const MEMBER_NAME: usize = 8;
pub const ENTRY_LEN: usize = 96;
pub const SECTOR: u64 = 512;
/// The complete event of what is still in flight.
pub const IN_FLIGHT: u64 = u64::MAX;
/// No payload is longer: a bio holds far less, a mark 1024 bytes.
const MAX_PAYLOAD: u32 = 1 << 30;

#[derive(Debug, Error)]
pub enum AbiError {
    #[error("not a powercut recording: it does not begin with \"powercut\"")]
    Magic,
    #[error("a powercut recording of version {0}; this command reads versions {VERSION} to {VERSION_OF_PREFIXES}: use the powercut that wrote it")]
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

/// The flags of a bio, as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(pub u32);

impl Flags {
    pub const PREFLUSH: u32 = 1;
    pub const FUA: u32 = 2;
    pub const META: u32 = 4;
    pub const SYNC: u32 = 8;
    pub const ATOMIC: u32 = 16;
    pub const NOUNMAP: u32 = 32;
    pub const PRIO: u32 = 64;
    /// Of a discard: what it leaves follows from `asked`.
    pub const GARBAGE: u32 = 1 << 16;

    const NAMES: [(u32, &'static str); 13] = [
        (Self::PREFLUSH, "PREFLUSH"),
        (Self::FUA, "FUA"),
        (Self::META, "META"),
        (Self::SYNC, "SYNC"),
        (Self::ATOMIC, "ATOMIC"),
        (Self::NOUNMAP, "NOUNMAP"),
        (Self::PRIO, "PRIO"),
        (Self::GARBAGE, "GARBAGE"),
        (Faults::LIED, "LIED"),
        (Faults::FUA_IGNORED, "FUA_IGNORED"),
        (Faults::LOST, "LOST"),
        (Faults::MISDIRECTED, "MISDIRECTED"),
        (Faults::CORRUPTED, "CORRUPTED"),
    ];

    pub fn has(self, bit: u32) -> bool {
        self.0 & bit != 0
    }

    /// The faults that the bio met.
    pub fn faults(self) -> Faults {
        Faults::of_entry(self.0)
    }

    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .iter()
            .filter(move |(bit, _)| self.has(*bit))
            .map(|(_, name)| *name)
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
    pub task: String,
    /// Of a misdirected write, the first sector that it was for; of a discard that leaves
    /// garbage, the seed.
    pub asked: u64,
}

impl Header {
    fn read(inner: &mut impl Read) -> Result<Self, AbiError> {
        let mut b = [0; HEADER_LEN];
        read_exact(inner, &mut b, "no whole header")?;
        if b[..8] != MAGIC {
            return Err(AbiError::Magic);
        }
        let bits = u32_at(&b, 12);
        let nr_members = match u32_at(&b, 8) {
            VERSION => 0,
            VERSION_OF_GROUPS if (bits >> 8) & 0xff == 0 => {
                return Err(AbiError::Malformed("a group without disks".into()))
            }
            VERSION_OF_GROUPS | VERSION_OF_PREFIXES => (bits >> 8) & 0xff,
            version => return Err(AbiError::Version(version)),
        };
        let tear = match (u32_at(&b, 8), bits & PREFIX != 0) {
            (VERSION_OF_PREFIXES, true) => Tear::Prefix,
            (VERSION | VERSION_OF_GROUPS, false) => Tear::Any,
            (version, _) => {
                let what = format!("a header of version {version} with flags {bits:#x}");
                return Err(AbiError::Malformed(what));
            }
        };
        let members = read_members(inner, nr_members)?;
        let b = &b;
        let header = Header {
            write_cache: bits & 1 != 0,
            fua: bits & 2 != 0,
            with_data: bits & 4 != 0,
            capacity_sectors: u64_at(b, 16),
            block_size: u32_at(b, 24),
            atomic_unit: u32_at(b, 28),
            tear,
            entries: u64_at(b, 32),
            newest_event: u64_at(b, 40),
            truncated: u64_at(b, 48),
            base_entries: u64_at(b, 56),
            faults: Faults::of_header(bits),
            members,
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
        let mut b = [0; HEADER_LEN];
        let bits = u32::from(self.write_cache)
            | (u32::from(self.fua) << 1)
            | (u32::from(self.with_data) << 2)
            | self.faults.header_flags()
            | (nr_members << 8)
            | if self.tear.is_any() { 0 } else { PREFIX };
        let version = match (self.tear, nr_members) {
            (Tear::Prefix, _) => VERSION_OF_PREFIXES,
            (Tear::Any, 0) => VERSION,
            (Tear::Any, _) => VERSION_OF_GROUPS,
        };
        b[..8].copy_from_slice(&MAGIC);
        put_u32(&mut b, 8, version);
        put_u32(&mut b, 12, bits);
        put_u64(&mut b, 16, self.capacity_sectors);
        put_u32(&mut b, 24, self.block_size);
        put_u32(&mut b, 28, self.atomic_unit);
        put_u64(&mut b, 32, self.entries);
        put_u64(&mut b, 40, self.newest_event);
        put_u64(&mut b, 48, self.truncated);
        put_u64(&mut b, 56, self.base_entries);
        let mut bytes = b.to_vec();
        for member in self.members.iter() {
            let mut b = [0; MEMBER_LEN];
            put_u64(&mut b, 0, member.sectors);
            let name = member.name.as_bytes();
            let len = name.len().min(MEMBER_LEN - MEMBER_NAME);
            b[MEMBER_NAME..MEMBER_NAME + len].copy_from_slice(&name[..len]);
            bytes.extend(b);
        }
        bytes
    }
}

fn read_members(inner: &mut impl Read, nr: u32) -> Result<Members, AbiError> {
    let mut members = Vec::new();
    for _ in 0..nr.min(MAX_MEMBERS as u32 + 1) {
        let mut b = [0; MEMBER_LEN];
        read_exact(inner, &mut b, "a disk of the group is missing")?;
        members.push(Member {
            name: text_of(&b[MEMBER_NAME..]),
            sectors: u64_at(&b, 0),
        });
    }
    Members::new(members).map_err(AbiError::Malformed)
}

/// What stands before the NULs.
fn text_of(padded: &[u8]) -> String {
    let end = padded.iter().position(|c| *c == 0).unwrap_or(padded.len());
    String::from_utf8_lossy(&padded[..end]).into_owned()
}

impl Entry {
    fn parse(b: &[u8; ENTRY_LEN], header: &Header) -> Result<Self, AbiError> {
        let op = EntryOp::from_code(b[0])
            .ok_or_else(|| AbiError::Malformed(format!("an entry with op {}", b[0])))?;
        let entry = Entry {
            op,
            flags: Flags(u32_at(b, 4)),
            submit: u64_at(b, 8),
            start: u64_at(b, 16),
            complete: u64_at(b, 24),
            sector: u64_at(b, 32),
            nr_sectors: u32_at(b, 40),
            payload_len: u32_at(b, 44),
            submitted_ns: u64_at(b, 48),
            completed_ns: u64_at(b, 56),
            tid: u32_at(b, 64),
            task: text_of(&b[72..88]),
            asked: u64_at(b, 88),
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
        let has_data = self.op == EntryOp::Base || self.op == EntryOp::Write && header.with_data;
        let data_len = match self.flags.has(Faults::LOST) {
            true => 0,
            false => u64::from(self.nr_sectors) * SECTOR,
        };
        if has_data && u64::from(self.payload_len) != data_len {
            return bad("does not carry its data");
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

    pub fn to_bytes(&self) -> [u8; ENTRY_LEN] {
        let mut b = [0; ENTRY_LEN];
        b[0] = self.op.code();
        put_u32(&mut b, 4, self.flags.0);
        put_u64(&mut b, 8, self.submit);
        put_u64(&mut b, 16, self.start);
        put_u64(&mut b, 24, self.complete);
        put_u64(&mut b, 32, self.sector);
        put_u32(&mut b, 40, self.nr_sectors);
        put_u32(&mut b, 44, self.payload_len);
        put_u64(&mut b, 48, self.submitted_ns);
        put_u64(&mut b, 56, self.completed_ns);
        put_u32(&mut b, 64, self.tid);
        let name = self.task.as_bytes();
        let len = name.len().min(16);
        b[72..72 + len].copy_from_slice(&name[..len]);
        put_u64(&mut b, 88, self.asked);
        b
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
        let mut b = [0; ENTRY_LEN];
        read_exact(&mut self.inner, &mut b, "an entry is missing")?;
        let entry = Entry::parse(&b, &self.header)?;
        payload.clear();
        payload.resize(entry.payload_len as usize, 0);
        read_exact(&mut self.inner, payload, "an entry's data is missing")?;
        Ok(Some(entry))
    }
}

/// Writes an entry and its payload; the entry's length of payload is set.
pub fn write_entry(out: &mut impl Write, entry: &Entry, payload: &[u8]) -> io::Result<()> {
    let mut entry = entry.clone();
    entry.payload_len = u32::try_from(payload.len()).map_err(io::Error::other)?;
    out.write_all(&entry.to_bytes())?;
    out.write_all(payload)
}

fn read_exact(inner: &mut impl Read, buf: &mut [u8], what: &'static str) -> Result<(), AbiError> {
    inner.read_exact(buf).map_err(|e| match e.kind() {
        io::ErrorKind::UnexpectedEof => AbiError::Short(what),
        _ => AbiError::Io(e),
    })
}

fn u32_at(b: &[u8], at: usize) -> u32 {
    let mut raw = [0; 4];
    raw.copy_from_slice(&b[at..at + 4]);
    u32::from_le_bytes(raw)
}

fn u64_at(b: &[u8], at: usize) -> u64 {
    let mut raw = [0; 8];
    raw.copy_from_slice(&b[at..at + 8]);
    u64::from_le_bytes(raw)
}

fn put_u32(b: &mut [u8], at: usize, value: u32) {
    b[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn put_u64(b: &mut [u8], at: usize, value: u64) {
    b[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

#[cfg(test)]
mod tests;
