// SPDX-License-Identifier: GPL-2.0

//! All of a log looked at once, before anything is made of it: whether it can be read to its end, how large a
//! record it makes, and what it leaves open.

use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::ops::Range;

use super::read::{LogEntry, LogError, LogReader, What, MAX_SECTORS};
use super::wire::LogFlags;
use super::END_MARK;
use crate::abi::{MAX_MARK, SECTOR};
use crate::recording::MAX_EVENTS;

/// Sectors of a MiB, of which disks have whole numbers.
const MIB: u64 = (1 << 20) / SECTOR;
/// A write of more becomes several entries, so that no more is in memory at a time; in sectors.
const MAX_WRITE: u64 = (4 << 20) / SECTOR;
/// Likewise a discard: an entry has its sectors in 32 bits.
const MAX_DISCARD: u64 = 1 << 31;

/// What the log does not say.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// The size of the disk in bytes. [default: up to the last sector written]
    pub bytes: Option<u64>,
    /// That of the image which it held before.
    pub base_bytes: Option<u64>,
    /// What never tears, in bytes. [default: a sector of the log]
    pub atomic_unit: Option<u32>,
    /// Take all entries that are there, whatever the super block counts.
    pub salvage: bool,
}

/// What a log comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Of the log, in bytes.
    pub sector_size: u32,
    pub capacity_sectors: u64,
    pub atomic_unit: u32,
    /// The entries that the super block counts, and those of the log that are taken.
    pub counted: u64,
    pub taken: u64,
    /// The entries of the record, and its events.
    pub entries: u64,
    pub events: u64,
    /// The last entry says that the log was closed.
    pub is_closed: bool,
    /// Where there is an entry behind the last one that the super block counts, in bytes.
    pub more_at: Option<u64>,
    /// Where a log that is salvaged ends, and why.
    pub stopped: Option<String>,
    /// Entries that make something durable: flushes and FUA writes.
    pub durable: u64,
    /// Marks without a text: they are left out.
    pub empty_marks: u64,
    /// Writes that may be older than a FUA write of the same sectors which the log has before them.
    pub after_fua: u64,
}

impl Scan {
    pub fn new<R: Read + Seek>(
        log: &mut LogReader<R>,
        options: &Options,
    ) -> Result<Self, LogError> {
        let mut scan = Self {
            sector_size: log.sector_size(),
            capacity_sectors: 0,
            atomic_unit: options.atomic_unit.unwrap_or(log.sector_size()),
            counted: log.counted(),
            taken: 0,
            entries: 0,
            events: 0,
            is_closed: false,
            more_at: None,
            stopped: None,
            durable: 0,
            empty_marks: 0,
            after_fua: 0,
        };
        scan.check_unit()?;
        let given = scan.given_size(options)?;
        let mut written = 0;
        let mut fua = Written::default();
        while options.salvage || scan.taken < scan.counted {
            let entry = match log.next() {
                Ok(entry) => entry,
                Err(LogError::Bad { offset, what }) if options.salvage => {
                    scan.stopped = Some(format!("byte {offset}: {what}"));
                    break;
                }
                Err(error) => return Err(error),
            };
            scan.take(&entry, given)?;
            scan.after_fua += u64::from(fua.is_below(&entry));
            written = written.max(entry.end());
            log.pass(entry.data_len())?;
            if options.salvage && scan.is_closed {
                break;
            }
        }
        if scan.is_closed {
            scan.entries -= 1;
            scan.events -= 1;
        } else if !options.salvage {
            let at = log.at();
            scan.more_at = log.next().is_ok().then_some(at);
        }
        scan.capacity_sectors = given.unwrap_or(written).max(1).next_multiple_of(MIB);
        Ok(scan)
    }

    /// The block of the disk, in bytes: the sector of the log, if disks can have such blocks.
    pub fn block_size(&self) -> u32 {
        if self.sector_size < 4096 {
            512
        } else {
            4096
        }
    }

    /// Whether an entry of the log has none in the record.
    pub fn leaves_out(&self, number: u64, entry: &LogEntry) -> bool {
        let is_end = self.is_closed && number + 1 == self.taken;
        is_end || matches!(&entry.what, What::Mark(text) if text.is_empty())
    }

    fn check_unit(&self) -> Result<(), LogError> {
        let unit = self.atomic_unit;
        if !unit.is_power_of_two() || !(self.sector_size..=65536).contains(&unit) {
            return Err(LogError::Use(format!(
                "an atomic unit of {unit} bytes: give a power of two, from a sector of the log, {}, to 65536",
                self.sector_size
            )));
        }
        Ok(())
    }

    /// The sectors of the disk, if they are known.
    fn given_size(&self, options: &Options) -> Result<Option<u64>, LogError> {
        let Some(bytes) = options.bytes.max(options.base_bytes) else {
            return Ok(None);
        };
        if options
            .base_bytes
            .is_some_and(|base| base > options.bytes.unwrap_or(base))
        {
            return Err(LogError::Use(format!(
                "a disk of {bytes} bytes is smaller than the image that it held before"
            )));
        }
        let sectors = bytes.div_ceil(SECTOR).next_multiple_of(MIB);
        if sectors > MAX_SECTORS {
            return Err(LogError::Use(format!(
                "a disk of {bytes} bytes is too large"
            )));
        }
        Ok(Some(sectors))
    }

    fn take(&mut self, entry: &LogEntry, given: Option<u64>) -> Result<(), LogError> {
        let bad = |what: String| {
            let offset = entry.offset;
            Err(LogError::Bad { offset, what })
        };
        if let Some(sectors) = given.filter(|sectors| entry.end() > *sectors) {
            return bad(format!(
                "an entry for bytes up to {}, of a disk that has {}",
                entry.end() * SECTOR,
                sectors * SECTOR
            ));
        }
        self.taken += 1;
        self.is_closed = false;
        let durable = LogFlags::FLUSH | LogFlags::FUA;
        self.durable += u64::from(entry.flags.intersects(durable));
        match &entry.what {
            What::Mark(text) if text.is_empty() => self.empty_marks += 1,
            What::Mark(text) if text.len() > MAX_MARK as usize => {
                return bad(format!(
                    "a mark of {} bytes: those of a record have up to {MAX_MARK}",
                    text.len()
                ));
            }
            What::Mark(text) => {
                self.is_closed = text == END_MARK;
                self.entries += 1;
                self.events += 1;
            }
            What::Flush => {
                self.entries += 1;
                self.events += 2;
            }
            What::Write | What::Discard => {
                let nr = pieces(entry).count() as u64;
                self.entries += nr;
                self.events += 2 * nr + u64::from(entry.flags.contains(LogFlags::FLUSH));
            }
        }
        if self.events > MAX_EVENTS {
            return bad(format!("more events than a record can have, {MAX_EVENTS}"));
        }
        Ok(())
    }
}

/// What an entry of a write or a discard becomes: runs of sectors, which end where units do.
pub fn pieces(entry: &LogEntry) -> impl Iterator<Item = Range<u64>> + '_ {
    std::iter::successors(piece(entry, entry.sector), |before| {
        piece(entry, before.end)
    })
}

/// The one that begins at a sector; none at the end of the entry.
pub fn piece(entry: &LogEntry, start: u64) -> Option<Range<u64>> {
    let most = match entry.what {
        What::Discard => MAX_DISCARD,
        _ => MAX_WRITE,
    };
    let end = entry.end().min((start / most + 1) * most);
    (start < end).then_some(start..end)
}

/// The sectors of FUA writes since the last flush.
#[derive(Debug, Default)]
struct Written(BTreeMap<u64, u64>);

impl Written {
    /// Whether an entry is of a write that has one of them. Takes account of the entry.
    fn is_below(&mut self, entry: &LogEntry) -> bool {
        if entry.flags.contains(LogFlags::FLUSH) {
            self.0.clear();
        }
        if !matches!(entry.what, What::Write | What::Discard) {
            return false;
        }
        if entry.flags.contains(LogFlags::FUA) {
            self.add(entry.sector, entry.end());
            return false;
        }
        let before = self.0.range(..entry.end()).next_back();
        before.is_some_and(|(_, end)| *end > entry.sector)
    }

    /// They do not overlap: what touches becomes one.
    fn add(&mut self, mut start: u64, mut end: u64) {
        while let Some((from, to)) = self.0.range(..=end).next_back().map(|(a, b)| (*a, *b)) {
            if to < start {
                break;
            }
            self.0.remove(&from);
            (start, end) = (start.min(from), end.max(to));
        }
        self.0.insert(start, end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(what: What, flags: LogFlags, sectors: Range<u64>) -> LogEntry {
        LogEntry {
            offset: 0,
            what,
            flags,
            sector: sectors.start,
            nr_sectors: sectors.end - sectors.start,
        }
    }

    #[test]
    fn what_is_large_becomes_pieces_that_end_where_units_do() {
        let mib = |n: u64| n << 11;
        for (what, sectors, ends) in [
            (What::Write, 8..16, &[16][..]),
            (What::Write, mib(1)..mib(5), &[mib(4), mib(5)]),
            (What::Write, mib(4)..mib(8), &[mib(8)]),
            (What::Discard, 0..mib(9), &[mib(9)]),
            (
                What::Discard,
                8..MAX_DISCARD + 8,
                &[MAX_DISCARD, MAX_DISCARD + 8],
            ),
        ] {
            let entry = entry(what, LogFlags::empty(), sectors);
            let mut at = entry.sector;
            let found = pieces(&entry).map(|piece| {
                assert_eq!(piece.start, std::mem::replace(&mut at, piece.end));
                piece.end
            });
            assert_eq!(found.collect::<Vec<_>>(), ends);
        }
    }

    #[test]
    fn a_write_after_a_fua_write_of_its_sectors_is_noticed_until_a_flush() {
        let (plain, fua) = (LogFlags::empty(), LogFlags::FUA);
        let mut written = Written::default();
        for (flags, sectors, expected) in [
            (fua, 8..16, false),
            (fua, 32..40, false),
            (fua, 16..24, false),
            (plain, 0..8, false),
            (plain, 24..32, false),
            (plain, 20..28, true),
            (plain, 0..9, true),
            (plain, 39..48, true),
            (fua, 0..64, false),
            (plain, 60..61, true),
            (LogFlags::FLUSH, 70..71, false),
            (plain, 60..61, false),
        ] {
            let text = format!("{flags:?} {sectors:?}");
            let found = written.is_below(&entry(What::Write, flags, sectors));
            assert_eq!(found, expected, "{text}");
        }
    }
}
