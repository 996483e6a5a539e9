// SPDX-License-Identifier: GPL-2.0

//! A disk that takes a log in, and keeps what it was given.

#[path = "../../../src/disk/members.rs"]
mod members;

use std::ffi::{CStr, CString};
use std::sync::Mutex;

use crate::fault::Kinds;
use crate::model::{self, Op};
use crate::prelude::*;
use crate::record::{Origin, Record, Submitter, Write};
use crate::store::PageList;

pub(crate) use members::{Member, Members, MEMBER_NAME_LEN};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Properties {
    pub(crate) nr_sectors: u64,
    pub(crate) block_size: u32,
    pub(crate) atomic_unit: u32,
    pub(crate) tear: model::Tear,
    pub(crate) write_cache: bool,
    pub(crate) fua: bool,
}

/// An entry of the base: where it is, and its data.
pub(crate) struct Base {
    pub(crate) sector: u64,
    pub(crate) nr_sectors: u32,
    pub(crate) data: Vec<u8>,
}

#[derive(Default)]
pub(crate) struct Staged {
    pub(crate) record: Record,
    pub(crate) base: Vec<Base>,
    /// The data of each entry.
    pub(crate) data: Vec<Vec<u8>>,
    pub(crate) garbage: Option<Option<u64>>,
    truncated: u64,
}

impl Staged {
    pub(crate) fn truncated(&mut self, event: u64) {
        self.truncated = event;
    }

    pub(crate) fn garbage(&mut self, seed: Option<u64>) -> Result {
        if *self.garbage.get_or_insert(seed) != seed {
            return Err(EINVAL);
        }
        Ok(())
    }

    pub(crate) fn check(&mut self, last_event: u64, faults: Kinds) -> Result {
        if self.record.last_event() != last_event || !faults.contains(self.record.faults()) {
            return Err(EINVAL);
        }
        self.record.met(faults);
        self.record.check_import()
    }

    pub(crate) fn base(&mut self, sector: u64, nr_sectors: u32, data: &PageList) -> Result {
        self.base.push(Base {
            sector,
            nr_sectors,
            data: data.bytes(),
        });
        Ok(())
    }

    pub(crate) fn entry(
        &mut self,
        write: &Write,
        submitter: Submitter,
        text: &[u8],
        data: PageList,
    ) -> Result {
        let mut write = *write;
        match write.entry.op {
            Op::Flush | Op::Mark => self.record.import(&mut write, submitter, text)?,
            _ => {
                let origin = Origin::Import { submitter };
                self.record.push(&mut write, origin, 0, |_| Ok(()))?
            }
        };
        self.data.push(data.bytes());
        Ok(())
    }
}

pub(crate) struct RecordedDisk {
    name: CString,
    properties: Properties,
    members: Members,
    adopted: Mutex<Option<Staged>>,
}

impl RecordedDisk {
    pub(crate) fn new(properties: Properties, members: Members) -> Self {
        Self {
            name: c"a".into(),
            properties,
            members,
            adopted: Mutex::default(),
        }
    }

    pub(crate) fn name(&self) -> &CStr {
        &self.name
    }

    pub(crate) fn properties(&self) -> Properties {
        self.properties
    }

    pub(crate) fn members(&self) -> &Members {
        &self.members
    }

    pub(crate) fn stage(&self) -> Result<Staged> {
        Ok(Staged::default())
    }

    pub(crate) fn adopt(&self, mut staged: Staged) -> Result {
        staged.record.imported_truncation(staged.truncated);
        *self.adopted.lock().map_err(|_| EIO)? = Some(staged);
        Ok(())
    }

    /// What was taken in as a whole.
    pub(crate) fn adopted(&self) -> Option<Staged> {
        self.adopted.lock().ok()?.take()
    }
}
