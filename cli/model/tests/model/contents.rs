// SPDX-License-Identifier: GPL-2.0

//! Disk contents, sets of them, and the set that the model allows at a cut.
//!
//! A content says for each cell which version is found there: 0 for the base, or the number of a
//! write, counted from 1 in the order in which their data started. A cell is a run of sectors that
//! every write of a test covers as a whole or not at all.

use std::ops::Range;

use powercut_model::{coverage, pending, units, Cut, Entry, Geometry, History, Mask, Piece};

/// Sets of cells, one bit each.
pub type Cells = u8;

const WORDS: usize = 16;

/// A set of contents, by their numbers in a [`Space`].
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Set([u64; WORDS]);

impl Set {
    pub const EMPTY: Self = Self([0; WORDS]);

    pub fn insert(&mut self, content: usize) {
        self.0[content / 64] |= 1 << (content % 64);
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
    cells: Vec<Range<u64>>,
    /// The unit of each cell, and its sectors in that.
    masks: Vec<(u64, Mask)>,
    versions: usize,
    /// For a version and a set of cells, by content: the content with that version written to these
    /// cells, but for those that hold a newer one.
    written: Vec<Vec<u16>>,
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
        let mut space = Self {
            unit_sectors,
            cells,
            masks,
            versions: max_writes + 1,
            written: Vec::new(),
        };

        assert!(space.size() <= WORDS * 64);
        for version in 0..space.versions {
            for cells in 0..1 << space.nr_cells() {
                let table = (0..space.size())
                    .map(|content| {
                        let mut found = space.found(content);

                        for (cell, slot) in found.iter_mut().enumerate() {
                            if (cells >> cell) & 1 == 1 {
                                *slot = version.max(*slot);
                            }
                        }
                        u16::try_from(space.content(&found)).unwrap()
                    })
                    .collect();

                space.written.push(table);
            }
        }
        space
    }

    /// A disk of `units` units of 8 sectors, written in whole units.
    pub fn of_units(units: u64, max_writes: usize) -> Self {
        let bounds: Vec<_> = (0..=units).map(|unit| unit * 8).collect();

        Self::new(8, &bounds, max_writes)
    }

    pub fn nr_cells(&self) -> usize {
        self.cells.len()
    }

    fn size(&self) -> usize {
        (0..self.nr_cells()).map(|_| self.versions).product()
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

    /// The cells of a piece, as the model has it.
    fn cells_of_piece(&self, geometry: Geometry, entry: &Entry, unit: u64) -> Cells {
        let covered = coverage(geometry, entry, unit);
        let mut cells = 0;

        for (index, (cell_unit, sectors)) in self.masks.iter().enumerate() {
            if *cell_unit == unit && !(covered & *sectors).is_empty() {
                assert!(sectors.without(covered).is_empty());
                cells |= 1 << index;
            }
        }
        cells
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

    /// The content with a version written over it, but for what is newer.
    pub fn write(&self, content: usize, version: usize, cells: Cells) -> usize {
        usize::from(self.written[(version << self.nr_cells()) + usize::from(cells)][content])
    }

    /// The same contents, and each of them with that written over it.
    pub fn with_choice(&self, contents: &Set, version: usize, cells: Cells) -> Set {
        let table = &self.written[(version << self.nr_cells()) + usize::from(cells)];
        let mut all = *contents;

        for content in contents.iter() {
            all.insert(usize::from(table[content]));
        }
        all
    }

    /// For each entry, the number of its version: its place in start order among the writes.
    pub fn versions<H: History>(history: &H) -> Vec<usize> {
        let entry = |index| history.entry(index).unwrap();
        let nr_entries = history.nr_entries();
        let is_write_by = |other: Entry, start| other.is_write() && other.start <= start;

        (0..nr_entries)
            .map(|index| {
                let start = entry(index).start;

                (0..nr_entries)
                    .filter(|&other| is_write_by(entry(other), start))
                    .count()
            })
            .collect()
    }

    /// What must have survived a cut, by the model.
    pub fn stable<H: History>(&self, history: &H, cut: &Cut, versions: &[usize]) -> usize {
        let mut content = 0;

        for (index, &version) in versions.iter().enumerate() {
            let entry = history.entry(index).unwrap();

            if cut.is_stable(&entry) {
                for unit in units(cut.geometry(), &entry) {
                    let cells = self.cells_of_piece(cut.geometry(), &entry, unit);

                    content = self.write(content, version, cells);
                }
            }
        }
        content
    }

    /// The version and the cells of a piece.
    pub fn piece<H: History>(
        &self,
        history: &H,
        cut: &Cut,
        versions: &[usize],
        piece: Piece,
    ) -> (usize, Cells) {
        let entry = history.entry(piece.entry).unwrap();
        let cells = self.cells_of_piece(cut.geometry(), &entry, piece.unit);

        (versions[piece.entry], cells)
    }

    /// All contents that the model allows at a cut, and the number of pieces it offers.
    pub fn allowed<H: History>(&self, history: &H, cut: &Cut) -> (Set, Vec<(usize, Cells)>) {
        let versions = Self::versions(history);
        let mut contents = Set::EMPTY;
        let pieces: Vec<_> = pending(history, cut)
            .map(|piece| self.piece(history, cut, &versions, piece))
            .collect();

        contents.insert(self.stable(history, cut, &versions));
        for &(version, cells) in &pieces {
            contents = self.with_choice(&contents, version, cells);
        }
        (contents, pieces)
    }
}
