// SPDX-License-Identifier: GPL-2.0

//! A disk in the command's own memory that shows a crash state: what a server in user space answers
//! requests from.
//!
//! [`Contents`] has the data of a recording, [`Image`] a state of it that can be written to, `faults` what
//! goes wrong with its I/O, [`Record`] what was written to it; [`CrashDisk`] has requests go through all of them. A [`Driver`] of the kernel
//! makes it a block device, or one for each [`Part`], a [`CrashView`], and [`CrashServer`] as many as are asked for.

mod contents;
mod delayed;
mod device;
mod faults;
mod from_start;
mod image;
mod origin;
mod part;
mod record;
mod request;
mod server;
mod serving;
#[cfg(test)]
mod tests;
mod view;

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use powercut_engine::abi::{Header, SECTOR};
use powercut_engine::reads::Reads;
use powercut_engine::recording::CrashState;
use powercut_module::Met;
use rustix::io::Errno;

use crate::device::{DeviceError, RecordStatus};
use crate::faults::Rule;
use contents::Below;
use faults::Faults;
use image::PAGE_SECTORS;
use record::write_base;
use serving::Health;

pub use contents::Contents;
pub use delayed::Delayed;
pub use device::{Device, Driver};
pub use from_start::FromStart;
pub use image::Image;
pub use part::Part;
pub use record::{Record, Ticket};
pub use request::{Op, Request};
pub use server::CrashServer;
pub use serving::serve_all;
pub use view::CrashView;

/// What became of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Served {
    pub error: Option<Errno>,
    /// How much later than otherwise it is to be answered.
    pub delay: Duration,
    /// It is in a record, which is to be told when it is answered.
    pub ticket: Option<Ticket>,
}

/// See the module.
#[derive(Debug)]
pub struct CrashDisk {
    image: Image,
    faults: Faults,
    /// Faults are injected, and reads count: not while the command itself prepares the device.
    is_in_use: bool,
    record: Option<Record>,
    /// How many records there were.
    records: u64,
    health: Health,
}

impl CrashDisk {
    pub fn new(image: Image) -> Self {
        Self {
            faults: Faults::none(
                image.size() / SECTOR,
                image.block_size() / SECTOR,
                image.members(),
            ),
            image,
            is_in_use: false,
            record: None,
            records: 0,
            health: Health::new(),
        }
    }

    /// An error if its server failed: what was read of it then says nothing. `name` is its device's.
    pub fn is_served(&self, name: &str) -> Result<(), DeviceError> {
        self.health.check(name)
    }

    /// In bytes.
    pub fn size(&self) -> u64 {
        self.image.size()
    }

    /// In bytes.
    pub fn block_size(&self) -> u64 {
        self.image.block_size()
    }

    /// Shows another state, to which nothing was written and of which nothing was read.
    pub fn show(&mut self, state: CrashState) {
        self.record = None;
        self.image.show(state);
    }

    /// Shows a state of another recording, of a disk of the same size and blocks.
    pub fn load(&mut self, image: Image) {
        self.record = None;
        self.image = image;
    }

    /// Records what is written from now on.
    pub fn begin_record(&mut self, header: &Header) -> io::Result<()> {
        self.records += 1;
        let record = Record::begin(self.records, header, self.image.garbage())?;
        self.record = Some(record);
        self.image.begin_record(self.faults.are_set());
        Ok(())
    }

    /// Records a workload from now on, in so many bytes at most.
    pub fn begin_workload(&mut self, header: &Header, limit_bytes: u64) -> io::Result<()> {
        self.begin_record(header)?;
        self.record = self.record.take().map(|r| r.of_workload(limit_bytes));
        Ok(())
    }

    /// How large the record is, if there is one.
    pub fn record_status(&self) -> Option<RecordStatus> {
        self.record.as_ref().map(Record::status)
    }

    /// Whether what comes is recorded.
    pub fn is_recording(&self) -> bool {
        self.record.as_ref().is_some_and(Record::is_open)
    }

    pub fn end_record(&mut self) {
        if let Some(record) = &mut self.record {
            record.end();
        }
    }

    pub fn drop_record(&mut self) {
        self.record = None;
        self.image.drop_record();
    }

    /// Puts a mark into the record; an error if that is full.
    pub fn mark(&mut self, text: &str) -> Result<(), Errno> {
        let Some(record) = &mut self.record else {
            return Ok(());
        };
        if !record.has_room(text.len() as u64) {
            return Err(Errno::NOSPC);
        }
        record.mark(text);
        Ok(())
    }

    /// The record, in a file. Its base is all that the disk held when it began: it stands for itself.
    pub fn export(&mut self) -> io::Result<Arc<File>> {
        let Self { image, record, .. } = self;
        let record = record.as_mut().ok_or(io::ErrorKind::NotFound)?;
        let pages = image.base_pages();
        record.export(pages.len() as u64, |out| {
            let page_len = PAGE_SECTORS * SECTOR;
            let mut data = Vec::new();
            for page in pages {
                let offset = page * page_len;
                data.resize((image.size() - offset).min(page_len) as usize, 0);
                image.read_base(offset, &mut data, false)?;
                write_base(out, page * PAGE_SECTORS, &data)?;
            }
            Ok(())
        })
    }

    /// The data of the record, for states of it; what it does not have is read from `this`, which is
    /// this disk.
    pub fn recorded(&self, this: Arc<Mutex<Self>>) -> Option<Contents> {
        let record = self.record.as_ref()?;
        Some(Contents::of_record(record, self.block_size(), this))
    }

    /// A request is answered.
    pub fn complete(&mut self, ticket: Ticket) {
        if let Some(record) = &mut self.record {
            record.complete(ticket);
        }
    }

    /// What was read of the state.
    pub fn reads(&self) -> Reads {
        self.image.reads()
    }

    /// Has these things go wrong, and nothing else. `name` is the disk's, for the error.
    pub fn set_faults(&mut self, rules: &[Rule], name: &str) -> Result<(), DeviceError> {
        self.faults.set(rules, name)
    }

    /// What comes next is the command's own I/O, or that of the kernel, which looks for partitions when a
    /// device is new: it meets no faults, and nothing counts as read.
    pub fn prepare(&mut self) {
        self.is_in_use = false;
    }

    /// What comes next is that of whoever examines the state; rules count from here.
    pub fn begin(&mut self) -> Result<(), DeviceError> {
        self.is_in_use = true;
        self.faults.rewind()
    }

    /// Serves a request. `data` has what is written, or takes what is read.
    pub fn serve(&mut self, request: &Request, data: &mut [u8]) -> Served {
        let failed = |errno| Served {
            error: Some(errno),
            ..Served::default()
        };
        if !request.is_within(self.size(), self.block_size()) {
            return failed(Errno::INVAL);
        }
        let data_len = if request.op == Op::Write {
            data.len()
        } else {
            0
        };
        let record = self.record.as_mut().filter(|_| request.op != Op::Read);
        if record.is_some_and(|record| !record.has_room(data_len as u64)) {
            return failed(Errno::NOSPC);
        }
        let met = if self.is_in_use {
            self.faults.meet(request)
        } else {
            Met::default()
        };
        let applied = if met.fails() {
            Err(Errno::IO)
        } else {
            self.apply(request, data, &met).map_err(|_| Errno::IO)
        };
        let record = self.record.as_mut();
        let ticket = record.and_then(|record| record.submit(request, &met, data));
        match applied {
            Err(errno) => failed(errno),
            Ok(()) => Served {
                error: None,
                delay: Duration::from_micros(met.delay_us()),
                ticket,
            },
        }
    }

    fn apply(&mut self, request: &Request, data: &mut [u8], met: &Met) -> io::Result<()> {
        let (offset, len) = (request.offset, request.len.into());
        match request.op {
            Op::Read if met.is_stale() => self.image.read_stale(offset, data)?,
            Op::Read if self.is_in_use => self.image.read(offset, data)?,
            Op::Read => self.image.peek(offset, data)?,
            // What is written lasts as long as the state is shown.
            Op::Flush => {}
            _ if met.is_lost() => {}
            Op::Write => {
                met.corrupt(data);
                let moved = met.moved_to().map(|sector| sector * SECTOR);
                self.image.write(moved.unwrap_or(offset), data);
            }
            Op::WriteZeroes => self.image.zero(offset, len),
            Op::Discard => self.image.discard(offset, len),
        }
        Ok(())
    }
}

/// What a disk held when its record began.
impl Below for Mutex<CrashDisk> {
    fn read(&self, offset: u64, to: &mut [u8], counts: bool) -> io::Result<()> {
        let mut disk = self.lock().unwrap_or_else(PoisonError::into_inner);
        disk.image.read_base(offset, to, counts)
    }

    fn has(&self, page: u64) -> bool {
        let disk = self.lock().unwrap_or_else(PoisonError::into_inner);
        disk.image.base_has(page)
    }

    fn pages(&self) -> BTreeSet<u64> {
        let disk = self.lock().unwrap_or_else(PoisonError::into_inner);
        disk.image.base_pages()
    }
}
