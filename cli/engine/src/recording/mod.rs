// SPDX-License-Identifier: GPL-2.0

//! A record of a disk as read from the driver or from a file: its log for the
//! model, and a hash for every block of content in place of the content.

mod blocks;
mod crash_state;
mod entry;
mod index;
mod max_tree;
mod name;
mod pages;
mod read;
mod stability;
mod submits;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod timeline;
mod versions;

use std::collections::HashMap;
use std::ops::Range;

use powercut_model::{units, Entry, Event, Geometry, History};
use xxhash_rust::xxh3::xxh3_128;

use crate::abi::{self, EntryOp, Flags, Header};
use crate::faults::Faults;
use crate::garbage::PAGE;
use crate::members::Members;
use entry::{long, short, NO_DATA};
use index::Index;
use name::Names;

#[cfg(any(test, feature = "testing"))]
pub use crash_state::bytes_by_replay;
pub use crash_state::{CrashState, Source};
pub use entry::{Recorded, MAX_EVENTS};
pub use read::RecordingError;

/// The hash of a block's content.
pub type ContentHash = u128;

/// A mark: an acknowledgement by the workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub event: Event,
    pub text: Box<str>,
}

/// A recorded disk.
#[derive(Debug)]
pub struct Recording {
    header: Header,
    geometry: Geometry,
    entries: Vec<Recorded>,
    /// The names of tasks.
    tasks: Vec<Box<str>>,
    marks: Vec<Mark>,
    /// The hashes of all blocks written, in the order of the log.
    blocks: Vec<ContentHash>,
    /// Of each discard that leaves garbage, the pages that hold it; the others hold zeroes.
    garbage_pages: Vec<Box<[u64]>>,
    /// [`abi::Entry::asked`] of those entries that have one, by their submit.
    asked: HashMap<Event, u64>,
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

    /// The task that submitted an entry.
    pub fn task(&self, recorded: &Recorded) -> &str {
        &self.tasks[recorded.task as usize]
    }

    /// All tasks, by their numbers.
    pub fn tasks(&self) -> impl Iterator<Item = &str> {
        self.tasks.iter().map(|task| &**task)
    }

    /// The text of an entry that is a mark.
    pub fn text(&self, recorded: &Recorded) -> Option<&str> {
        let is_mark = recorded.op() == EntryOp::Mark;
        is_mark.then(|| &*self.marks[recorded.data as usize].text)
    }

    /// The hashes of the blocks that a write carried; none if they are not known.
    fn blocks_of(&self, recorded: &Recorded) -> &[ContentHash] {
        if recorded.op() != EntryOp::Write || recorded.data == NO_DATA {
            return &[];
        }
        let first = recorded.data as usize;
        let len = u64::from(recorded.nr_sectors()) / self.block_sectors();
        &self.blocks[first..first + len as usize]
    }

    /// The pages in which a discard left garbage, of one that does.
    fn garbage_of(&self, recorded: &Recorded) -> Option<&[u64]> {
        let leaves_garbage =
            recorded.op() == EntryOp::Discard && recorded.flags().contains(Flags::GARBAGE);
        leaves_garbage.then(|| &*self.garbage_pages[recorded.data as usize])
    }

    /// [`abi::Entry::asked`].
    fn asked(&self, recorded: &Recorded) -> u64 {
        self.asked.get(&recorded.submit()).copied().unwrap_or(0)
    }

    /// The positions, among the units written, of those that an entry writes.
    pub fn places(&self, index: usize) -> Range<usize> {
        let recorded = &self.entries[index];
        let touched = units(self.geometry, &recorded.entry());
        let first = recorded.place as usize;
        first..first + (touched.end - touched.start) as usize
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

    /// The units written to, and the writes of each, oldest first; and, without any, the units that
    /// writes may cost ([`Tear::Rmw`](powercut_model::Tear::Rmw)).
    pub fn units(&self) -> impl Iterator<Item = (u64, &[u32])> {
        let units = &self.index.units;
        let places = units.keys().iter().copied().enumerate();
        places.map(|(place, unit)| (unit, units.at(place)))
    }

    /// The writes of a unit, oldest first.
    pub fn writes_of(&self, unit: u64) -> &[u32] {
        self.index.units.of(unit)
    }

    /// The writes of the unit at a position among those written, oldest first.
    pub fn writes_at(&self, place: usize) -> &[u32] {
        self.index.units.at(place)
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

    /// The writes of the unit at a position, oldest first: in one list if each covers it whole, else in
    /// a list for each of its blocks.
    pub fn lists_at(&self, place: usize) -> impl Iterator<Item = &[u32]> {
        let places = self.block_places(self.written()[place]);
        let whole = places.is_empty().then(|| self.writes_at(place));
        let blocks = places.map(|place| self.index.blocks.at(place));
        whole.into_iter().chain(blocks)
    }

    /// The units written to, or that a write may cost, ascending: their positions in it are short
    /// names.
    pub fn written(&self) -> &[u64] {
        self.index.units.keys()
    }

    /// The position of a unit among those written to.
    pub fn place(&self, unit: u64) -> Option<usize> {
        self.index.units.place(unit)
    }

    /// The number of units written that lie before one.
    pub fn places_before(&self, unit: u64) -> usize {
        self.index.units.before(unit)
    }

    /// The first event at which a write is stable; [`abi::IN_FLIGHT`] if there is none.
    pub fn stable_from(&self, index: usize) -> Event {
        long(self.index.stable.get(index))
    }

    /// How the image's hash differs from the base's because of the unit at a place, at a cut where
    /// nothing pending is kept.
    pub fn stable_content(&self, place: usize, cut: Event) -> u128 {
        self.index
            .timeline
            .content(self.index.units.range(place), cut)
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
        if let Some(pages) = self.garbage_of(recorded) {
            let page = block * u64::from(self.header.block_size) / PAGE;
            return match pages.binary_search(&page) {
                Ok(_) => self.garbage.get(&block).copied().unwrap_or(self.zeroes),
                Err(_) => self.zeroes,
            };
        }
        let first = recorded.sector() / self.block_sectors();
        let at = usize::try_from(block - first).unwrap_or(usize::MAX);
        let blocks = self.blocks_of(recorded);
        blocks.get(at).copied().unwrap_or(self.zeroes)
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
        self.entries.get(index).map(Recorded::entry)
    }

    fn last_event(&self) -> Event {
        self.header.newest_event
    }

    fn submitted_by(&self, event: Event) -> usize {
        self.index.submits.by(&self.entries, event)
    }

    fn first_completing_after(&self, event: Event) -> usize {
        self.index.complete.next_above(0, short(event))
    }

    fn next_completing_after(&self, index: usize, event: Event) -> usize {
        self.index.complete.next_above(index, short(event))
    }

    fn next_unstable(&self, index: usize, event: Event) -> usize {
        self.index.stable.next_above(index, short(event))
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
                let entry = self.entries[*index].entry();
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
