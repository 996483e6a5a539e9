// SPDX-License-Identifier: GPL-2.0

//! The data of a recording, in a temporary file: memory is taken for where it is alone.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use anyhow::{Context, Result};
use powercut_engine::abi::{EntryOp, Flags, Reader, SECTOR};
use powercut_engine::garbage::garbage;
use powercut_engine::recording::Source;

use super::image::PAGE_SECTORS;
use super::Record;

/// Written at a time.
const BUFFER: usize = 1 << 20;

/// What the base and the writes of a recording carried.
#[derive(Debug)]
pub struct Contents {
    file: Arc<File>,
    block_size: u64,
    /// Where the data of each entry begins in the file; of those without any, no matter where.
    entries: Vec<u64>,
    base: Base,
    /// What discards leave follows from it, if it is not zeroes.
    garbage: Option<u64>,
}

/// What a disk held before its record began.
pub trait Below: Debug + Send + Sync {
    /// Reads whole blocks; whether that counts among what is read of a state.
    fn read(&self, offset: u64, to: &mut [u8], counts: bool) -> io::Result<()>;
    /// Whether a page may hold anything but zeroes.
    fn has(&self, page: u64) -> bool;
    /// All that may.
    fn pages(&self) -> BTreeSet<u64>;
}

#[derive(Debug)]
enum Base {
    /// Ascending, in the file.
    Runs(Vec<BaseRun>),
    Below(Arc<dyn Below>),
}

#[derive(Debug)]
struct BaseRun {
    first: u64,
    nr_sectors: u64,
    offset: u64,
}

impl Contents {
    /// From what `export` gives. The file is in the directory for such, and has no name.
    pub fn spill(stream: impl Read) -> Result<Self> {
        let file = tempfile::tempfile().context("cannot make a temporary file")?;
        let mut out = BufWriter::with_capacity(BUFFER, &file);
        let mut reader = Reader::new(stream)?;
        let block_size = u64::from(reader.header().block_size);
        let (mut entries, mut base) = (Vec::new(), Vec::new());
        let (mut offset, mut payload, mut seed) = (0, Vec::new(), None);
        while let Some(entry) = reader.next_entry(&mut payload)? {
            match entry.op {
                EntryOp::Base => base.push(BaseRun {
                    first: entry.sector,
                    nr_sectors: entry.nr_sectors.into(),
                    offset,
                }),
                _ => entries.push(offset),
            }
            if entry.flags.contains(Flags::GARBAGE) {
                seed = Some(entry.asked);
            }
            if matches!(entry.op, EntryOp::Base | EntryOp::Write) {
                let written = out.write_all(&payload);
                written.context("cannot write the recording's data to a temporary file")?;
                offset += payload.len() as u64;
            }
        }
        out.flush()
            .context("cannot write the recording's data to a temporary file")?;
        drop(out);
        base.sort_unstable_by_key(|run| run.first);
        Ok(Self {
            file: Arc::new(file),
            block_size,
            entries,
            base: Base::Runs(base),
            garbage: seed,
        })
    }

    /// Of what was written to a crash disk, which has the base.
    pub fn of_record(record: &Record, block_size: u64, below: Arc<dyn Below>) -> Self {
        let (file, entries) = record.data();
        Self {
            file,
            block_size,
            entries,
            base: Base::Below(below),
            garbage: record.garbage(),
        }
    }

    pub fn block_size(&self) -> u64 {
        self.block_size
    }

    /// What discards leave follows from this seed, if it is not zeroes.
    pub fn garbage(&self) -> Option<u64> {
        self.garbage
    }

    /// What a block holds, of which it is known where that comes from. Whether it counts is for what
    /// lies below.
    pub fn read(&self, source: Source, block: u64, to: &mut [u8], counts: bool) -> io::Result<()> {
        let sector = block * self.block_size / SECTOR;
        match source {
            Source::Zeroes => to.fill(0),
            Source::Garbage { seed } => {
                to.copy_from_slice(&garbage(seed, sector, self.block_size / SECTOR));
            }
            Source::Write { entry, block } => {
                let begin = self.entries.get(entry).copied().unwrap_or(u64::MAX / 2);
                self.file
                    .read_exact_at(to, begin + block * self.block_size)?;
            }
            Source::Base => match &self.base {
                Base::Below(below) => below.read(block * self.block_size, to, counts)?,
                Base::Runs(runs) => match offset_in(runs, sector) {
                    Some(offset) => self.file.read_exact_at(to, offset)?,
                    None => to.fill(0),
                },
            },
        }
        Ok(())
    }

    /// Whether the base may have anything but zeroes in a page.
    pub fn has_base(&self, page: u64) -> bool {
        match &self.base {
            Base::Below(below) => below.has(page),
            Base::Runs(runs) => {
                let (first, end) = (page * PAGE_SECTORS, (page + 1) * PAGE_SECTORS);
                let after = runs.partition_point(|run| run.first < end);
                let run = after.checked_sub(1).map(|at| &runs[at]);
                run.is_some_and(|run| run.first + run.nr_sectors > first)
            }
        }
    }

    /// The pages in which the base may have anything but zeroes.
    pub fn base_pages(&self) -> BTreeSet<u64> {
        let of = |run: &BaseRun| {
            let end = run.first + run.nr_sectors;
            run.first / PAGE_SECTORS..end.div_ceil(PAGE_SECTORS)
        };
        match &self.base {
            Base::Below(below) => below.pages(),
            Base::Runs(runs) => runs.iter().flat_map(of).collect(),
        }
    }
}

/// Where a sector is in the file, if the base has it.
fn offset_in(runs: &[BaseRun], sector: u64) -> Option<u64> {
    let after = runs.partition_point(|run| run.first <= sector);
    let run = &runs[after.checked_sub(1)?];
    let within = sector - run.first;
    (within < run.nr_sectors).then(|| run.offset + within * SECTOR)
}
