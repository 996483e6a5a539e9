// SPDX-License-Identifier: GPL-2.0

//! A log, entry by entry. Nothing in it is believed: memory is taken for one sector at a time.

use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::RangeInclusive;

use thiserror::Error;
use zerocopy::FromBytes;

use super::wire::{self, LogFlags, ENTRY_LEN, MAGIC, SUPER_LEN, VERSION};
use crate::abi::SECTOR;

/// Read ahead at a time.
const BUFFER: usize = 256 << 10;
/// The sizes that the sectors of a log may have: those of an atomic unit.
const SECTOR_SIZES: RangeInclusive<u32> = 512..=65536;
/// No disk of a record has more sectors of 512 bytes.
pub const MAX_SECTORS: u64 = 1 << 35;

#[derive(Debug, Error)]
pub enum LogError {
    /// Where it is, in bytes from the start of the log, and what is wrong.
    #[error("byte {offset}: {what}")]
    Bad { offset: u64, what: String },
    #[error(
        "not a log of dm-log-writes or blklogwrites: it does not begin with their magic number"
    )]
    Magic,
    #[error("{0}")]
    Use(String),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Its data follows it in the log.
    Write,
    Discard,
    /// Without data of its own.
    Flush,
    Mark(Vec<u8>),
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Where it is in the log, in bytes.
    pub offset: u64,
    pub what: What,
    pub flags: LogFlags,
    /// In sectors of 512 bytes, as all that follows.
    pub sector: u64,
    pub nr_sectors: u64,
}

impl LogEntry {
    /// The bytes of data behind it.
    pub fn data_len(&self) -> u64 {
        match self.what {
            What::Write => self.nr_sectors * SECTOR,
            _ => 0,
        }
    }

    pub fn end(&self) -> u64 {
        self.sector + self.nr_sectors
    }
}

/// Reads a log. After an entry come its data, which are read or passed over.
#[derive(Debug)]
pub struct LogReader<R> {
    inner: BufReader<R>,
    /// The size of the file or device, in bytes.
    len: u64,
    /// Where it reads, in bytes.
    at: u64,
    sector_size: u32,
    /// The entries that the super block counts.
    counted: u64,
    /// Those read so far.
    nr_read: u64,
}

impl<R: Read + Seek> LogReader<R> {
    pub fn new(mut inner: R) -> Result<Self, LogError> {
        let len = inner.seek(SeekFrom::End(0))?;
        inner.seek(SeekFrom::Start(0))?;
        let mut inner = BufReader::with_capacity(BUFFER, inner);
        let mut bytes = [0; SUPER_LEN];
        if len < SUPER_LEN as u64 {
            return Err(LogError::Magic);
        }
        inner.read_exact(&mut bytes)?;
        let raw = wire::Super::read_from_bytes(&bytes).map_err(|_| LogError::Magic)?;
        if raw.magic.get() != MAGIC {
            return Err(LogError::Magic);
        }
        if raw.version.get() != VERSION {
            let what = format!(
                "a log of version {}: this command reads {VERSION}",
                raw.version
            );
            return bad(8, what);
        }
        let sector_size = raw.sector_size.get();
        if !sector_size.is_power_of_two() || !SECTOR_SIZES.contains(&sector_size) {
            return bad(
                24,
                format!("sectors of {sector_size} bytes: they have 512 to 65536, a power of two"),
            );
        }
        let mut reader = Self {
            inner,
            len,
            at: SUPER_LEN as u64,
            sector_size,
            counted: raw.nr_entries.get(),
            nr_read: 0,
        };
        reader.need(0, u64::from(sector_size), "the super block")?;
        reader.pass_to(u64::from(sector_size))?;
        Ok(reader)
    }

    pub fn sector_size(&self) -> u32 {
        self.sector_size
    }

    pub fn counted(&self) -> u64 {
        self.counted
    }

    /// Where it reads, in bytes.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The next entry; what is there may not be one.
    pub fn next(&mut self) -> Result<LogEntry, LogError> {
        let offset = self.at;
        let number = self.nr_read + 1;
        self.need(
            offset,
            u64::from(self.sector_size),
            &format!("entry {number}"),
        )?;
        let mut sector = vec![0; self.sector_size as usize];
        self.inner.read_exact(&mut sector)?;
        self.at += u64::from(self.sector_size);
        let entry = parse(&sector, offset)?;
        let data = entry.data_len();
        self.need(self.at, data, &format!("the data of entry {number}"))?;
        self.nr_read += 1;
        Ok(entry)
    }

    /// Reads data of the entry that was read last.
    pub fn read_data(&mut self, data: &mut [u8]) -> Result<(), LogError> {
        self.inner.read_exact(data)?;
        self.at += data.len() as u64;
        Ok(())
    }

    /// Passes over data of the entry that was read last.
    pub fn pass(&mut self, bytes: u64) -> Result<(), LogError> {
        self.pass_to(self.at + bytes)
    }

    fn pass_to(&mut self, offset: u64) -> Result<(), LogError> {
        let further = i64::try_from(offset - self.at).map_err(io::Error::other)?;
        self.inner.seek_relative(further)?;
        self.at = offset;
        Ok(())
    }

    fn need(&self, offset: u64, bytes: u64, what: &str) -> Result<(), LogError> {
        let end = offset.checked_add(bytes);
        if end.is_none_or(|end| end > self.len) {
            return bad(
                offset,
                format!(
                    "the log ends at byte {}, before the end of {what}",
                    self.len
                ),
            );
        }
        Ok(())
    }
}

fn bad<T>(offset: u64, what: impl Into<String>) -> Result<T, LogError> {
    let what = what.into();
    Err(LogError::Bad { offset, what })
}

/// What a sector at an offset of the log holds.
fn parse(sector: &[u8], offset: u64) -> Result<LogEntry, LogError> {
    let Ok((raw, rest)) = wire::Entry::read_from_prefix(sector) else {
        return bad(offset, "no room for an entry");
    };
    let bits = raw.flags.get();
    let Some(flags) = LogFlags::from_bits(bits) else {
        return bad(
            offset + 16,
            format!("an entry with unknown flags, {bits:#x}"),
        );
    };
    let nr_sectors = raw.nr_sectors.get();
    let per_sector = sector.len() as u64 / SECTOR;
    let data_len = raw.data_len.get();
    let what = if flags.contains(LogFlags::MARK) {
        return mark(flags, nr_sectors, data_len, rest, offset);
    } else if nr_sectors == 0 && !flags.contains(LogFlags::FLUSH) {
        return bad(
            offset,
            "an entry that is no flush, no mark and has no sectors",
        );
    } else if nr_sectors == 0 && flags.contains(LogFlags::DISCARD) {
        return bad(offset + 8, "a discard without sectors");
    } else if nr_sectors == 0 {
        What::Flush
    } else if flags.contains(LogFlags::DISCARD) {
        What::Discard
    } else {
        What::Write
    };
    let end = raw.sector.get().checked_add(nr_sectors);
    let end = end.and_then(|end| end.checked_mul(per_sector));
    // A flush is of no place, whatever it says.
    let is_somewhere = what != What::Flush;
    if is_somewhere && end.is_none_or(|end| end > MAX_SECTORS) {
        return bad(
            offset,
            format!(
                "{nr_sectors} sectors from sector {} on: no disk has them",
                raw.sector.get()
            ),
        );
    }
    // Kernels that logged DAX said there how long the data are.
    let in_sectors = data_len.div_ceil(sector.len() as u64);
    if data_len != 0 && in_sectors != nr_sectors {
        return bad(
            offset + 24,
            format!("{data_len} bytes of data, in {nr_sectors} sectors"),
        );
    }
    Ok(LogEntry {
        offset,
        flags,
        sector: if is_somewhere {
            raw.sector.get() * per_sector
        } else {
            0
        },
        nr_sectors: nr_sectors * per_sector,
        what,
    })
}

fn mark(
    flags: LogFlags,
    nr_sectors: u64,
    data_len: u64,
    rest: &[u8],
    offset: u64,
) -> Result<LogEntry, LogError> {
    if flags != LogFlags::MARK {
        return bad(
            offset + 16,
            format!("a mark with other flags, {:#x}", flags.bits()),
        );
    }
    if nr_sectors != 0 {
        return bad(offset + 8, format!("a mark with {nr_sectors} sectors"));
    }
    let text = usize::try_from(data_len)
        .ok()
        .and_then(|len| rest.get(..len));
    let Some(text) = text else {
        return bad(
            offset + 24,
            format!(
                "a mark of {data_len} bytes, in a sector with room for {}",
                rest.len()
            ),
        );
    };
    if let Some(at) = text.iter().position(|byte| *byte == 0) {
        return bad(
            offset + (ENTRY_LEN + at) as u64,
            "a NUL in the text of a mark",
        );
    }
    Ok(LogEntry {
        offset,
        what: What::Mark(text.into()),
        flags,
        sector: 0,
        nr_sectors: 0,
    })
}
