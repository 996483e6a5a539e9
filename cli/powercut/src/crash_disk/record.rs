// SPDX-License-Identifier: GPL-2.0

//! What is written to a crash disk, as a record in its turn: a log of requests in the order in which they
//! came and were answered, and their data.
//!
//! A request is in flight from when it comes until it is answered, so what the server has in hand at the
//! same time is not ordered, whatever the order in which it was sent.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Instant;

use powercut_engine::abi::{write_entry, Entry, EntryOp, Flags, Header, IN_FLIGHT, SECTOR};
use powercut_engine::faults::Faults;
use powercut_module::Met;

use super::{Op, Request};
use crate::device::RecordStatus;
use crate::report::TASK_OF_UBLK;

/// Written at a time.
const BUFFER: usize = 1 << 20;

/// What an entry takes beside its data.
const ENTRY_BYTES: u64 = size_of::<Entry>() as u64;

/// A request in flight, of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    generation: u64,
    index: usize,
}

/// What is known of the record of a workload, and not of that of a recovery.
#[derive(Debug)]
struct Workload {
    began: Instant,
    /// What it may take.
    limit_bytes: u64,
}

/// See the module.
#[derive(Debug)]
pub struct Record {
    generation: u64,
    /// Without the number of entries and the like.
    header: Header,
    /// What discards leave follows from it, if it is not zeroes.
    garbage: Option<u64>,
    entries: Vec<Entry>,
    /// The data of the entries, and the texts of marks, one behind the other.
    data: Arc<File>,
    data_len: u64,
    event: u64,
    faults: Faults,
    is_open: bool,
    /// If it is of a workload.
    workload: Option<Workload>,
    /// The event before which it ended, as there was no room for more; 0: it did not.
    truncated: u64,
    /// Why it is not whole.
    failure: Option<io::Error>,
    /// As it is exported, once it was.
    exported: Option<Arc<File>>,
}

impl Record {
    /// Of a disk with this header. Each record of a disk has another generation.
    pub fn begin(generation: u64, disk: &Header, garbage: Option<u64>) -> io::Result<Self> {
        Ok(Self {
            generation,
            header: disk.clone(),
            garbage,
            entries: Vec::new(),
            data: Arc::new(tempfile::tempfile()?),
            data_len: 0,
            event: 0,
            faults: Faults::default(),
            is_open: true,
            workload: None,
            truncated: 0,
            failure: None,
            exported: None,
        })
    }

    /// The same for a workload: with times, and with an end where it takes more than that.
    pub fn of_workload(self, limit_bytes: u64) -> Self {
        let began = Instant::now();
        Self {
            workload: Some(Workload { began, limit_bytes }),
            ..self
        }
    }

    /// Nothing more is recorded.
    pub fn end(&mut self) {
        self.is_open = false;
    }

    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// How large it is, and whether it ended early.
    pub fn status(&self) -> RecordStatus {
        let marks = self.entries.iter().filter(|e| e.op == EntryOp::Mark);
        RecordStatus {
            entries: self.entries.len() as u64,
            events: self.event,
            marks: marks.count() as u64,
            bytes: self.bytes(),
            truncated: self.truncated,
            ..RecordStatus::default()
        }
    }

    /// What it takes, data included.
    fn bytes(&self) -> u64 {
        self.data_len + self.entries.len() as u64 * ENTRY_BYTES
    }

    /// Whether an entry with so much data can be put into it. If not, it ends before the next event.
    pub fn has_room(&mut self, data_len: u64) -> bool {
        let bytes = self.bytes() + data_len + ENTRY_BYTES;
        let is_full = self
            .workload
            .as_ref()
            .is_some_and(|w| bytes > w.limit_bytes);
        if self.is_open && self.truncated == 0 && is_full {
            self.truncated = self.event + 1;
        }
        !self.is_open || self.truncated == 0
    }

    /// Nanoseconds since it began; 0 if that is not to be told.
    fn now_ns(&self) -> u64 {
        let elapsed = self.workload.as_ref().map(|w| w.began.elapsed());
        elapsed.map_or(0, |elapsed| elapsed.as_nanos() as u64)
    }

    /// A request came, and met faults; `data` is what is written. There is room for it.
    pub fn submit(&mut self, request: &Request, met: &Met, data: &[u8]) -> Option<Ticket> {
        if !self.is_open {
            return None;
        }
        let faults = Faults::from_bits_truncate(met.entry_flags());
        self.faults |= faults;
        let op = match request.op {
            Op::Read => return None,
            _ if met.fails() => return None,
            Op::Write => EntryOp::Write,
            Op::WriteZeroes => EntryOp::WriteZeroes,
            Op::Discard => EntryOp::Discard,
            Op::Flush => EntryOp::Flush,
        };
        let mut flags = Flags::from(faults);
        flags.set(Flags::FUA, request.is_fua);
        flags.set(Flags::PREFLUSH, op == EntryOp::Flush);
        // Of a flush, where the member begins that it was sent to.
        let sector = request.offset / SECTOR;
        let garbage = self.garbage.filter(|_| op == EntryOp::Discard);
        flags.set(Flags::GARBAGE, garbage.is_some());
        let moved = met.moved_to().filter(|_| op == EntryOp::Write);
        let nr_sectors = if op == EntryOp::Flush {
            0
        } else {
            request.len / SECTOR as u32
        };
        let payload = if op == EntryOp::Write && !met.is_lost() {
            data
        } else {
            &[]
        };
        let entry = Entry {
            flags,
            sector: moved.unwrap_or(sector),
            nr_sectors,
            complete: IN_FLIGHT,
            asked: moved.map_or_else(|| garbage.unwrap_or(0), |_| sector),
            ..Entry::plain(op)
        };
        self.push(entry, payload);
        Some(Ticket {
            generation: self.generation,
            index: self.entries.len() - 1,
        })
    }

    /// A request is answered.
    pub fn complete(&mut self, ticket: Ticket) {
        if ticket.generation != self.generation || !self.is_open || self.truncated != 0 {
            return;
        }
        let completed_ns = self.now_ns();
        if let Some(entry) = self.entries.get_mut(ticket.index) {
            self.event += 1;
            entry.complete = self.event;
            // As far from its submit as an entry can say.
            let latest = entry.submitted_ns + u64::from(u32::MAX);
            entry.completed_ns = completed_ns.min(latest);
        }
    }

    pub fn mark(&mut self, text: &str) {
        if self.is_open {
            let event = self.event + 1;
            let entry = Entry {
                complete: event,
                ..Entry::plain(EntryOp::Mark)
            };
            self.push(entry, text.as_bytes());
        }
    }

    /// Appends an entry that is submitted now.
    fn push(&mut self, entry: Entry, payload: &[u8]) {
        self.event += 1;
        let appended = self.data.write_all_at(payload, self.data_len);
        if let Err(e) = appended {
            self.failure.get_or_insert(e);
        }
        self.data_len += payload.len() as u64;
        let submitted_ns = self.now_ns();
        self.entries.push(Entry {
            submitted_ns,
            // Until it is complete, and of what is so at once.
            completed_ns: submitted_ns,
            submit: self.event,
            start: self.event,
            payload_len: payload.len() as u32,
            ..entry
        });
    }

    /// The file with the data of the entries, and where that of each begins.
    pub fn data(&self) -> (Arc<File>, Vec<u64>) {
        let mut offset = 0;
        let place = |entry: &Entry| {
            let begin = offset;
            offset += u64::from(entry.payload_len);
            begin
        };
        (
            Arc::clone(&self.data),
            self.entries.iter().map(place).collect(),
        )
    }

    pub fn garbage(&self) -> Option<u64> {
        self.garbage
    }

    /// All of it, in a file, with what `base` writes of what the disk held before: so many entries.
    pub fn export(
        &mut self,
        base_entries: u64,
        base: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> io::Result<Arc<File>> {
        if let Some(file) = &self.exported {
            return Ok(Arc::clone(file));
        }
        if let Some(e) = &self.failure {
            return Err(io::Error::new(e.kind(), e.to_string()));
        }
        let header = Header {
            with_data: true,
            entries: self.entries.len() as u64,
            newest_event: self.event,
            truncated: self.truncated,
            base_entries,
            faults: self.faults,
            ..self.header.clone()
        };
        let mut out = BufWriter::with_capacity(BUFFER, tempfile::tempfile()?);
        out.write_all(&header.to_bytes())?;
        base(&mut out)?;
        let (mut offset, mut payload) = (0, Vec::new());
        for entry in &self.entries {
            payload.resize(entry.payload_len as usize, 0);
            self.data.read_exact_at(&mut payload, offset)?;
            offset += u64::from(entry.payload_len);
            let told = self.workload.is_some().then(|| Entry {
                task: TASK_OF_UBLK.into(),
                ..entry.clone()
            });
            write_entry(&mut out, told.as_ref().unwrap_or(entry), &payload)?;
        }
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        let file = Arc::new(file);
        if !self.is_open {
            self.exported = Some(Arc::clone(&file));
        }
        Ok(file)
    }
}

/// What a disk held before.
pub fn write_base(out: &mut impl Write, sector: u64, data: &[u8]) -> io::Result<()> {
    let entry = Entry {
        sector,
        nr_sectors: (data.len() as u64 / SECTOR) as u32,
        ..Entry::plain(EntryOp::Base)
    };
    write_entry(out, &entry, data)
}
