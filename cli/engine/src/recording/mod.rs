// SPDX-License-Identifier: GPL-2.0

//! A record of a disk as read from the driver or from a file: its log for the
//! model, and a hash for every block of content in place of the content.

mod index;
mod max_tree;
mod name;
mod read;
mod stability;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod timeline;
mod versions;

use std::collections::HashMap;
use std::ops::Range;

use powercut_model::{Entry, Event, Geometry, History};
use xxhash_rust::xxh3::xxh3_128;

use crate::abi::{self, Header};
use crate::faults::Faults;
use crate::garbage::PAGE;
use crate::members::Members;
use index::Index;
use name::Names;

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
    index: Index,
    names: Names,
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
        let units = &self.index.units;
        let places = units.keys().iter().copied().enumerate();
        places.map(|(place, unit)| (unit, units.at(place)))
    }

    /// The writes of a unit, oldest first.
    pub fn writes_of(&self, unit: u64) -> &[u32] {
        self.index.units.of(unit)
    }

    /// Whether each write of a unit covers all of it.
    pub fn is_whole(&self, unit: u64) -> bool {
        self.block_places(unit).is_empty()
    }

    /// Of a unit that some write covers in part, the positions of its blocks in the index.
    fn block_places(&self, unit: u64) -> Range<usize> {
        let per_unit = u64::from(self.geometry.unit_sectors) / self.block_sectors();
        let blocks = unit * per_unit..(unit + 1) * per_unit;
        self.index.blocks.places(blocks)
    }

    /// The writes of a unit, oldest first: in one list if each covers it whole, else in a list for each
    /// of its blocks.
    pub fn lists_of(&self, unit: u64) -> impl Iterator<Item = &[u32]> {
        let places = self.block_places(unit);
        let whole = places.is_empty().then(|| self.writes_of(unit));
        let blocks = places.map(|place| self.index.blocks.at(place));
        whole.into_iter().chain(blocks)
    }

    /// The units written to, ascending: their positions in it are short names.
    pub fn written(&self) -> &[u64] {
        self.index.units.keys()
    }

    /// The position of a unit among those written to.
    pub fn place(&self, unit: u64) -> Option<usize> {
        self.index.units.place(unit)
    }

    /// The first event at which a write is stable; [`abi::IN_FLIGHT`] if there is none.
    pub fn stable_from(&self, index: usize) -> Event {
        self.index.stable.get(index)
    }

    /// How the image's hash differs from the base's because of the unit at a place, at a cut where
    /// nothing pending is kept.
    pub fn stable_content(&self, place: usize, cut: Event) -> u128 {
        self.index.timeline.content(place, cut)
    }

    /// The same for all units.
    pub fn stable_image(&self, cut: Event) -> u128 {
        self.index.timeline.image(cut)
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
        let met = &self.index.faults;
        let end = met.partition_point(|(event, _)| *event <= cut);
        let met = end.checked_sub(1).map(|newest| met[newest].1);
        self.header.faults.unlogged() | met.unwrap_or_default()
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

    fn submitted_by(&self, event: Event) -> usize {
        self.entries.partition_point(|r| r.entry.submit <= event)
    }

    fn first_completing_after(&self, event: Event) -> usize {
        self.index.complete.next_above(0, event)
    }

    fn next_completing_after(&self, index: usize, event: Event) -> usize {
        self.index.complete.next_above(index, event)
    }

    fn next_unstable(&self, index: usize, event: Event) -> usize {
        self.index.stable.next_above(index, event)
    }

    fn newest_flush(&self, within: Range<usize>, member: usize) -> Option<usize> {
        newest(self.index.flushes.get(member)?, within)
    }

    fn newest_fua(&self, within: Range<usize>) -> Option<usize> {
        newest(&self.index.fuas, within)
    }

    fn newest_fua_touching(&self, within: Range<usize>, sectors: Range<u64>) -> Option<usize> {
        let unit_sectors = u64::from(self.geometry.unit_sectors);
        let first = sectors.start / unit_sectors;
        let last = sectors.end.saturating_sub(1) / unit_sectors;
        let of_unit = |unit| {
            let writes = self.writes_of(unit);
            let end = writes.partition_point(|index| (*index as usize) < within.end);
            let newest_first = writes[..end].iter().rev().map(|index| *index as usize);
            let mut within = newest_first.take_while(|index| *index >= within.start);
            within.find(|index| {
                let entry = &self.entries[*index].entry;
                entry.fua && entry.touches(&sectors)
            })
        };
        (first..=last).filter_map(of_unit).max()
    }
}

/// The highest of the ascending entries that is within.
fn newest(entries: &[u32], within: Range<usize>) -> Option<usize> {
    let end = entries.partition_point(|index| (*index as usize) < within.end);
    let newest = *entries.get(end.checked_sub(1)?)? as usize;
    (newest >= within.start).then_some(newest)
}
