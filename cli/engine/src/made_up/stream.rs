// SPDX-License-Identifier: GPL-2.0

//! A made-up record as the driver gives it.

use std::io::{self, Read};

use super::steps::{Step, Steps};
use super::{MadeUp, BLOCK, CAPACITY_BLOCKS};
use crate::abi::{write_entry, Entry, EntryOp, Flags, Header};
use crate::faults::Faults;
use crate::members::Members;
use crate::tear::Tear;

/// A stream as the driver gives it, made while it is read.
pub struct Stream {
    steps: std::iter::Take<Steps>,
    event: u64,
    bytes: Vec<u8>,
    at: usize,
}

/// A record of so many entries.
pub fn stream(made_up: MadeUp) -> Stream {
    let entries = made_up.entries;
    let steps = Steps::new(made_up).take(entries);
    let newest_event = steps.map(|step| step.events()).sum();
    let header = Header {
        write_cache: true,
        fua: true,
        with_data: true,
        capacity_sectors: CAPACITY_BLOCKS * 8,
        block_size: BLOCK,
        atomic_unit: BLOCK,
        tear: Tear::Any,
        entries: entries as u64,
        newest_event,
        truncated: 0,
        base_entries: 0,
        faults: Faults::default(),
        members: Members::default(),
    };
    Stream {
        steps: Steps::new(made_up).take(entries),
        event: 0,
        bytes: header.to_bytes(),
        at: 0,
    }
}

impl Stream {
    fn next_event(&mut self) -> u64 {
        self.event += 1;
        self.event
    }

    /// The next entry, as bytes.
    fn encode(&mut self, step: &Step) -> io::Result<()> {
        let submit = self.next_event();
        let mut entry = Entry {
            op: EntryOp::Write,
            flags: Flags::empty(),
            submit,
            start: submit,
            complete: submit,
            sector: 0,
            nr_sectors: 0,
            payload_len: 0,
            submitted_ns: submit * 20_000,
            completed_ns: submit * 20_000 + 10_000,
            tid: 100,
            stack: 0,
            task: "workload".into(),
            asked: 0,
        };
        let mut payload = Vec::new();
        match step {
            Step::Write {
                block,
                blocks,
                flags,
                task,
            } => {
                if flags.contains(Flags::PREFLUSH) {
                    entry.start = self.next_event();
                }
                entry.complete = self.next_event();
                entry.flags = *flags;
                entry.sector = block * 8;
                entry.nr_sectors = blocks * 8;
                entry.task = (*task).into();
                payload.resize((blocks * BLOCK) as usize, 0);
                for (nr, bytes) in (0..).zip(payload.chunks_exact_mut(BLOCK as usize)) {
                    bytes[..8].copy_from_slice(&submit.to_le_bytes());
                    bytes[8..16].copy_from_slice(&(block + nr).to_le_bytes());
                }
            }
            Step::Flush => {
                entry.op = EntryOp::Flush;
                entry.flags = Flags::PREFLUSH;
                entry.complete = self.next_event();
            }
            Step::Mark(nr) => {
                entry.op = EntryOp::Mark;
                payload = format!("put {nr}").into_bytes();
            }
        }
        self.bytes.clear();
        self.at = 0;
        write_entry(&mut self.bytes, &entry, &payload)
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at == self.bytes.len() {
            let Some(step) = self.steps.next() else {
                return Ok(0);
            };
            self.encode(&step)?;
        }
        let n = (&self.bytes[self.at..]).read(buf)?;
        self.at += n;
        Ok(n)
    }
}
