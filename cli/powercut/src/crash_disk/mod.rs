// SPDX-License-Identifier: GPL-2.0

//! A disk in the command's own memory that shows a crash state: what a server in user space answers
//! requests from.
//!
//! [`Contents`] has the data of a recording, [`Image`] a state of it that can be written to, `faults` what
//! goes wrong with its I/O; [`CrashDisk`] has requests go through all of them. A [`Driver`] of the kernel
//! makes it a block device, a [`CrashView`], and [`CrashServer`] as many as are asked for.

mod contents;
mod device;
mod faults;
mod image;
mod request;
mod server;
#[cfg(test)]
mod tests;
mod view;

use std::time::Duration;

use powercut_engine::abi::SECTOR;
use powercut_engine::reads::Reads;
use powercut_engine::recording::CrashState;
use powercut_module::Met;
use rustix::io::Errno;

use crate::device::DeviceError;
use crate::faults::Rule;
use faults::Faults;

pub use contents::Contents;
pub use device::{Device, Driver};
pub use image::Image;
pub use request::{Op, Request};
pub use server::CrashServer;
pub use view::CrashView;

/// What became of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Served {
    pub error: Option<Errno>,
    /// How much later than otherwise it is to be answered.
    pub delay: Duration,
}

/// See the module.
#[derive(Debug)]
pub struct CrashDisk {
    image: Image,
    faults: Faults,
    /// Faults are injected: not while the command itself prepares the device.
    is_in_use: bool,
}

impl CrashDisk {
    pub fn new(image: Image) -> Self {
        Self {
            faults: Faults::none(image.size() / SECTOR, image.block_size() / SECTOR),
            image,
            is_in_use: false,
        }
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
        self.image.show(state);
    }

    /// What was read of the state.
    pub fn reads(&self) -> Reads {
        self.image.reads()
    }

    /// Has these things go wrong, and nothing else. `name` is the disk's, for the error.
    pub fn set_faults(&mut self, rules: &[Rule], name: &str) -> Result<(), DeviceError> {
        self.faults.set(rules, name)
    }

    /// What comes next is the command's own I/O: it meets no faults.
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
        let met = if self.is_in_use {
            self.faults.meet(request)
        } else {
            Met::default()
        };
        if met.fails() {
            return failed(Errno::IO);
        }
        if self.apply(request, data, &met).is_err() {
            return failed(Errno::IO);
        }
        Served {
            error: None,
            delay: Duration::from_micros(met.delay_us()),
        }
    }

    fn apply(&mut self, request: &Request, data: &mut [u8], met: &Met) -> std::io::Result<()> {
        let (offset, len) = (request.offset, request.len.into());
        match request.op {
            Op::Read if met.is_stale() => self.image.read_stale(offset, data)?,
            Op::Read => self.image.read(offset, data)?,
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
