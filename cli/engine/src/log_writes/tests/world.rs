// SPDX-License-Identifier: GPL-2.0

//! A disk below a driver that logs: what really happens, and the log that is made of it.

use zerocopy::IntoBytes;

use crate::abi::{write_entry, Entry, EntryOp, Flags, Header, IN_FLIGHT};
use crate::faults::Faults;
use crate::log_writes::wire::{self, LogFlags, MAGIC, VERSION};
use crate::log_writes::END_MARK;
use crate::members::Members;
use crate::recording::testing::block;
use crate::recording::Recording;
use crate::tear::Tear;

/// The sectors of a log are blocks.
pub const SECTOR: usize = 4096;
const PER_BLOCK: u64 = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Write,
    Fua,
    Discard,
    Flush,
}

#[derive(Debug, Clone)]
pub struct Bio {
    pub op: Op,
    pub block: u64,
    pub words: Vec<&'static str>,
    submit: u64,
    complete: u64,
    /// Of a flush, the writes that it takes along into dm-log-writes' log.
    taken: Vec<usize>,
}

impl Bio {
    pub fn is_in_flight(&self) -> bool {
        self.complete == IN_FLIGHT
    }

    pub fn touches(&self, block: u64, nr: u64) -> bool {
        let end = self.block + self.words.len() as u64;
        self.op != Op::Flush && self.block < block + nr && block < end
    }
}

/// What is in the log.
#[derive(Debug, Clone)]
pub enum Logged {
    Bio(usize),
    Mark(String),
}

#[derive(Debug, Clone, Default)]
pub struct World {
    pub bios: Vec<Bio>,
    marks: Vec<(u64, String)>,
    event: u64,
    /// As dm-log-writes has them: complete, and in no log.
    pub unflushed: Vec<usize>,
    kernel: Vec<Logged>,
    /// As blklogwrites writes it: in the order of completion.
    qemu: Vec<Logged>,
}

impl World {
    fn next(&mut self) -> u64 {
        self.event += 1;
        self.event
    }

    pub fn submit(&mut self, op: Op, block: u64, words: &[&'static str]) -> usize {
        let submit = self.next();
        self.bios.push(Bio {
            op,
            block,
            words: words.into(),
            submit,
            complete: IN_FLIGHT,
            taken: match op {
                Op::Flush => std::mem::take(&mut self.unflushed),
                _ => Vec::new(),
            },
        });
        self.bios.len() - 1
    }

    pub fn complete(&mut self, index: usize) {
        let event = self.next();
        let bio = &mut self.bios[index];
        bio.complete = event;
        match bio.op {
            Op::Write | Op::Discard => self.unflushed.push(index),
            Op::Flush | Op::Fua => {
                let taken = std::mem::take(&mut bio.taken);
                self.kernel.extend(taken.into_iter().map(Logged::Bio));
                self.kernel.push(Logged::Bio(index));
            }
        }
        self.qemu.push(Logged::Bio(index));
    }

    /// A bio that is complete at once.
    pub fn at_once(&mut self, op: Op, block: u64, words: &[&'static str]) {
        let index = self.submit(op, block, words);
        self.complete(index);
    }

    pub fn mark(&mut self, text: &str) {
        let event = self.next();
        self.marks.push((event, text.into()));
        self.kernel.push(Logged::Mark(text.into()));
        self.qemu.push(Logged::Mark(text.into()));
    }

    /// Complete writes of a block that dm-log-writes has not logged.
    pub fn is_unlogged(&self, block: u64, nr: u64) -> bool {
        let taken = self.bios.iter().flat_map(|bio| &bio.taken);
        let mut unlogged = taken.chain(&self.unflushed);
        unlogged.any(|index| self.bios[*index].touches(block, nr))
    }

    /// The record of what really happened.
    pub fn truth(&self) -> Recording {
        let mut entries: Vec<(Entry, Vec<u8>)> = self.bios.iter().map(recorded).collect();
        entries.extend(self.marks.iter().map(|(event, text)| {
            let entry = entry(EntryOp::Mark, Flags::empty(), *event, *event);
            (entry, text.as_bytes().to_vec())
        }));
        entries.sort_by_key(|(entry, _)| entry.submit);
        let header = Header {
            write_cache: true,
            fua: true,
            with_data: true,
            capacity_sectors: 2048,
            block_size: SECTOR as u32,
            atomic_unit: SECTOR as u32,
            tear: Tear::Any,
            entries: entries.len() as u64,
            newest_event: self.event,
            truncated: 0,
            base_entries: 0,
            faults: Faults::default(),
            members: Members::default(),
        };
        let mut stream = header.to_bytes();
        for (entry, payload) in &entries {
            write_entry(&mut stream, entry, payload).unwrap();
        }
        Recording::read(&stream[..]).unwrap()
    }

    /// The log of dm-log-writes once the device is taken away.
    pub fn kernel_log(&self) -> Vec<u8> {
        let mut logged = self.kernel.clone();
        logged.extend(self.unflushed.iter().copied().map(Logged::Bio));
        logged.push(Logged::Mark(String::from_utf8_lossy(END_MARK).into()));
        self.log(&logged)
    }

    pub fn qemu_log(&self) -> Vec<u8> {
        self.log(&self.qemu)
    }

    fn log(&self, logged: &[Logged]) -> Vec<u8> {
        let mut log = super_block(logged.len() as u64, SECTOR);
        for one in logged {
            match one {
                Logged::Mark(text) => {
                    let flags = LogFlags::MARK.bits();
                    log.extend(sector(0, 0, flags, text.as_bytes(), SECTOR));
                }
                Logged::Bio(index) => {
                    let bio = &self.bios[*index];
                    let flags = match bio.op {
                        Op::Write => 0,
                        Op::Fua => LogFlags::FUA.bits(),
                        Op::Discard => LogFlags::DISCARD.bits(),
                        Op::Flush => LogFlags::FLUSH.bits(),
                    };
                    let nr = bio.words.len() as u64;
                    log.extend(sector(bio.block, nr, flags, &[], SECTOR));
                    if matches!(bio.op, Op::Write | Op::Fua) {
                        log.extend(bio.words.iter().flat_map(|word| block(word)));
                    }
                }
            }
        }
        log
    }
}

/// A log without entries, which counts as many.
pub fn super_block(nr_entries: u64, sector_size: usize) -> Vec<u8> {
    let raw = wire::Super {
        magic: MAGIC.into(),
        version: VERSION.into(),
        nr_entries: nr_entries.into(),
        sector_size: (sector_size as u32).into(),
    };
    let mut bytes = raw.as_bytes().to_vec();
    bytes.resize(sector_size, 0);
    bytes
}

/// An entry, without the data of a write.
pub fn sector(at: u64, nr: u64, flags: u64, text: &[u8], sector_size: usize) -> Vec<u8> {
    let raw = wire::Entry {
        sector: at.into(),
        nr_sectors: nr.into(),
        flags: flags.into(),
        data_len: (text.len() as u64).into(),
    };
    let mut bytes = [raw.as_bytes(), text].concat();
    bytes.resize(sector_size, 0);
    bytes
}

fn recorded(bio: &Bio) -> (Entry, Vec<u8>) {
    let (op, flags) = match bio.op {
        Op::Write => (EntryOp::Write, Flags::empty()),
        Op::Fua => (EntryOp::Write, Flags::FUA),
        Op::Discard => (EntryOp::Discard, Flags::empty()),
        Op::Flush => (EntryOp::Flush, Flags::PREFLUSH),
    };
    let data = match op {
        EntryOp::Write => bio.words.iter().flat_map(|word| block(word)).collect(),
        _ => Vec::new(),
    };
    let entry = Entry {
        sector: bio.block * PER_BLOCK,
        nr_sectors: bio.words.len() as u32 * PER_BLOCK as u32,
        ..entry(op, flags, bio.submit, bio.complete)
    };
    (entry, data)
}

fn entry(op: EntryOp, flags: Flags, submit: u64, complete: u64) -> Entry {
    Entry {
        flags,
        submit,
        start: submit,
        complete,
        ..Entry::plain(op)
    }
}
