// SPDX-License-Identifier: GPL-2.0

//! Disk contents, sets of them, and the set that the model allows at a cut.
//!
//! A content says for each cell which version is found there: 0 for the base, or the number of a
//! write, counted from 1 in the order in which they were submitted. A cell is a run of sectors that
//! every write of a test covers as a whole or not at all.

use std::ops::Range;

use powercut_model::{coverage, pending, units, Cut, Entry, Event, History, Mask, Piece};

use crate::device::Device;

/// Sets of cells, one bit each.
pub type Cells = u16;

const WORDS: usize = 16;

/// A set of contents, by their numbers in a [`Space`].
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Set([u64; WORDS]);

impl Set {
    pub const EMPTY: Self = Self([0; WORDS]);

    pub fn insert(&mut self, content: usize) {
        self.0[content / 64] |= 1 << (content % 64);
    }

    pub fn contains(&self, content: usize) -> bool {
        (self.0[content / 64] >> (content % 64)) & 1 == 1
    }

    pub fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(index, &word)| {
            let mut left = word;

            std::iter::from_fn(move || {
                (left != 0).then(|| {
                    let bit = left.trailing_zeros();

                    left &= left - 1;
                    index * 64 + usize::try_from(bit).unwrap()
                })
            })
        })
    }

    pub fn without(&self, other: &Self) -> Self {
        let mut left = *self;

        for (own, others) in left.0.iter_mut().zip(&other.0) {
            *own &= !others;
        }
        left
    }

    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.0
            .iter()
            .zip(&other.0)
            .all(|(own, others)| own & !others == 0)
    }
}

/// All contents of a small disk after a number of writes.
pub struct Space {
    pub unit_sectors: u32,
    /// Where each of the disks begins that it is made of.
    pub members: Vec<u64>,
    cells: Vec<Range<u64>>,
    /// The unit of each cell, and its sectors in that.
    masks: Vec<(u64, Mask)>,
    versions: usize,
}

impl Space {
    /// A disk whose cells begin at the sectors `bounds`, the last being the end of the disk.
    pub fn new(unit_sectors: u32, bounds: &[u64], max_writes: usize) -> Self {
        let cells: Vec<_> = bounds.windows(2).map(|pair| pair[0]..pair[1]).collect();
        let masks = cells
            .iter()
            .map(|cell| {
                let unit = cell.start / u64::from(unit_sectors);
                let offset = |sector| u32::try_from(sector - unit * u64::from(unit_sectors));
                let (first, end) = (offset(cell.start).unwrap(), offset(cell.end).unwrap());

                assert!(end <= unit_sectors, "a cell lies in one unit");
                (unit, Mask::from_range(first, end))
            })
            .collect();
        Self {
            unit_sectors,
            members: vec![0],
            cells,
            masks,
            versions: max_writes + 1,
        }
    }

    /// A disk of `units` units of 8 sectors, written in whole units.
    pub fn of_units(units: u64, max_writes: usize) -> Self {
        let bounds: Vec<_> = (0..=units).map(|unit| unit * 8).collect();

        Self::new(8, &bounds, max_writes)
    }

    /// The same, made of disks that begin at these sectors.
    pub fn with_members(mut self, starts: &[u64]) -> Self {
        self.members = starts.to_vec();
        self
    }

    /// The units of each of the disks that it is made of.
    pub fn units_of(&self, member: usize) -> Range<u64> {
        let unit = |start: &u64| start / u64::from(self.unit_sectors);
        let end = self.members.get(member + 1);

        unit(&self.members[member])..end.map_or(u64::MAX, unit)
    }

    pub fn nr_cells(&self) -> usize {
        self.cells.len()
    }

    pub fn unit_of(&self, cell: usize) -> u64 {
        self.masks[cell].0
    }

    /// Whether a write covers a cell.
    pub fn is_covered(&self, cell: usize, write: &Entry) -> bool {
        let end = write.sector + u64::from(write.nr_sectors);

        self.cells[cell].start >= write.sector && self.cells[cell].end <= end
    }

    /// The version found in each cell.
    pub fn found(&self, mut content: usize) -> Vec<usize> {
        (0..self.nr_cells())
            .map(|_| {
                let version = content % self.versions;

                content /= self.versions;
                version
            })
            .collect()
    }

    /// The number of the content in which these versions are found.
    pub fn content(&self, found: &[usize]) -> usize {
        found
            .iter()
            .rev()
            .fold(0, |content, version| content * self.versions + version)
    }

    /// The sectors of all runs of cells: what a write can be.
    pub fn runs(&self) -> Vec<Range<u64>> {
        let nr_cells = self.nr_cells();

        (0..nr_cells)
            .flat_map(|first| (first..nr_cells).map(move |last| (first, last)))
            .map(|(first, last)| self.cells[first].start..self.cells[last].end)
            .collect()
    }

    /// The cells that these sectors are, by unit.
    pub fn cells_by_unit(&self, sectors: &Range<u64>) -> Vec<(u64, Cells)> {
        let mut by_unit: Vec<(u64, Cells)> = Vec::new();

        for (index, cell) in self.cells.iter().enumerate() {
            if cell.start >= sectors.start && cell.end <= sectors.end {
                let unit = cell.start / u64::from(self.unit_sectors);

                match by_unit.last_mut() {
                    Some((last, cells)) if *last == unit => *cells |= 1 << index,
                    _ => by_unit.push((unit, 1 << index)),
                }
            } else {
                assert!(cell.end <= sectors.start || cell.start >= sectors.end);
            }
        }
        by_unit
    }

    /// The cells that these sectors of a unit are.
    fn cells(&self, unit: u64, sectors: Mask) -> Cells {
        let mut cells = 0;

        for (index, (cell_unit, cell)) in self.masks.iter().enumerate() {
            if *cell_unit == unit && !(sectors & *cell).is_empty() {
                assert!(cell.without(sectors).is_empty());
                cells |= 1 << index;
            }
        }
        cells
    }

    /// The content with what a device has on its medium in one unit.
    pub fn of_medium(&self, medium: u64) -> usize {
        let version = |cell| usize::try_from((medium >> (cell * 4)) & 0xf).unwrap();

        self.content(&(0..self.nr_cells()).map(version).collect::<Vec<_>>())
    }

    /// All contents that a device may have on its medium.
    pub fn of_device(&self, device: &Device) -> Set {
        let mut contents = vec![0];

        for (_, media) in device.media() {
            let in_unit: Vec<_> = media.iter().map(|&medium| self.of_medium(medium)).collect();

            // Of different cells: numbers of contents add up.
            contents = contents
                .iter()
                .flat_map(|others| in_unit.iter().map(move |here| others + here))
                .collect();
        }
        let mut set = Set::EMPTY;

        for content in contents {
            set.insert(content);
        }
        set
    }

    /// Each cell, as a set.
    pub fn each_cell(&self) -> impl Iterator<Item = Cells> {
        (0..self.nr_cells()).map(|cell| 1 << cell)
    }

    /// Whether that is a cell of the size of a unit.
    pub fn is_unit(&self, cells: Cells) -> bool {
        cells.count_ones() == 1
            && self.cells[cells.trailing_zeros() as usize].clone().count()
                == self.unit_sectors as usize
    }

    /// The versions found in each of these contents.
    pub fn list(&self, contents: &Set) -> Vec<Vec<usize>> {
        contents.iter().map(|content| self.found(content)).collect()
    }

    /// The content with a version written over it.
    pub fn write(&self, content: usize, version: usize, cells: Cells) -> usize {
        let (mut written, mut place) = (0, 1);
        let mut left = content;

        for cell in 0..self.nr_cells() {
            let is_written = (cells >> cell) & 1 == 1;
            let found = if is_written {
                version
            } else {
                left % self.versions
            };

            written += found * place;
            left /= self.versions;
            place *= self.versions;
        }
        written
    }

    /// For each entry, the number of its version: its place among the writes.
    pub fn versions<H: History>(history: &H) -> Vec<usize> {
        let mut nr_writes = 0;

        (0..history.nr_entries())
            .map(|index| {
                nr_writes += usize::from(history.entry(index).unwrap().is_write());
                nr_writes
            })
            .collect()
    }

    /// The stable writes (without a piece) and the pending pieces of a cut, by the model: what each
    /// is and covers, the lowest first.
    pub fn layers<H: History>(&self, history: &H, cut: &Cut) -> Vec<Layer> {
        let versions = Self::versions(history);
        let mut layers = Vec::new();
        let mut add = |index: usize, unit, piece| {
            let entry = history.entry(index).unwrap();

            layers.push(Layer {
                place: (cut.arrival(&entry), index),
                version: versions[index],
                cells: self.cells(unit, coverage(cut.geometry(), &entry, unit)),
                unit,
                piece,
            });
        };

        for index in 0..history.nr_entries() {
            let entry = history.entry(index).unwrap();

            if cut.is_stable(&entry) {
                units(cut.geometry(), &entry).for_each(|unit| add(index, unit, None));
            }
        }
        pending(history, cut).for_each(|piece| add(piece.entry, piece.unit, Some(piece)));
        layers.sort_by_key(|layer| layer.place);
        layers
    }

    /// All contents that the model allows at a cut.
    pub fn allowed<H: History>(&self, history: &H, cut: &Cut) -> Set {
        self.contents(&self.layers(history, cut))
    }

    /// All contents that these layers make.
    pub fn contents(&self, layers: &[Layer]) -> Set {
        let mut contents = Set::EMPTY;

        contents.insert(0);
        for layer in layers {
            let mut next = match layer.piece {
                Some(_) => contents,
                None => Set::EMPTY,
            };

            for content in contents.iter() {
                next.insert(self.write(content, layer.version, layer.cells));
            }
            contents = next;
        }
        contents
    }
}

/// A stable write or a pending piece in one unit.
pub struct Layer {
    pub place: (Event, usize),
    pub version: usize,
    pub cells: Cells,
    pub unit: u64,
    pub piece: Option<Piece>,
}
