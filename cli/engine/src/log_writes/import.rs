// SPDX-License-Identifier: GPL-2.0

//! From a log to the stream of docs/abi.md.
//!
//! Each entry is taken for submitted and complete before the next one is submitted: docs/import.md
//! says what of the true order that is, and what it is not.

use std::io::{self, Read, Seek};
use std::ops::Range;

use super::base::Base;
use super::read::{LogEntry, LogError, LogReader, What};
use super::scan::{piece, Options, Scan};
use super::wire::LogFlags;
use crate::abi::{write_entry, Entry, EntryOp, Flags, Header, SECTOR};
use crate::faults::Faults;
use crate::members::Members;
use crate::recording::Recording;
use crate::tear::Tear;

/// The task of every entry: the log has none.
const TASK: &str = "(not logged)";

/// Whether a record was made of such a log, wherever it has been since.
pub fn is_imported(recording: &Recording) -> bool {
    recording.tasks().any(|task| task == TASK)
}

/// A log to be imported: `open` gives it, and the image of what the disk held before, from the
/// start, as often as it is called.
pub fn import<L, B>(
    open: impl Fn() -> io::Result<(L, B)>,
    options: &Options,
) -> Result<(Scan, Imported<L, B>), LogError>
where
    L: Read + Seek,
    B: Read,
{
    let (log, base) = open()?;
    let scan = Scan::new(&mut LogReader::new(log)?, options)?;
    let mut base = Base::new(base, scan.block_size());
    let mut base_entries = 0;
    while base.next()?.is_some() {
        base_entries += 1;
    }
    let (log, base) = open()?;
    let imported = Imported {
        bytes: header(&scan, base_entries).to_bytes(),
        at: 0,
        base: Some(Base::new(base, scan.block_size())),
        base_left: base_entries,
        log: LogReader::new(log)?,
        number: 0,
        entry: None,
        event: 0,
        entries: 0,
        scan: scan.clone(),
    };
    Ok((scan, imported))
}

fn header(scan: &Scan, base_entries: u64) -> Header {
    Header {
        write_cache: true,
        fua: true,
        with_data: true,
        capacity_sectors: scan.capacity_sectors,
        block_size: scan.block_size(),
        atomic_unit: scan.atomic_unit,
        tear: Tear::Any,
        entries: scan.entries,
        newest_event: scan.events,
        truncated: 0,
        base_entries,
        faults: Faults::default(),
        members: Members::default(),
    }
}

/// The stream, as it is read. It is an error if the log is not as it was when it was looked at.
#[derive(Debug)]
pub struct Imported<L, B> {
    /// What is to be read next, and how much of it was.
    bytes: Vec<u8>,
    at: usize,
    base: Option<Base<B>>,
    base_left: u64,
    log: LogReader<L>,
    /// The entries of the log that were read.
    number: u64,
    /// The one that is in hand, and the sector from which on it is left.
    entry: Option<(LogEntry, u64)>,
    /// The newest event, and the entries of the record so far.
    event: u64,
    entries: u64,
    scan: Scan,
}

impl<L: Read + Seek, B: Read> Imported<L, B> {
    /// Puts what comes next into `bytes`; false at the end.
    fn fill(&mut self) -> Result<bool, LogError> {
        self.bytes.clear();
        self.at = 0;
        if let Some(base) = &mut self.base {
            if let Some((sector, data)) = base.next()? {
                self.base_left = self.base_left.checked_sub(1).ok_or_else(changed)?;
                let entry = of_base(sector, data.len());
                write_entry(&mut self.bytes, &entry, data)?;
                return Ok(true);
            }
            self.base = None;
        }
        loop {
            if let Some((entry, start)) = self.entry.take() {
                if let Some(piece) = piece(&entry, start) {
                    let end = piece.end;
                    self.put_piece(&entry, piece)?;
                    self.entry = Some((entry, end));
                    return Ok(true);
                }
            }
            if self.number == self.scan.taken {
                break;
            }
            let entry = self.log.next()?;
            let is_left_out = self.scan.leaves_out(self.number, &entry);
            self.number += 1;
            match entry.what {
                _ if is_left_out => {}
                What::Write | What::Discard => {
                    let start = entry.sector;
                    self.entry = Some((entry, start));
                }
                What::Flush => {
                    let events = self.events(2);
                    self.put(EntryOp::Flush, Flags::PREFLUSH, &events, 0..0, &[])?;
                    return Ok(true);
                }
                What::Mark(text) => {
                    let events = self.events(1);
                    self.put(EntryOp::Mark, Flags::empty(), &events, 0..0, &text)?;
                    return Ok(true);
                }
            }
        }
        let is_as_it_was = self.entries == self.scan.entries
            && self.event == self.scan.events
            && self.base_left == 0;
        if is_as_it_was {
            Ok(false)
        } else {
            Err(changed())
        }
    }

    /// The first of so many events that come next, and the last.
    fn events(&mut self, nr: u64) -> [u64; 3] {
        let first = self.event + 1;
        self.event += nr;
        let start = if nr == 3 { first + 1 } else { first };
        [first, start, self.event]
    }

    fn put_piece(&mut self, entry: &LogEntry, piece: Range<u64>) -> Result<(), LogError> {
        let is_first = piece.start == entry.sector;
        let mut flags = Flags::empty();
        flags.set(Flags::FUA, entry.flags.contains(LogFlags::FUA));
        flags.set(Flags::META, entry.flags.contains(LogFlags::METADATA));
        let flushes = is_first && entry.flags.contains(LogFlags::FLUSH);
        flags.set(Flags::PREFLUSH, flushes);
        let events = self.events(if flushes { 3 } else { 2 });
        if entry.what == What::Discard {
            return self.put(EntryOp::Discard, flags, &events, piece, &[]);
        }
        let mut data = vec![0; ((piece.end - piece.start) * SECTOR) as usize];
        self.log.read_data(&mut data)?;
        self.put(EntryOp::Write, flags, &events, piece, &data)
    }

    fn put(
        &mut self,
        op: EntryOp,
        flags: Flags,
        [submit, start, complete]: &[u64; 3],
        sectors: Range<u64>,
        payload: &[u8],
    ) -> Result<(), LogError> {
        self.entries += 1;
        let entry = Entry {
            flags,
            submit: *submit,
            start: *start,
            complete: *complete,
            task: if op == EntryOp::Mark { "" } else { TASK }.into(),
            nr_sectors: (sectors.end - sectors.start) as u32,
            sector: sectors.start,
            ..Entry::plain(op)
        };
        Ok(write_entry(&mut self.bytes, &entry, payload)?)
    }
}

fn of_base(sector: u64, len: usize) -> Entry {
    Entry {
        nr_sectors: (len as u64 / SECTOR) as u32,
        sector,
        ..Entry::plain(EntryOp::Base)
    }
}

fn changed() -> LogError {
    LogError::Use("the log, or the image, was changed while it was read".into())
}

impl<L: Read + Seek, B: Read> Read for Imported<L, B> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at == self.bytes.len() && !self.fill().map_err(into_io)? {
            return Ok(0);
        }
        let read = (&self.bytes[self.at..]).read(buf)?;
        self.at += read;
        Ok(read)
    }
}

fn into_io(error: LogError) -> io::Error {
    match error {
        LogError::Io(error) => error,
        other => io::Error::other(other),
    }
}
