// SPDX-License-Identifier: GPL-2.0

//! From the stream of docs/abi.md to a [`Recording`].

use std::collections::{BTreeSet, HashMap};
use std::io::Read;

use powercut_model::{units, Entry, Event, Geometry, Op};
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_128;

use super::index::Index;
use super::name::Names;
use super::{weight, Content, Mark, Recorded, Recording};
use crate::abi::{self, AbiError, EntryOp, Flags, Reader};
use crate::garbage::{garbage, PAGE};

/// More pieces than this are not worth waiting for.
const MAX_PIECES: u64 = 100_000_000;

#[derive(Debug, Error)]
pub enum RecordingError {
    #[error(transparent)]
    Abi(#[from] AbiError),
    #[error("this is a log without data; a recording with its data is needed")]
    NoData,
    #[error("the recording is damaged: {0}")]
    Order(String),
    #[error(
        "the writes and discards of this record touch {0} units, more than this command can weigh ({MAX_PIECES}); \
         record a shorter workload, or one without such large discards"
    )]
    TooLarge(u64),
    #[error(
        "the record is incomplete: it ended at event {0}, when the log's memory ran out; \
         raise the disk's log_limit_mib or record less"
    )]
    Truncated(u64),
}

impl Recording {
    /// Reads what `export` of the control device gives.
    pub fn read(input: impl Read) -> Result<Self, RecordingError> {
        let reader = Reader::new(input)?;
        if !reader.header().with_data {
            return Err(RecordingError::NoData);
        }
        Self::collect(reader)
    }

    /// Reads what `log` gives, or `export`: all but what writes contain.
    pub fn read_log(input: impl Read) -> Result<Self, RecordingError> {
        Self::collect(Reader::new(input)?)
    }

    fn collect(mut reader: Reader<impl Read>) -> Result<Self, RecordingError> {
        let header = reader.header().clone();
        if header.truncated != 0 {
            return Err(RecordingError::Truncated(header.truncated));
        }
        let block_size = header.block_size as usize;
        let mut base_left = header.base_entries;
        let mut recording = Recording {
            geometry: Geometry {
                unit_sectors: header.atomic_unit / 512,
                write_cache: header.write_cache,
                tear: header.tear.to_model(),
                members: header.members.to_model(),
            },
            header,
            entries: Vec::new(),
            marks: Vec::new(),
            garbage: HashMap::new(),
            base: HashMap::new(),
            base_hash: 0,
            zeroes: xxh3_128(&vec![0; block_size]),
            index: Index::default(),
            names: Names::default(),
        };
        let mut pieces = 0;
        // Pages that anything was written to so far.
        let mut pages = BTreeSet::new();
        let mut payload = Vec::new();
        while let Some(raw) = reader.next_entry(&mut payload)? {
            let blocks = || payload.chunks_exact(block_size).map(xxh3_128);
            if base_left > 0 {
                base_left -= 1;
                if raw.op != EntryOp::Base {
                    return Err(order(&raw, "stands among the base"));
                }
                pages.extend(pages_of(&raw));
                recording.add_base(raw.sector / recording.block_sectors(), blocks());
                continue;
            }
            let content = match raw.op {
                EntryOp::Write => Content::Blocks(blocks().collect()),
                EntryOp::Discard if raw.flags.contains(Flags::GARBAGE) => {
                    let written: Box<[u64]> = pages.range(pages_of(&raw)).copied().collect();
                    recording.add_garbage(raw.asked, &written);
                    Content::Garbage(written)
                }
                EntryOp::WriteZeroes | EntryOp::Discard => Content::Zeroes,
                EntryOp::Flush => Content::None,
                EntryOp::Mark => Content::Mark(String::from_utf8_lossy(&payload).into_owned()),
                EntryOp::Base => return Err(order(&raw, "stands in the log")),
            };
            if raw.op == EntryOp::Write && !raw.flags.contains(Flags::LOST) {
                pages.extend(pages_of(&raw));
            }
            pieces += recording.add(raw, content)?;
            if pieces > MAX_PIECES {
                return Err(RecordingError::TooLarge(pieces));
            }
        }
        recording.index = Index::new(&recording);
        Ok(recording)
    }

    fn add_base(&mut self, first: u64, blocks: impl Iterator<Item = u128>) {
        for (block, content) in (first..).zip(blocks) {
            if content != self.zeroes && self.base.insert(block, content).is_none() {
                self.base_hash = self.base_hash.wrapping_add(weight(block, content));
            }
        }
    }

    /// The blocks of these pages are discarded.
    fn add_garbage(&mut self, seed: u64, pages: &[u64]) {
        let (sectors, block) = (self.block_sectors(), u64::from(self.header.block_size));
        for page in pages {
            for number in page * PAGE / block..(page + 1) * PAGE / block {
                let hash = || xxh3_128(&garbage(seed, number * sectors, sectors));
                self.garbage.entry(number).or_insert_with(hash);
            }
        }
    }

    /// Appends an entry of the log; the number of pieces it has.
    fn add(&mut self, raw: abi::Entry, content: Content) -> Result<u64, RecordingError> {
        let previous = self.entries.last().map_or(0, |r| r.entry.submit);
        if raw.submit <= previous {
            return Err(order(&raw, "is out of order"));
        }
        let newest = self.header.newest_event;
        let known = |event: Event| event <= newest || event == abi::IN_FLIGHT;
        if raw.submit > newest || !known(raw.start) || !known(raw.complete) {
            return Err(order(&raw, "has events after the newest"));
        }
        let entry = model_entry(&raw);
        let touched = units(self.geometry, &entry);
        let pieces = touched.end - touched.start;
        if let Content::Mark(text) = &content {
            self.marks.push(Mark {
                event: entry.submit,
                text: text.clone(),
            });
        }
        self.entries.push(Recorded {
            raw,
            entry,
            content,
        });
        Ok(pieces)
    }
}

/// The driver's pages that an entry touches.
fn pages_of(raw: &abi::Entry) -> std::ops::Range<u64> {
    let end = raw.sector + u64::from(raw.nr_sectors);
    raw.sector * abi::SECTOR / PAGE..(end * abi::SECTOR).div_ceil(PAGE)
}

fn order(raw: &abi::Entry, what: &str) -> RecordingError {
    RecordingError::Order(format!(
        "the {} at event {} {what}",
        raw.op.name(),
        raw.submit
    ))
}

fn model_entry(raw: &abi::Entry) -> Entry {
    let op = match raw.op {
        EntryOp::Write | EntryOp::Base => Op::Write,
        EntryOp::WriteZeroes => Op::WriteZeroes,
        EntryOp::Discard => Op::Discard,
        EntryOp::Flush => Op::Flush,
        EntryOp::Mark => Op::Mark,
    };
    let is_lost = raw.flags.contains(Flags::LOST);
    let has_fua = raw.flags.contains(Flags::FUA) && !raw.flags.contains(Flags::FUA_IGNORED);
    // Of a fault, what it left.
    Entry {
        op,
        preflush: op.is_write() && raw.flags.contains(Flags::PREFLUSH),
        fua: op.is_write() && has_fua,
        lied: raw.flags.contains(Flags::LIED),
        sector: raw.sector,
        nr_sectors: if op.is_write() && !is_lost {
            raw.nr_sectors
        } else {
            0
        },
        submit: raw.submit,
        start: raw.start,
        complete: raw.complete,
    }
}
