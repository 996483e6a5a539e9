// SPDX-License-Identifier: GPL-2.0

//! A record of a disk as read from the driver or from a file: its log for the
//! model, and a hash for every block of content in place of the content.

mod read;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

use std::collections::HashMap;
use std::ops::Range;

use powercut_model::{Entry, Event, Geometry, History};
use xxhash_rust::xxh3::{xxh3_128, Xxh3};

use crate::abi::{self, Flags, Header};
use crate::faults::Faults;
use crate::garbage::PAGE;
use crate::members::Members;

pub use read::RecordingError;

/// The hash of a block's content.
pub type ContentHash = u128;

/// One entry of the log.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// As it came from the driver.
    pub raw: abi::Entry,
    /// What the model sees of it.
    pub entry: Entry,
    pub content: Content,
}

/// What an entry put on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nothing: a flush.
    None,
    /// Data, by the hash of each of its blocks.
    Blocks(Box<[ContentHash]>),
    Zeroes,
    /// Garbage in these pages, zeroes in the others: a discard's.
    Garbage(Box<[u64]>),
    /// The text of a mark.
    Mark(String),
}

/// A mark: an acknowledgement by the workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub event: Event,
    pub text: String,
}

/// A recorded disk.
#[derive(Debug)]
pub struct Recording {
    header: Header,
    geometry: Geometry,
    entries: Vec<Recorded>,
    marks: Vec<Mark>,
    /// Blocks that hold garbage once they were discarded.
    garbage: HashMap<u64, ContentHash>,
    /// Blocks of the base that are not zeroes.
    base: HashMap<u64, ContentHash>,
    base_hash: u128,
    zeroes: ContentHash,
    /// The writes of each unit, oldest first.
    by_unit: HashMap<u64, Vec<u32>>,
    /// The units written to, ascending.
    written: Vec<u64>,
    /// The largest complete event up to each entry.
    max_complete: Vec<Event>,
    /// For each member, one more than the index of the newest flush up to each
    /// entry, or 0.
    newest_flush: Vec<Vec<usize>>,
    /// The same for FUA writes.
    newest_fua: Vec<usize>,
}

impl Recording {
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The disks that it is made of.
    pub fn members(&self) -> &Members {
        &self.header.members
    }

    pub fn entries(&self) -> &[Recorded] {
        &self.entries
    }

    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// The marks at or before a cut.
    pub fn marks_by(&self, cut: Event) -> &[Mark] {
        let end = self.marks.partition_point(|m| m.event <= cut);
        &self.marks[..end]
    }

    /// Sectors in a block.
    pub fn block_sectors(&self) -> u64 {
        u64::from(self.header.block_size) / abi::SECTOR
    }

    /// The units written to, and the writes of each, oldest first.
    pub fn units(&self) -> impl Iterator<Item = (u64, &[u32])> {
        self.by_unit.iter().map(|(unit, list)| (*unit, &list[..]))
    }

    /// The writes of a unit, oldest first.
    pub fn writes_of(&self, unit: u64) -> &[u32] {
        self.by_unit.get(&unit).map_or(&[], |list| &list[..])
    }

    /// The units written to, ascending: their positions in it are short names.
    pub fn written(&self) -> &[u64] {
        &self.written
    }

    /// What a block held before the record began.
    pub fn base_content(&self, block: u64) -> ContentHash {
        self.base.get(&block).copied().unwrap_or(self.zeroes)
    }

    /// What a write put into a block that it covers.
    pub fn content(&self, index: usize, block: u64) -> ContentHash {
        let recorded = &self.entries[index];
        match &recorded.content {
            Content::Blocks(blocks) => {
                let first = recorded.raw.sector / self.block_sectors();
                let at = usize::try_from(block - first).unwrap_or(usize::MAX);
                blocks.get(at).copied().unwrap_or(self.zeroes)
            }
            Content::Garbage(pages) => {
                let page = block * u64::from(self.header.block_size) / PAGE;
                match pages.binary_search(&page) {
                    Ok(_) => self.garbage.get(&block).copied().unwrap_or(self.zeroes),
                    Err(_) => self.zeroes,
                }
            }
            _ => self.zeroes,
        }
    }

    /// The faults that I/O submitted up to a cut met, and those of which it is not known
    /// when. A state at a cut that has some is outside of the contract.
    pub fn faults_at(&self, cut: Event) -> Faults {
        let submitted = &self.entries[..self.submitted_by(cut)];
        let met = submitted.iter().map(|recorded| recorded.raw.flags.faults());
        met.fold(self.header.faults.unlogged(), Faults::union)
    }

    /// Names the log up to a cut: equal for two records only if everything
    /// that a state at that cut depends on is equal. Grows of the log don't
    /// change it.
    pub fn hash_at(&self, cut: Event) -> u32 {
        let mut h = Xxh3::new();
        let mut put = |value: u64| h.update(&value.to_le_bytes());
        let header = &self.header;
        put(header.capacity_sectors);
        put(u64::from(header.block_size));
        put(u64::from(header.atomic_unit));
        let prefixes = u64::from(!header.tear.is_any());
        put(u64::from(header.write_cache) | (u64::from(header.fua) << 1) | (prefixes << 2));
        for member in header.members.iter() {
            put(member.sectors);
            put(xxhash_rust::xxh3::xxh3_64(member.name.as_bytes()));
        }
        put(self.base_hash as u64);
        put((self.base_hash >> 64) as u64);
        for recorded in &self.entries[..self.submitted_by(cut)] {
            let (raw, entry) = (&recorded.raw, &recorded.entry);
            let seen = |event| if event > cut { abi::IN_FLIGHT } else { event };
            put(u64::from(raw.op.code()) | (u64::from(raw.flags.bits()) << 32));
            put(raw.sector);
            put(u64::from(raw.nr_sectors));
            if raw.flags.contains(Flags::MISDIRECTED) {
                put(raw.asked);
            }
            if let Content::Garbage(pages) = &recorded.content {
                put(raw.asked);
                put(pages.len() as u64);
            }
            put(entry.submit);
            put(seen(entry.start));
            put(seen(entry.complete));
            match &recorded.content {
                Content::None => put(0),
                Content::Zeroes | Content::Garbage(_) => put(1),
                Content::Mark(text) => put(xxhash_rust::xxh3::xxh3_64(text.as_bytes())),
                Content::Blocks(blocks) => {
                    for block in blocks {
                        put(*block as u64);
                    }
                }
            }
        }
        h.digest() as u32
    }
}

/// What a block with some content adds to the hash of a whole image.
pub fn weight(block: u64, content: ContentHash) -> u128 {
    let mut bytes = [0; 24];
    bytes[..8].copy_from_slice(&block.to_le_bytes());
    bytes[8..].copy_from_slice(&content.to_le_bytes());
    xxh3_128(&bytes)
}

impl History for Recording {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn nr_entries(&self) -> usize {
        self.entries.len()
    }

    fn entry(&self, index: usize) -> Option<Entry> {
        self.entries.get(index).map(|r| r.entry)
    }

    fn last_event(&self) -> Event {
        self.header.newest_event
    }

    fn first_completing_after(&self, event: Event) -> usize {
        self.max_complete.partition_point(|max| *max <= event)
    }

    fn newest_flush(&self, within: Range<usize>, member: usize) -> Option<usize> {
        newest(self.newest_flush.get(member)?, within)
    }

    fn newest_fua(&self, within: Range<usize>) -> Option<usize> {
        newest(&self.newest_fua, within)
    }
}

fn newest(table: &[usize], within: Range<usize>) -> Option<usize> {
    let last = within.end.checked_sub(1)?;
    let found = table.get(last)?.checked_sub(1)?;
    (found >= within.start).then_some(found)
}
