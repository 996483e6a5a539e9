// SPDX-License-Identifier: GPL-2.0

//! A crash state that can be read and written: what is written lies above it, and what is read of it is kept
//! account of.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use powercut_engine::abi::SECTOR;
use powercut_engine::garbage::garbage;
use powercut_engine::members::Members;
use powercut_engine::reads::Reads;
use powercut_engine::recording::{CrashState, Recording};

use super::Contents;

/// What is kept of together, in bytes.
const PAGE: usize = 4096;
pub const PAGE_SECTORS: u64 = PAGE as u64 / SECTOR;

/// What was written to a page since the state was shown.
#[derive(Debug, Clone)]
struct Written {
    /// A bit for each sector.
    sectors: u8,
    data: Box<[u8; PAGE]>,
}

impl Written {
    /// Shows what of a part of the page was written.
    fn read(&self, within: &std::ops::Range<usize>, to: &mut [u8]) {
        let sectors = within.clone().step_by(SECTOR as usize);
        for (at, to) in sectors.zip(to.chunks_exact_mut(SECTOR as usize)) {
            if self.sectors & (1 << (at / SECTOR as usize)) != 0 {
                to.copy_from_slice(&self.data[at..at + SECTOR as usize]);
            }
        }
    }
}

/// Shared with the base of a record until they are written to.
type Pages = BTreeMap<u64, Arc<Written>>;

/// A crash state, with what was written to it.
#[derive(Debug, Clone)]
pub struct Image {
    recording: Arc<Recording>,
    contents: Arc<Contents>,
    state: CrashState,
    written: Pages,
    /// While what is written is recorded: what was written before.
    before: Option<Pages>,
    /// Each write since, the newest last, if reads of what was there before are asked for.
    layers: Option<BTreeMap<u64, Vec<Written>>>,
    /// The sectors read of the state itself, a bit for each, by their pages.
    read: BTreeMap<u64, u8>,
}

/// The sectors of a page that bytes lie in, which begin and end at sectors.
fn mask(within: &std::ops::Range<usize>) -> u8 {
    let first = within.start / SECTOR as usize;
    let end = within.end / SECTOR as usize;
    (((1u16 << end) - 1) & !((1u16 << first) - 1)) as u8
}

/// Pages, and what of them so many bytes from `offset` on are.
fn pages(offset: u64, len: u64) -> impl Iterator<Item = (u64, std::ops::Range<usize>)> {
    let end = offset + len;
    let size = PAGE as u64;
    (offset / size..end.div_ceil(size)).map(move |page| {
        let from = offset.max(page * size) - page * size;
        let to = end.min((page + 1) * size) - page * size;
        (page, from as usize..to as usize)
    })
}

impl Image {
    pub fn new(recording: Arc<Recording>, contents: Arc<Contents>, state: CrashState) -> Self {
        Self {
            recording,
            contents,
            state,
            written: Pages::new(),
            before: None,
            layers: None,
            read: BTreeMap::new(),
        }
    }

    /// Another state, to which nothing was written and of which nothing was read.
    pub fn show(&mut self, state: CrashState) {
        self.state = state;
        self.drop_record();
        self.written.clear();
        self.read.clear();
    }

    /// In bytes.
    pub fn size(&self) -> u64 {
        self.recording.header().capacity_sectors * SECTOR
    }

    /// What reads and writes have to be aligned to, in bytes.
    pub fn block_size(&self) -> u64 {
        self.contents.block_size()
    }

    /// If it is of a group.
    pub fn members(&self) -> &Members {
        self.recording.members()
    }

    /// What discards leave follows from this seed, if it is not zeroes.
    pub fn garbage(&self) -> Option<u64> {
        self.contents.garbage()
    }

    /// What was read of the state, and not of what was written above it.
    pub fn reads(&self) -> Reads {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for (page, sectors) in &self.read {
            let bits = (0..PAGE_SECTORS).filter(|at| sectors & (1 << at) != 0);
            for sector in bits.map(|at| page * PAGE_SECTORS + at) {
                match runs.last_mut() {
                    Some((first, count)) if *first + *count == sector => *count += 1,
                    _ => runs.push((sector, 1)),
                }
            }
        }
        Reads::from_ranges(runs)
    }

    /// What is written from now on is recorded by somebody: what is there now is the base of that. With
    /// `keeps_layers`, [`Self::read_stale`] knows of each write.
    pub fn begin_record(&mut self, keeps_layers: bool) {
        self.before = Some(self.written.clone());
        self.layers = keeps_layers.then(BTreeMap::new);
    }

    /// Nobody needs the base any more.
    pub fn drop_record(&mut self) {
        self.before = None;
        self.layers = None;
    }

    /// Reads whole blocks.
    pub fn read(&mut self, offset: u64, to: &mut [u8]) -> io::Result<()> {
        self.read_below(|image, page| image.written.get(&page), offset, to, true)
    }

    /// The same, for somebody whose reads are not asked for.
    pub fn peek(&mut self, offset: u64, to: &mut [u8]) -> io::Result<()> {
        self.read_below(|image, page| image.written.get(&page), offset, to, false)
    }

    /// The same as it was when the record began; whether it counts among what is read of the state.
    pub fn read_base(&mut self, offset: u64, to: &mut [u8], counts: bool) -> io::Result<()> {
        self.read_below(
            |image, page| image.before.as_ref()?.get(&page),
            offset,
            to,
            counts,
        )
    }

    /// Reads what was written, as `written` has it for each page, and the state below it.
    fn read_below(
        &mut self,
        written: impl for<'i> Fn(&'i Self, u64) -> Option<&'i Arc<Written>>,
        offset: u64,
        to: &mut [u8],
        counts: bool,
    ) -> io::Result<()> {
        let mut left = to;
        for (page, within) in pages(offset, left.len() as u64) {
            let (here, rest) = left.split_at_mut(within.len());
            left = rest;
            let above = written(self, page).map_or(0, |written| written.sectors);
            let below = mask(&within) & !above;
            if below != 0 {
                self.read_state(page, &within, if counts { below } else { 0 }, here)?;
            }
            if let Some(written) = written(self, page) {
                written.read(&within, here);
            }
        }
        Ok(())
    }

    /// The same as it was before the newest write to each page, as far as that is known: while there is
    /// a record, what that has, and else the state.
    pub fn read_stale(&mut self, offset: u64, to: &mut [u8]) -> io::Result<()> {
        let mut left = to;
        for (page, within) in pages(offset, left.len() as u64) {
            let (here, rest) = left.split_at_mut(within.len());
            left = rest;
            let wanted = mask(&within);
            self.read_state(page, &within, wanted, here)?;
            let layers = self.layers.as_ref().and_then(|layers| layers.get(&page));
            let touching = |layer: &&Written| layer.sectors & wanted != 0;
            let layers: Vec<&Written> = layers.into_iter().flatten().filter(touching).collect();
            let Some((_newest, older)) = layers.split_last() else {
                continue;
            };
            let before = self.before.as_ref().and_then(|before| before.get(&page));
            let before = before.map(|written| &**written);
            for written in before.into_iter().chain(older.iter().copied()) {
                written.read(&within, here);
            }
        }
        Ok(())
    }

    /// What the state holds in a part of a page. Of that, these sectors count as read.
    fn read_state(
        &mut self,
        page: u64,
        within: &std::ops::Range<usize>,
        counted: u8,
        to: &mut [u8],
    ) -> io::Result<()> {
        if counted != 0 && self.is_recorded(page) {
            *self.read.entry(page).or_default() |= counted;
        }
        let size = self.block_size();
        let first = (page * PAGE as u64 + within.start as u64) / size;
        for (block, to) in (first..).zip(to.chunks_exact_mut(size as usize)) {
            let source = self.state.source(&self.recording, block);
            self.contents.read(source, block, to, counted != 0)?;
        }
        Ok(())
    }

    /// Whether states differ in a page.
    fn is_recorded(&self, page: u64) -> bool {
        let first = page * PAGE_SECTORS;
        self.recording.is_written(first..=first + PAGE_SECTORS - 1)
    }

    /// Whether a page of the state may hold anything but zeroes.
    fn state_has(&self, page: u64) -> bool {
        self.is_recorded(page) || self.contents.has_base(page)
    }

    /// Whether a page might when the record began.
    pub fn base_has(&self, page: u64) -> bool {
        let before = self.before.as_ref();
        before.is_some_and(|before| before.contains_key(&page)) || self.state_has(page)
    }

    /// The pages that might.
    pub fn base_pages(&self) -> BTreeSet<u64> {
        let unit_sectors = u64::from(self.recording.header().atomic_unit) / SECTOR;
        let of_unit = |unit: &u64| {
            let first = unit * unit_sectors;
            first / PAGE_SECTORS..(first + unit_sectors).div_ceil(PAGE_SECTORS)
        };
        let mut pages = self.contents.base_pages();
        pages.extend(self.recording.written().iter().flat_map(of_unit));
        pages.extend(self.before.iter().flat_map(BTreeMap::keys));
        pages
    }

    /// Writes whole blocks.
    pub fn write(&mut self, offset: u64, data: &[u8]) {
        let mut left = data;
        for (page, within) in pages(offset, data.len() as u64) {
            let (here, rest) = left.split_at(within.len());
            left = rest;
            self.put(page, &within, |to| to.copy_from_slice(here));
        }
    }

    /// Writes zeroes over whole blocks, which takes no memory where there is nothing else.
    pub fn zero(&mut self, offset: u64, len: u64) {
        for (page, within) in pages(offset, len) {
            if self.has_something(page) {
                self.put(page, &within, |to| to.fill(0));
            }
        }
    }

    /// Discards whole blocks: they hold zeroes then, or what the recording's discards leave.
    pub fn discard(&mut self, offset: u64, len: u64) {
        let Some(seed) = self.contents.garbage() else {
            return self.zero(offset, len);
        };
        for (page, within) in pages(offset, len) {
            if self.has_something(page) {
                let sector = page * PAGE_SECTORS + within.start as u64 / SECTOR;
                let bytes = garbage(seed, sector, within.len() as u64 / SECTOR);
                self.put(page, &within, |to| to.copy_from_slice(&bytes));
            }
        }
    }

    /// Whether a page may hold anything but zeroes.
    fn has_something(&self, page: u64) -> bool {
        self.written.contains_key(&page) || self.state_has(page)
    }

    fn put(&mut self, page: u64, within: &std::ops::Range<usize>, put: impl Fn(&mut [u8])) {
        let new = || Written {
            sectors: 0,
            data: Box::new([0; PAGE]),
        };
        let written = self.written.entry(page);
        let written = Arc::make_mut(written.or_insert_with(|| Arc::new(new())));
        written.sectors |= mask(within);
        put(&mut written.data[within.clone()]);
        if let Some(layers) = &mut self.layers {
            let mut layer = new();
            layer.sectors = mask(within);
            put(&mut layer.data[within.clone()]);
            layers.entry(page).or_default().push(layer);
        }
    }
}
