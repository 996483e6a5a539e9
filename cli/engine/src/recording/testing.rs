// SPDX-License-Identifier: GPL-2.0

//! Histories for tests, written as what happened:
//! `History::new().write(0, "a").flush().mark("a is safe").done()`.

use crate::abi::{write_entry, Entry, EntryOp, Flags, Header, IN_FLIGHT};
use crate::faults::Faults;
use crate::members::{Member, Members};
use crate::recording::Recording;
use crate::tear::Tear;

const BLOCK: usize = 4096;

/// Builds a recording; every bio completes at once unless said otherwise.
#[derive(Debug, Clone)]
pub struct History {
    entries: Vec<(Entry, Vec<u8>)>,
    base: Vec<(Entry, Vec<u8>)>,
    event: u64,
    blocks_per_unit: u32,
    write_cache: bool,
    faults: Faults,
    members: Members,
    tear: Tear,
}

/// A block that holds a word, over and over.
pub fn block(word: &str) -> Vec<u8> {
    let bytes = if word.is_empty() {
        &[0]
    } else {
        word.as_bytes()
    };
    bytes.iter().copied().cycle().take(BLOCK).collect()
}

impl Default for History {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            base: Vec::new(),
            event: 0,
            blocks_per_unit: 1,
            write_cache: true,
            faults: Faults::default(),
            members: Members::default(),
            tear: Tear::Any,
        }
    }
}

impl History {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn blocks_per_unit(mut self, n: u32) -> Self {
        self.blocks_per_unit = n;
        self
    }

    /// Writes survive as prefixes.
    pub fn prefixes(mut self) -> Self {
        self.tear = Tear::Prefix;
        self
    }

    /// Writes may cost their neighbours: blocks are of 512 bytes, eight to a physical one.
    pub fn rmw(mut self) -> Self {
        self.tear = Tear::Rmw;
        self
    }

    pub fn no_write_cache(mut self) -> Self {
        self.write_cache = false;
        self
    }

    /// Makes it a group: disks `data` and `log`, the second from that block on.
    pub fn group(mut self, border: u64) -> Self {
        let member = |name: &str, blocks: u64| Member {
            name: name.into(),
            sectors: blocks * 8,
        };
        let both = vec![member("data", border), member("log", 256 - border)];
        self.members = Members::new(both).unwrap();
        self
    }

    /// What the disk held before.
    pub fn base(mut self, block_nr: u64, word: &str) -> Self {
        let entry = entry(EntryOp::Base, Flags::empty(), block_nr, 1, 0, Some(0));
        self.base.push((entry, block(word)));
        self
    }

    pub fn write(self, block_nr: u64, word: &str) -> Self {
        self.write_run(block_nr, &[word])
    }

    pub fn write_run(self, block_nr: u64, words: &[&str]) -> Self {
        self.bio(EntryOp::Write, Flags::empty(), block_nr, words)
    }

    pub fn fua(self, block_nr: u64, word: &str) -> Self {
        self.bio(EntryOp::Write, Flags::FUA, block_nr, &[word])
    }

    pub fn meta(self, block_nr: u64, word: &str) -> Self {
        self.bio(EntryOp::Write, Flags::META, block_nr, &[word])
    }

    pub fn discard(self, block_nr: u64, blocks: u32) -> Self {
        let words = vec![""; blocks as usize];
        self.bio(EntryOp::Discard, Flags::empty(), block_nr, &words)
    }

    /// The newest bio met faults.
    pub fn met(mut self, fault: Faults) -> Self {
        if let Some((entry, data)) = self.entries.last_mut() {
            entry.flags |= fault.into();
            if fault.contains(Faults::LOST) {
                data.clear();
            }
        }
        self.faults |= fault;
        self
    }

    /// I/O met faults that leave nothing in the log.
    pub fn met_unlogged(mut self, faults: &str) -> Self {
        self.faults |= faults.parse().expect("faults");
        self
    }

    /// A discard that leaves garbage.
    pub fn garbage(self, block_nr: u64, blocks: u32, seed: u64) -> Self {
        let mut log = self.discard(block_nr, blocks);
        if let Some((entry, _)) = log.entries.last_mut() {
            entry.flags |= Flags::GARBAGE;
            entry.asked = seed;
        }
        log
    }

    pub fn flush(self) -> Self {
        self.flush_of(0)
    }

    /// A flush of the disk that begins at that block.
    pub fn flush_of(mut self, block_nr: u64) -> Self {
        let submit = self.next();
        let complete = self.next();
        let entry = entry(
            EntryOp::Flush,
            Flags::PREFLUSH,
            block_nr,
            0,
            submit,
            Some(complete),
        );
        self.entries.push((entry, Vec::new()));
        self
    }

    pub fn mark(mut self, text: &str) -> Self {
        let event = self.next();
        let entry = entry(EntryOp::Mark, Flags::empty(), 0, 0, event, Some(event));
        self.entries.push((entry, text.as_bytes().to_vec()));
        self
    }

    /// A write that is in flight until [`Self::complete`], or for ever.
    pub fn submit(mut self, block_nr: u64, word: &str) -> Self {
        let submit = self.next();
        let entry = entry(EntryOp::Write, Flags::empty(), block_nr, 1, submit, None);
        self.entries.push((entry, block(word)));
        self
    }

    /// Completes the oldest write in flight.
    pub fn complete(mut self) -> Self {
        let event = self.next();
        let oldest = self
            .entries
            .iter_mut()
            .find(|(e, _)| e.complete == IN_FLIGHT);
        oldest.expect("a write in flight").0.complete = event;
        self
    }

    pub fn bio(mut self, op: EntryOp, flags: Flags, block_nr: u64, words: &[&str]) -> Self {
        let submit = self.next();
        let start = if flags.contains(Flags::PREFLUSH) {
            self.next()
        } else {
            submit
        };
        let complete = self.next();
        let mut entry = entry(
            op,
            flags,
            block_nr,
            words.len() as u32,
            submit,
            Some(complete),
        );
        entry.start = start;
        let data = match op {
            EntryOp::Write => words.iter().flat_map(|w| block(w)).collect(),
            _ => Vec::new(),
        };
        self.entries.push((entry, data));
        self
    }

    /// Some history of up to 12 bios, the same for the same seed.
    pub fn random(seed: u64) -> Self {
        Self::some(seed, 12, 4)
    }

    /// Some history of up to 300 bios, the same for the same seed.
    pub fn long(seed: u64) -> Self {
        Self::some(seed, 300, 16)
    }

    fn some(seed: u64, bios: u64, blocks: u64) -> Self {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut roll = move |n: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % n
        };
        let mut log = Self::new().blocks_per_unit(1 << roll(2));
        log.write_cache = roll(4) != 0;
        let border = if roll(3) == 0 { blocks / 2 } else { u64::MAX };
        if border != u64::MAX {
            log = log.group(border);
        }
        for step in 0..=roll(bios) {
            let at = roll(blocks);
            let word = ["a", "b", "c", ""][roll(4) as usize];
            // Up to the end of its disk.
            let fit = |nr: u64| if at < border { nr.min(border - at) } else { nr };
            log = match roll(9) {
                0 if at < border => log.flush(),
                0 => log.flush_of(border),
                1 => log.fua(at, word),
                2 => log.bio(EntryOp::Write, Flags::PREFLUSH | Flags::FUA, at, &[word]),
                3 => log.mark(&step.to_string()),
                4 => log.write_run(at, &[word, "z"][..fit(2) as usize]),
                5 => log.discard(at, fit(1 + roll(3)) as u32),
                6 => log.submit(at, word),
                7 if log.entries.iter().any(|(e, _)| e.complete == IN_FLIGHT) => log.complete(),
                _ => log.write(at, word),
            };
        }
        log
    }

    /// Some history of a few writes of several blocks that overlap, on a disk on which writes
    /// survive as prefixes; the same for the same seed.
    pub fn random_prefixes(seed: u64) -> Self {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut roll = move |n: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % n
        };
        let mut log = Self::new().blocks_per_unit(1 << roll(2)).prefixes();
        log.write_cache = roll(8) != 0;
        for step in 0..=roll(7) {
            let at = roll(5);
            let words = [
                ["a", "b", "c", "d"],
                ["a", "", "c", "a"],
                ["z", "z", "z", ""],
            ];
            let words = &words[roll(3) as usize][..1 + roll(4) as usize];
            log = match roll(9) {
                0 => log.flush(),
                1 => log.bio(
                    EntryOp::Write,
                    Flags::FUA,
                    at,
                    &words[..1 + roll(2) as usize % words.len()],
                ),
                2 => log.mark(&step.to_string()),
                3 => log.discard(at, 1 + roll(4) as u32),
                4 => log.submit(at, words[0]),
                5 if log.entries.iter().any(|(e, _)| e.complete == IN_FLIGHT) => log.complete(),
                6 => log.bio(EntryOp::Write, Flags::PREFLUSH | Flags::FUA, at, words),
                _ => log.write_run(at, words),
            };
        }
        log
    }

    /// Some history of a few small writes, on a disk on which these may cost their neighbours; the same
    /// for the same seed.
    pub fn random_rmw(seed: u64) -> Self {
        let mut log = Self::some(seed, 3, 8);
        log.blocks_per_unit = 1;
        log.members = Members::default();
        log.rmw()
    }

    fn next(&mut self) -> u64 {
        self.event += 1;
        self.event
    }

    /// The stream that the driver would give.
    pub fn stream(&self) -> Vec<u8> {
        let smaller = if self.tear == Tear::Rmw { 8 } else { 1 };
        let block_size = (BLOCK / smaller) as u32;
        let header = Header {
            write_cache: self.write_cache,
            fua: true,
            with_data: true,
            capacity_sectors: 2048,
            block_size,
            atomic_unit: block_size * self.blocks_per_unit,
            tear: self.tear,
            entries: self.entries.len() as u64,
            newest_event: self.event,
            truncated: 0,
            base_entries: self.base.len() as u64,
            faults: self.faults,
            members: self.members.clone(),
        };
        let mut out = header.to_bytes();
        for (entry, payload) in self.base.iter().chain(&self.entries) {
            let blocks = payload.chunks(BLOCK);
            let payload = match entry.op {
                EntryOp::Mark => payload.clone(),
                _ => blocks
                    .flat_map(|block| &block[..BLOCK / smaller])
                    .copied()
                    .collect(),
            };
            let entry = Entry {
                sector: entry.sector / smaller as u64,
                nr_sectors: entry.nr_sectors / smaller as u32,
                ..entry.clone()
            };
            write_entry(&mut out, &entry, &payload).unwrap();
        }
        out
    }

    pub fn done(&self) -> Recording {
        Recording::read(&self.stream()[..]).unwrap()
    }
}

fn entry(
    op: EntryOp,
    flags: Flags,
    block_nr: u64,
    blocks: u32,
    submit: u64,
    complete: Option<u64>,
) -> Entry {
    Entry {
        op,
        flags,
        submit,
        start: submit,
        complete: complete.unwrap_or(IN_FLIGHT),
        sector: block_nr * 8,
        nr_sectors: blocks * 8,
        payload_len: 0,
        submitted_ns: submit * 1000,
        completed_ns: 0,
        tid: 1,
        stack: 0,
        task: "test".into(),
        asked: 0,
    }
}
