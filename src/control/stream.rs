// SPDX-License-Identifier: GPL-2.0

//! A log on its way out.

use super::format::{
    encode_member,
    Header,
    RawEntry, //
};
use crate::{
    disk::RecordedDisk,
    fault::Kinds,
    model::{
        History,
        Op,
        IN_FLIGHT, //
    },
    record::{
        Record,
        Write, //
    },
    store::{
        self,
        SectorMask,
        Store,
        PAGE_SECTORS,
        SECTOR_SIZE, //
    }, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::Arc, //
};

/// How much is gathered at a time, in bytes: the record's lock is held that long.
const BATCH_BYTES: usize = 64 << 10;

/// What comes next.
#[derive(Clone, Copy)]
enum Position {
    Header,
    /// The base pages from the one of that index on.
    Base {
        index: usize,
    },
    /// The entry of that index.
    Entry {
        index: usize,
    },
    /// The data of the entry of that index, from a page on.
    Data {
        index: usize,
        page: u64,
    },
    End,
}

/// A record being read. It ends at what was the newest entry when it began.
pub(super) struct Stream {
    disk: Arc<RecordedDisk>,
    has_data: bool,
    generation: u64,
    nr_entries: usize,
    last_event: u64,
    truncated: u64,
    faults: Kinds,
    /// The pages of the base. They are counted in the header, so they are found once: below a view
    /// there may be more as time goes by.
    base: KVVec<u64>,
    position: Position,
    page: KBox<[u8; PAGE_SIZE]>,
}

impl Stream {
    /// [`ENODATA`] if the disk has no record.
    pub(super) fn new(disk: Arc<RecordedDisk>, has_data: bool) -> Result<Self> {
        let (generation, nr_entries, last_event, truncated, faults) =
            disk.with_record(|record, _| {
                Ok((
                    record.generation(),
                    record.nr_entries(),
                    record.last_event(),
                    record.truncated().map_or(0, |truncated| truncated.event),
                    record.faults(),
                ))
            })?;
        Ok(Self {
            disk,
            has_data,
            generation,
            nr_entries,
            last_event,
            truncated,
            faults,
            base: KVVec::new(),
            position: Position::Header,
            page: KBox::init(pin_init::init_zeroed(), GFP_KERNEL)?,
        })
    }

    /// Appends the next part to `out`, which is empty; nothing at the end. [`ESTALE`] if the record
    /// was ended meanwhile. What comes before an error is whole, and the error comes again.
    pub(super) fn fill(&mut self, out: &mut KVVec<u8>) -> Result {
        while out.len() < BATCH_BYTES && !matches!(self.position, Position::End) {
            let len = out.len();
            let next = match self.position {
                Position::Header => self.put_header(out),
                Position::Base { index } => self.put_base(index, out),
                _ => return self.fill_with_entries(out),
            };
            if !self.goes_on(next, len, out)? {
                break;
            }
        }
        Ok(())
    }

    fn fill_with_entries(&mut self, out: &mut KVVec<u8>) -> Result {
        let disk = self.disk.clone();
        let filled = disk.with_record(|record, store| {
            self.check(record)?;
            while out.len() < BATCH_BYTES && !matches!(self.position, Position::End) {
                let len = out.len();
                let next = self.step(record, store, out);
                if !self.goes_on(next, len, out)? {
                    break;
                }
            }
            Ok(())
        });
        match filled.map_err(stale) {
            Err(_) if !out.is_empty() => Ok(()),
            filled => filled,
        }
    }

    /// Takes a step, before which `out` had so many bytes. If that failed, takes it back: false if
    /// there is something to be read before the error.
    fn goes_on(&mut self, next: Result<Position>, len: usize, out: &mut KVVec<u8>) -> Result<bool> {
        match next {
            Ok(next) => {
                self.position = next;
                Ok(true)
            }
            Err(error) => {
                out.truncate(len);
                if len == 0 {
                    Err(error)
                } else {
                    Ok(false)
                }
            }
        }
    }

    fn check(&self, record: &Record) -> Result {
        if record.generation() == self.generation {
            Ok(())
        } else {
            Err(ESTALE)
        }
    }

    fn step(&mut self, record: &Record, store: &Store, out: &mut KVVec<u8>) -> Result<Position> {
        match self.position {
            Position::Header | Position::Base { .. } => Ok(self.position),
            Position::Entry { index } if index == self.nr_entries => Ok(Position::End),
            Position::Entry { index } => {
                let write = record.log_entry(index).ok_or(ESTALE)?;
                self.put_entry(record, &write, out)?;
                Ok(if self.has_data && has_data(&write) {
                    Position::Data {
                        index,
                        page: write.entry.sector / PAGE_SECTORS as u64,
                    }
                } else {
                    Position::Entry { index: index + 1 }
                })
            }
            Position::Data { index, page } => {
                let write = record.log_entry(index).ok_or(ESTALE)?;
                let mask = write.mask(page);
                if mask.is_empty() {
                    return Ok(Position::Entry { index: index + 1 });
                }
                let layer = store.version(page, u32::try_from(index)?).ok_or(EIO)?;
                let _found = layer.read(mask, &mut *self.page);
                self.put_sectors(mask, out)?;
                Ok(Position::Data {
                    index,
                    page: page + 1,
                })
            }
            Position::End => Ok(Position::End),
        }
    }

    fn put_header(&mut self, out: &mut KVVec<u8>) -> Result<Position> {
        if self.has_data {
            self.find_base()?;
        }
        let header = Header {
            properties: self.disk.properties(),
            nr_members: self.disk.members().as_slice().len(),
            has_data: self.has_data,
            nr_entries: self.nr_entries as u64,
            last_event: self.last_event,
            truncated: self.truncated,
            nr_base: self.base.len() as u64,
            faults: self.faults,
        };
        out.extend_from_slice(&header.encode(), GFP_KERNEL)?;
        for member in self.disk.members().as_slice() {
            out.extend_from_slice(&encode_member(member), GFP_KERNEL)?;
        }
        Ok(if self.has_data {
            Position::Base { index: 0 }
        } else {
            Position::Entry { index: 0 }
        })
    }

    fn find_base(&mut self) -> Result {
        let mut base = KVVec::new();
        let mut from = 0;
        while let Some(page) = self.disk.next_base(from).map_err(stale)? {
            base.push(page, GFP_KERNEL | __GFP_NOWARN)?;
            from = page + 1;
        }
        self.disk
            .with_record(|record, _| self.check(record))
            .map_err(stale)?;
        self.base = base;
        Ok(())
    }

    /// Puts out the page of the base of that index, whole: sectors that were never
    /// written are zeroes.
    fn put_base(&mut self, index: usize, out: &mut KVVec<u8>) -> Result<Position> {
        let Some(page) = self.base.get(index).copied() else {
            return Ok(Position::Entry { index: 0 });
        };
        self.disk.base_page(page, &mut self.page).map_err(stale)?;
        self.disk
            .with_record(|record, _| self.check(record))
            .map_err(stale)?;
        let len_bytes = (PAGE_SECTORS * SECTOR_SIZE) as u32;
        let sector = page * PAGE_SECTORS as u64;
        let entry = RawEntry::base(sector, PAGE_SECTORS as u32, len_bytes);
        out.extend_from_slice(&entry.encode(), GFP_KERNEL)?;
        self.put_sectors(SectorMask::FULL, out)?;
        Ok(Position::Base { index: index + 1 })
    }

    fn put_sectors(&self, mask: SectorMask, out: &mut KVVec<u8>) -> Result {
        for range in mask.runs() {
            out.extend_from_slice(self.page.get(range).ok_or(EIO)?, GFP_KERNEL)?;
        }
        Ok(())
    }

    fn put_entry(&self, record: &Record, write: &Write, out: &mut KVVec<u8>) -> Result {
        let text = record.mark_text(write).unwrap_or(&[]);
        let payload_len = if self.has_data && has_data(write) {
            // A bio's length in bytes fits 32 bits.
            write.entry.nr_sectors * SECTOR_SIZE as u32
        } else {
            u32::try_from(text.len())?
        };
        let mut raw = RawEntry::new(
            write,
            record.submitter(write),
            payload_len,
            record.garbage(),
        );
        // What happened since the header went out is yet to happen.
        for event in [&mut raw.start, &mut raw.complete] {
            if *event > self.last_event {
                *event = IN_FLIGHT;
            }
        }
        out.extend_from_slice(&raw.encode(), GFP_KERNEL)?;
        out.extend_from_slice(text, GFP_KERNEL)?;
        Ok(())
    }
}

/// The error of a record that was there when its reading began.
fn stale(error: Error) -> Error {
    if error == ENODATA {
        ESTALE
    } else {
        error
    }
}

/// Whether an entry's data is there to be had.
fn has_data(write: &Write) -> bool {
    write.entry.op == Op::Write && !write.is_lost()
}

const _: fn() = || {
    fn is_movable<T: Send>() {}
    is_movable::<Stream>();
};

const _: () = assert!(store::PAGE_SECTORS == 8);
