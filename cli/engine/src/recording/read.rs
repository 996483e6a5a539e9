// SPDX-License-Identifier: GPL-2.0

//! From the stream of docs/abi.md to a [`Recording`].

use std::collections::HashMap;
use std::io::Read;

use powercut_model::{units, Event, Geometry};
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_128;

use super::entry::{MAX_EVENTS, NO_DATA};
use super::index::{unit_versions, Index};
use super::name::Names;
use super::pages::Pages;
use super::{weight, Mark, Recorded, Recording};
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
        "the record has {0} events, more than this command can hold ({MAX_EVENTS}); \
         record a shorter workload"
    )]
    TooLong(u64),
    #[error(
        "the writes and discards of this record touch {0} units, more than this command can weigh ({MAX_PIECES}); \
         record a shorter workload, or one without such large discards"
    )]
    TooLarge(u64),
    #[error(
        "the writes of this record carry more than {NO_DATA} blocks, more than this command can hold; \
         record a shorter workload"
    )]
    TooMuchData,
    #[error(
        "the record is incomplete: it ended at event {0}, when the log's memory ran out; \
         raise the disk's log_limit_mib or record less"
    )]
    Truncated(u64),
}

/// What is kept of the data that writes carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Data {
    Hashed,
    LeftOut,
}

impl Recording {
    /// Reads what `export` of the control device gives.
    pub fn read(input: impl Read) -> Result<Self, RecordingError> {
        let reader = Reader::new(input)?;
        if !reader.header().with_data {
            return Err(RecordingError::NoData);
        }
        Loader::new(&reader, Data::Hashed)?.read(reader)
    }

    /// Reads what `log` gives, or `export`: all but what writes contain. Nothing that depends on
    /// contents may be asked of it.
    pub fn read_log(input: impl Read) -> Result<Self, RecordingError> {
        let reader = Reader::new(input)?;
        Loader::new(&reader, Data::LeftOut)?.read(reader)
    }
}

/// A recording while it is read.
struct Loader {
    recording: Recording,
    data: Data,
    /// The numbers of the tasks met so far.
    tasks: HashMap<String, u32>,
    pages: Pages,
    pieces: u64,
}

impl Loader {
    fn new(reader: &Reader<impl Read>, data: Data) -> Result<Self, RecordingError> {
        let header = reader.header().clone();
        if header.truncated != 0 {
            return Err(RecordingError::Truncated(header.truncated));
        }
        if header.newest_event > MAX_EVENTS {
            return Err(RecordingError::TooLong(header.newest_event));
        }
        let recording = Recording {
            geometry: Geometry {
                unit_sectors: header.atomic_unit / 512,
                write_cache: header.write_cache,
                tear: header.tear.to_model(),
                members: header.members.to_model(),
            },
            entries: Vec::new(),
            tasks: Vec::new(),
            marks: Vec::new(),
            blocks: Vec::new(),
            garbage_pages: Vec::new(),
            asked: HashMap::new(),
            garbage: HashMap::new(),
            base: HashMap::new(),
            base_hash: 0,
            zeroes: xxh3_128(&vec![0; header.block_size as usize]),
            index: Index::default(),
            names: Names::default(),
            header,
        };
        Ok(Self {
            recording,
            data,
            tasks: HashMap::new(),
            pages: Pages::default(),
            pieces: 0,
        })
    }

    fn read(mut self, mut reader: Reader<impl Read>) -> Result<Recording, RecordingError> {
        let mut base_left = reader.header().base_entries;
        let mut payload = Vec::new();
        while let Some(raw) = reader.next_entry(&mut payload)? {
            if base_left > 0 {
                base_left -= 1;
                self.add_base(&raw, &payload)?;
            } else {
                self.add(&raw, &payload)?;
            }
        }
        Ok(self.finish())
    }

    fn add_base(&mut self, raw: &abi::Entry, payload: &[u8]) -> Result<(), RecordingError> {
        if raw.op != EntryOp::Base {
            return Err(order(raw, "stands among the base"));
        }
        self.pages.add_base(raw);
        if self.data == Data::LeftOut {
            return Ok(());
        }
        let recording = &mut self.recording;
        let blocks = payload.chunks_exact(recording.header.block_size as usize);
        let first = raw.sector / recording.block_sectors();
        for (block, content) in (first..).zip(blocks.map(xxh3_128)) {
            if content != recording.zeroes && recording.base.insert(block, content).is_none() {
                let weight = weight(block, content);
                recording.base_hash = recording.base_hash.wrapping_add(weight);
            }
        }
        Ok(())
    }

    /// Appends an entry of the log.
    fn add(&mut self, raw: &abi::Entry, payload: &[u8]) -> Result<(), RecordingError> {
        let previous = self.recording.entries.last().map_or(0, Recorded::submit);
        if raw.op == EntryOp::Base {
            return Err(order(raw, "stands in the log"));
        }
        if raw.submit <= previous {
            return Err(order(raw, "is out of order"));
        }
        let newest = self.recording.header.newest_event;
        let known = |event: Event| event <= newest || event == abi::IN_FLIGHT;
        if raw.submit > newest || !known(raw.start) || !known(raw.complete) {
            return Err(order(raw, "has events after the newest"));
        }
        if self.recording.blocks.len() >= NO_DATA as usize {
            return Err(RecordingError::TooMuchData);
        }
        let data = self.add_data(raw, payload);
        let task = self.task(&raw.task);
        let recorded = Recorded::new(raw, task, data);
        let touched = units(self.recording.geometry, &recorded.entry());
        self.recording.entries.push(recorded);
        self.pieces += touched.end - touched.start;
        if self.pieces > MAX_PIECES {
            return Err(RecordingError::TooLarge(self.pieces));
        }
        Ok(())
    }

    /// Keeps what an entry of the log carries; where that is.
    fn add_data(&mut self, raw: &abi::Entry, payload: &[u8]) -> u32 {
        let recording = &mut self.recording;
        let leaves_garbage = raw.op == EntryOp::Discard && raw.flags.contains(Flags::GARBAGE);
        if leaves_garbage || raw.flags.contains(Flags::MISDIRECTED) {
            recording.asked.insert(raw.submit, raw.asked);
        }
        match raw.op {
            EntryOp::Write if self.data == Data::Hashed && !payload.is_empty() => {
                let first = recording.blocks.len();
                let blocks = payload.chunks_exact(recording.header.block_size as usize);
                recording.blocks.extend(blocks.map(xxh3_128));
                first as u32
            }
            EntryOp::Mark => {
                recording.marks.push(Mark {
                    event: raw.submit,
                    text: String::from_utf8_lossy(payload).into(),
                });
                recording.marks.len() as u32 - 1
            }
            EntryOp::Discard if leaves_garbage => {
                let written = self.pages.written(&recording.entries, raw);
                recording.add_garbage(raw.asked, &written);
                recording.garbage_pages.push(written);
                recording.garbage_pages.len() as u32 - 1
            }
            _ => NO_DATA,
        }
    }

    /// The number of a task.
    fn task(&mut self, task: &str) -> u32 {
        // Mostly that of the entry before.
        let previous = self.recording.entries.last().map(|entry| entry.task);
        let is_same = |number: &u32| *self.recording.tasks[*number as usize] == *task;
        if let Some(number) = previous
            .filter(is_same)
            .or_else(|| self.tasks.get(task).copied())
        {
            return number;
        }
        let number = self.recording.tasks.len() as u32;
        self.recording.tasks.push(task.into());
        self.tasks.insert(task.into(), number);
        number
    }

    fn finish(self) -> Recording {
        let mut recording = self.recording;
        recording.entries.shrink_to_fit();
        recording.blocks.shrink_to_fit();
        let versions = unit_versions(&recording);
        for (place, unit) in versions.keys().iter().copied().enumerate() {
            for index in versions.at(place) {
                let entry = &mut recording.entries[*index as usize];
                if units(recording.geometry, &entry.entry()).start == unit {
                    entry.place = place as u32;
                }
            }
        }
        recording.index = Index::new(&recording, versions, self.data == Data::Hashed);
        recording
    }
}

impl Recording {
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
}

fn order(raw: &abi::Entry, what: &str) -> RecordingError {
    RecordingError::Order(format!(
        "the {} at event {} {what}",
        raw.op.name(),
        raw.submit
    ))
}
