// SPDX-License-Identifier: GPL-2.0

//! What a disk held before: an image, of which the blocks that are not zeroes become the base of a record.

use std::io::{self, Read};
use std::ops::Range;

use crate::abi::SECTOR;

/// Read at a time: no entry of a base has more.
const CHUNK: usize = 1 << 20;

/// Reads an image in runs of blocks that are not zeroes.
#[derive(Debug)]
pub struct Base<B> {
    inner: B,
    block_size: usize,
    /// What was read last, and where in the image that is.
    chunk: Vec<u8>,
    chunk_at: u64,
    /// How much of it was looked at.
    at: usize,
}

impl<B: Read> Base<B> {
    pub fn new(inner: B, block_size: u32) -> Self {
        Self {
            inner,
            block_size: block_size as usize,
            chunk: Vec::new(),
            chunk_at: 0,
            at: 0,
        }
    }

    /// The next run: its first sector, and what it holds.
    pub fn next(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        let run = loop {
            if let Some(run) = self.next_in_chunk() {
                break run;
            }
            if !self.fill()? {
                return Ok(None);
            }
        };
        let sector = (self.chunk_at + run.start as u64) / SECTOR;
        Ok(Some((sector, &self.chunk[run])))
    }

    fn next_in_chunk(&mut self) -> Option<Range<usize>> {
        let is_zeroes = |block: &[u8]| block.iter().all(|byte| *byte == 0);
        let mut blocks = self.chunk[self.at..].chunks(self.block_size);
        let zeroes = blocks.by_ref().take_while(|block| is_zeroes(block)).count();
        let start = self.at + zeroes * self.block_size;
        if start >= self.chunk.len() {
            self.at = self.chunk.len();
            return None;
        }
        let blocks = self.chunk[start..].chunks(self.block_size);
        let len = blocks.take_while(|block| !is_zeroes(block)).count() * self.block_size;
        self.at = start + len;
        Some(start..self.at)
    }

    /// Reads on; false at the end. The last block is filled up with zeroes.
    fn fill(&mut self) -> io::Result<bool> {
        self.chunk_at += self.chunk.len() as u64;
        self.chunk.clear();
        self.at = 0;
        let mut chunk = self.inner.by_ref().take(CHUNK as u64);
        let read = chunk.read_to_end(&mut self.chunk)?;
        self.chunk.resize(read.next_multiple_of(self.block_size), 0);
        Ok(read > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blocks_that_are_not_zeroes_come_in_runs_and_the_others_not_at_all() {
        let mut image = vec![0; CHUNK + 3 * 512 + 7];
        for block in [0, 1, 4, CHUNK / 512 - 1, CHUNK / 512, CHUNK / 512 + 3] {
            image[block * 512] = 1;
        }
        let mut base = Base::new(&image[..], 512);
        let mut runs = Vec::new();
        while let Some((sector, data)) = base.next().unwrap() {
            runs.push((sector, data.len() / 512));
        }
        let last = CHUNK as u64 / 512;
        assert_eq!(
            runs,
            [(0, 2), (4, 1), (last - 1, 1), (last, 1), (last + 3, 1)]
        );
    }
}
