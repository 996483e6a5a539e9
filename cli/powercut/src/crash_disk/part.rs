// SPDX-License-Identifier: GPL-2.0

//! What one block device has of a crash disk: all of it, or a member of a group.
//!
//! Each member is served by a thread of its own. There is one order of all that is asked of them: that in which
//! they take the disk's lock.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use powercut_engine::abi::SECTOR;
use powercut_engine::members::Members;
use rustix::io::Errno;

use super::serving::serve;
use super::{CrashDisk, Op, Request, Served, Ticket};

/// See the module.
#[derive(Debug, Clone)]
pub struct Part {
    disk: Arc<Mutex<CrashDisk>>,
    /// In bytes.
    place: Range<u64>,
    /// In bytes.
    block_size: u64,
}

impl Part {
    /// All of a disk that is one block device.
    pub fn whole(disk: &Arc<Mutex<CrashDisk>>) -> Self {
        let (size, block_size) = {
            let disk = lock(disk);
            (disk.size(), disk.block_size())
        };
        Self {
            disk: Arc::clone(disk),
            place: 0..size,
            block_size,
        }
    }

    /// Those of a disk, in the order of its members.
    pub fn all_of(disk: &Arc<Mutex<CrashDisk>>, members: &Members) -> Vec<Self> {
        let whole = Self::whole(disk);
        if members.is_empty() {
            return vec![whole];
        }
        let part = |sectors: Range<u64>| Self {
            place: sectors.start * SECTOR..sectors.end * SECTOR,
            ..whole.clone()
        };
        members.places().map(part).collect()
    }

    pub fn disk(&self) -> &Mutex<CrashDisk> {
        &self.disk
    }

    /// In bytes.
    pub fn size(&self) -> u64 {
        self.place.end - self.place.start
    }

    /// Serves a request; its offset is counted from where this begins.
    pub fn serve(&self, request: &Request, data: &mut [u8]) -> Served {
        if !request.is_within(self.size(), self.block_size) {
            return Served {
                error: Some(Errno::INVAL),
                ..Served::default()
            };
        }
        // Of a flush, the kernel says no place.
        let within = match request.op {
            Op::Flush => 0,
            _ => request.offset,
        };
        let whole = Request {
            offset: self.place.start + within,
            ..*request
        };
        serve(&self.disk, &whole, data)
    }

    /// A request is answered.
    pub fn complete(&self, ticket: Ticket) {
        self.lock().complete(ticket);
    }

    /// Whether what comes is recorded.
    pub fn is_recording(&self) -> bool {
        self.lock().is_recording()
    }

    fn lock(&self) -> MutexGuard<'_, CrashDisk> {
        lock(&self.disk)
    }
}

fn lock(disk: &Mutex<CrashDisk>) -> MutexGuard<'_, CrashDisk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}
