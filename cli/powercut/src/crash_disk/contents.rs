// SPDX-License-Identifier: GPL-2.0

//! The data of a recording, in a temporary file: memory is taken for where it is alone.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result};
use powercut_engine::abi::{EntryOp, Flags, Reader, SECTOR};
use powercut_engine::garbage::garbage;
use powercut_engine::recording::Source;

/// Written at a time.
const BUFFER: usize = 1 << 20;

/// What the base and the writes of a recording carried.
#[derive(Debug)]
pub struct Contents {
    file: File,
    block_size: u64,
    /// Where the data of each entry begins in the file; of those without any, no matter where.
    entries: Vec<u64>,
    /// Ascending.
    base: Vec<BaseRun>,
    /// What discards leave follows from it, if it is not zeroes.
    garbage: Option<u64>,
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
            file,
            block_size,
            entries,
            base,
            garbage: seed,
        })
    }

    pub fn block_size(&self) -> u64 {
        self.block_size
    }

    /// What discards leave follows from this seed, if it is not zeroes.
    pub fn garbage(&self) -> Option<u64> {
        self.garbage
    }

    /// What a block holds, of which it is known where that comes from.
    pub fn read(&self, source: Source, block: u64, to: &mut [u8]) -> std::io::Result<()> {
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
            Source::Base => match self.base_offset(sector) {
                Some(offset) => self.file.read_exact_at(to, offset)?,
                None => to.fill(0),
            },
        }
        Ok(())
    }

    /// Where a sector of the base is, if that has it.
    fn base_offset(&self, sector: u64) -> Option<u64> {
        let after = self.base.partition_point(|run| run.first <= sector);
        let run = &self.base[after.checked_sub(1)?];
        let within = sector - run.first;
        (within < run.nr_sectors).then(|| run.offset + within * SECTOR)
    }

    /// Whether the base has something within these sectors.
    pub fn has_base(&self, first: u64, last: u64) -> bool {
        let after = self.base.partition_point(|run| run.first <= last);
        let run = after.checked_sub(1).map(|at| &self.base[at]);
        run.is_some_and(|run| run.first + run.nr_sectors > first)
    }
}
