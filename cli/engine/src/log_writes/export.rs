// SPDX-License-Identifier: GPL-2.0

//! From the stream of docs/abi.md to a log.
//!
//! Entries stand in the order in which the disk was done with them, flushes where they were submitted: then
//! nothing that the log calls durable was not, and what is made of the log has no state that the record
//! does not have.

use std::io::{self, Read, Seek, SeekFrom, Write};

use thiserror::Error;
use zerocopy::IntoBytes;

use super::wire::{self, LogFlags, ENTRY_LEN, MAGIC, VERSION};
use super::END_MARK;
use crate::abi::{AbiError, Entry, EntryOp, Flags, Header, Reader, IN_FLIGHT, SECTOR};
use crate::tear::Tear;

/// Written at a time where zeroes are.
const ZEROES: usize = 1 << 20;

#[derive(Debug, Error)]
pub enum ExportError {
    #[error(transparent)]
    Abi(#[from] AbiError),
    #[error("the format of dm-log-writes can't tell {0}")]
    CannotTell(String),
    #[error("the record was changed while it was read")]
    Changed,
    /// Of the file that is written.
    #[error("{0}")]
    Write(io::Error),
}

/// What a log was made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// The entries of the log.
    pub entries: u64,
    /// Writes of zeroes, which became writes of data.
    pub write_zeroes: u64,
    /// Entries of the record that were not complete at its end.
    pub in_flight: u64,
    /// Writes, flushes and marks that were not the only ones in flight: the log does not tell.
    pub overlapping: u64,
    /// Blocks of the base are not zeroes.
    pub has_base: bool,
}

/// Where an entry of the record is put.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// When the disk was done with it; of a flush, when it was submitted.
    order: u64,
    /// Among those of the record; of a write with a flush, that is put before it.
    number: u64,
    is_flush: bool,
    /// In bytes, with its data.
    len: u64,
    /// In the log, in bytes.
    offset: u64,
}

/// The order of a log, made of a record without its data.
#[derive(Debug)]
pub struct Plan {
    header: Header,
    sector_size: u64,
    places: Vec<Place>,
    exported: Exported,
    /// Up to the end of the last entry.
    len: u64,
}

impl Plan {
    /// Reads the record, which is read again by [`Self::write`].
    pub fn new(record: impl Read) -> Result<Self, ExportError> {
        let mut reader = Reader::new(record)?;
        let header = reader.header().clone();
        let sector_size = u64::from(header.block_size);
        can_tell(&header)?;
        let mut plan = Self {
            header,
            sector_size,
            places: Vec::new(),
            exported: Exported::default(),
            len: sector_size,
        };
        let mut payload = Vec::new();
        let mut number = 0;
        let mut newest = 0;
        while let Some(entry) = reader.next_entry(&mut payload)? {
            if entry.op == EntryOp::Base {
                plan.exported.has_base |= payload.iter().any(|byte| *byte != 0);
                continue;
            }
            plan.can_tell_entry(&entry)?;
            plan.exported.overlapping += u64::from(entry.submit < newest);
            newest = newest.max(entry.complete);
            plan.add(&entry, number);
            number += 1;
        }
        plan.places
            .sort_by_key(|place| (place.order, place.number, !place.is_flush));
        for place in &mut plan.places {
            place.offset = plan.len;
            let end = plan.len.checked_add(place.len);
            plan.len = end.ok_or_else(|| ExportError::CannotTell("so much data".into()))?;
        }
        plan.exported.entries = plan.places.len() as u64 + 1;
        Ok(plan)
    }

    pub fn exported(&self) -> &Exported {
        &self.exported
    }

    fn add(&mut self, entry: &Entry, number: u64) {
        let mut place = |order, is_flush, data: u64| {
            self.places.push(Place {
                order,
                number,
                is_flush,
                len: self.sector_size + data,
                offset: 0,
            });
        };
        let data = match entry.op {
            EntryOp::Write | EntryOp::WriteZeroes => u64::from(entry.nr_sectors) * SECTOR,
            _ => 0,
        };
        let flushed = match entry.op {
            EntryOp::Flush => entry.complete,
            _ if entry.flags.contains(Flags::PREFLUSH) => entry.start,
            _ => IN_FLIGHT,
        };
        if flushed != IN_FLIGHT {
            place(entry.submit, true, 0);
        }
        // What still waits for its flush has written nothing.
        if entry.op != EntryOp::Flush && entry.start != IN_FLIGHT {
            place(entry.complete, false, data);
        }
        self.exported.in_flight += u64::from(entry.complete == IN_FLIGHT);
        self.exported.write_zeroes += u64::from(entry.op == EntryOp::WriteZeroes);
    }

    fn can_tell_entry(&self, entry: &Entry) -> Result<(), ExportError> {
        let at = entry.submit;
        let cannot = |what: String| Err(ExportError::CannotTell(what));
        let faults = entry.flags.faults();
        if !faults.is_empty() {
            return cannot(format!("faults, such as {faults} at event {at}"));
        }
        if entry.flags.contains(Flags::GARBAGE) {
            return cannot(format!(
                "what a discard leaves but for zeroes (discard_content=garbage, event {at})"
            ));
        }
        let units = u64::from(entry.nr_sectors) * SECTOR / u64::from(self.header.atomic_unit);
        if entry.flags.contains(Flags::ATOMIC) && units > 1 {
            return cannot(format!("that a write never tears (REQ_ATOMIC, event {at})"));
        }
        let room = self.sector_size as usize - ENTRY_LEN - 1;
        if entry.op == EntryOp::Mark && entry.payload_len as usize > room {
            return cannot(format!(
                "a mark of more than {room} bytes where blocks have {} (event {at}, {} bytes)",
                self.sector_size, entry.payload_len
            ));
        }
        Ok(())
    }

    /// Writes the log. The super block is written last, over one that is none.
    pub fn write(&self, record: impl Read, out: impl Write + Seek) -> Result<(), ExportError> {
        let mut out = Output { out, at: None };
        let mut reader = Reader::new(record)?;
        let mut payload = Vec::new();
        let sector = self.sector_size as usize;
        out.put_padded(0, &[], sector)?;
        let mut places: Vec<&Place> = self.places.iter().collect();
        places.sort_by_key(|place| (place.number, !place.is_flush));
        let mut places = places.into_iter().peekable();
        let mut number = 0;
        while let Some(entry) = reader.next_entry(&mut payload)? {
            if entry.op == EntryOp::Base {
                continue;
            }
            while let Some(place) = places.next_if(|place| place.number == number) {
                self.put_entry(&mut out, place, &entry, &payload)?;
            }
            number += 1;
        }
        if places.next().is_some() || *reader.header() != self.header {
            return Err(ExportError::Changed);
        }
        let end = [
            self.entry(0, 0, LogFlags::MARK, END_MARK.len()).as_bytes(),
            END_MARK,
        ]
        .concat();
        out.put_padded(self.len, &end, sector)?;
        let first = wire::Super {
            magic: MAGIC.into(),
            version: VERSION.into(),
            nr_entries: self.exported.entries.into(),
            sector_size: self.header.block_size.into(),
        };
        out.put_padded(0, first.as_bytes(), sector)?;
        out.out.flush().map_err(ExportError::Write)
    }

    fn put_entry(
        &self,
        out: &mut Output<impl Write + Seek>,
        place: &Place,
        entry: &Entry,
        payload: &[u8],
    ) -> Result<(), ExportError> {
        let sector = self.sector_size as usize;
        let data = match entry.op {
            EntryOp::Write | EntryOp::WriteZeroes => u64::from(entry.nr_sectors) * SECTOR,
            _ => 0,
        };
        if place.is_flush {
            let raw = self.entry(0, 0, LogFlags::FLUSH, 0);
            return out.put_padded(place.offset, raw.as_bytes(), sector);
        }
        if place.len != self.sector_size + data || payload.len() as u64 > data.max(1024) {
            return Err(ExportError::Changed);
        }
        let has = |flag| entry.flags.contains(flag);
        let mut flags = LogFlags::empty();
        // Without a write cache, what is complete is stable.
        let is_stable = has(Flags::FUA) || !self.header.write_cache;
        flags.set(LogFlags::FUA, entry.op.changes_data() && is_stable);
        flags.set(LogFlags::METADATA, has(Flags::META));
        flags.set(LogFlags::DISCARD, entry.op == EntryOp::Discard);
        if entry.op == EntryOp::Mark {
            let raw = self.entry(0, 0, LogFlags::MARK, payload.len());
            return out.put_padded(place.offset, &[raw.as_bytes(), payload].concat(), sector);
        }
        let raw = self.entry(entry.sector, entry.nr_sectors, flags, 0);
        out.put_padded(place.offset, raw.as_bytes(), sector)?;
        if entry.op != EntryOp::WriteZeroes {
            return out.write(payload);
        }
        let zeroes = vec![0; ZEROES];
        let mut left = data as usize;
        while left > 0 {
            let now = left.min(ZEROES);
            out.write(&zeroes[..now])?;
            left -= now;
        }
        Ok(())
    }

    /// Sectors of 512 bytes become those of the log.
    fn entry(&self, sector: u64, nr_sectors: u32, flags: LogFlags, len: usize) -> wire::Entry {
        let per_block = self.sector_size / SECTOR;
        wire::Entry {
            sector: (sector / per_block).into(),
            nr_sectors: (u64::from(nr_sectors) / per_block).into(),
            flags: flags.bits().into(),
            data_len: (len as u64).into(),
        }
    }
}

/// Whether a log can be made of such a record.
fn can_tell(header: &Header) -> Result<(), ExportError> {
    let cannot = |what: &str| Err(ExportError::CannotTell(what.into()));
    if header.truncated != 0 {
        return cannot("that a record is not whole: its memory ran out");
    }
    if !header.with_data {
        return cannot("writes without their data");
    }
    if !header.members.is_empty() {
        return cannot("several disks that fail together (a group)");
    }
    if !header.faults.is_empty() {
        return cannot(&format!("faults, such as {}", header.faults));
    }
    match header.tear {
        Tear::Any => Ok(()),
        tear => cannot(&format!("how writes tear (tear={tear})")),
    }
}

/// Where a log is written to.
struct Output<W> {
    out: W,
    /// Where it writes; not known before it was told to.
    at: Option<u64>,
}

impl<W: Write + Seek> Output<W> {
    /// Writes on.
    fn write(&mut self, bytes: &[u8]) -> Result<(), ExportError> {
        self.out.write_all(bytes).map_err(ExportError::Write)?;
        self.at = self.at.map(|at| at + bytes.len() as u64);
        Ok(())
    }

    /// Writes a sector at an offset: these bytes, and zeroes.
    fn put_padded(&mut self, offset: u64, bytes: &[u8], sector: usize) -> Result<(), ExportError> {
        // A seek would write out what is buffered.
        if self.at != Some(offset) {
            let sought = self.out.seek(SeekFrom::Start(offset));
            self.at = Some(sought.map_err(ExportError::Write)?);
        }
        let mut padded = bytes.to_vec();
        padded.resize(sector, 0);
        self.write(&padded)
    }
}
