// SPDX-License-Identifier: GPL-2.0

//! A record as a list of entries: what import asks of one.

#[path = "../../../src/record/import.rs"]
mod import;
#[path = "../../../src/record/write.rs"]
mod write;

use crate::block::task::TaskId;
use crate::fault::Kinds;
use crate::nowait::NoWait;
use crate::prelude::*;

pub(crate) use write::Write;

pub(crate) const MARK_MAX_BYTES: usize = 1024;

#[derive(Clone, Copy)]
pub(crate) struct Truncation {
    pub(crate) event: u64,
    pub(crate) error: Error,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Submitter {
    pub(crate) task: TaskId,
    pub(crate) stack: u32,
}

pub(crate) enum Origin {
    Import { submitter: Submitter },
}

#[derive(Default)]
struct Submitters(Vec<Submitter>);

impl Submitters {
    fn index_of(&mut self, submitter: Submitter, _: NoWait) -> Result<u32> {
        let index = self.0.iter().position(|other| *other == submitter);
        let index = index.unwrap_or_else(|| {
            self.0.push(submitter);
            self.0.len() - 1
        });
        Ok(u32::try_from(index)?)
    }
}

#[derive(Default)]
pub(crate) struct Record {
    log: Vec<Write>,
    submitters: Submitters,
    marks: Vec<Vec<u8>>,
    last_event: u64,
    truncated: Option<Truncation>,
    faults: Kinds,
}

impl Record {
    pub(crate) fn log_entry(&self, index: usize) -> Option<Write> {
        self.log.get(index).copied()
    }

    pub(crate) fn log(&self) -> &[Write] {
        &self.log
    }

    pub(crate) fn submitter(&self, write: &Write) -> Submitter {
        self.submitters.0[write.submitter as usize]
    }

    pub(crate) fn mark_text(&self, write: &Write) -> &[u8] {
        &self.marks[write.entry.sector as usize]
    }

    pub(crate) fn last_event(&self) -> u64 {
        self.last_event
    }

    pub(crate) fn truncated(&self) -> u64 {
        self.truncated.map_or(0, |truncated| truncated.event)
    }

    pub(crate) fn faults(&self) -> Kinds {
        self.faults
    }

    pub(crate) fn met(&mut self, faults: Kinds) {
        self.faults |= faults;
    }

    fn next_event(&self) -> Result<u64> {
        match self.truncated {
            Some(truncated) => Err(truncated.error),
            None => Ok(self.last_event + 1),
        }
    }

    pub(crate) fn push(
        &mut self,
        write: &mut Write,
        origin: Origin,
        _: u64,
        store: impl FnOnce(u32) -> Result,
    ) -> Result<u32> {
        let Origin::Import { submitter } = origin;
        self.check_next(write, submitter)?;
        let index = u32::try_from(self.log.len())?;
        store(index)?;
        self.log.push(*write);
        self.faults |= write.faults;
        self.last_event = self.last_event.max(write.newest_event());
        Ok(index)
    }

    fn push_text(&mut self, mark: &mut Write, origin: Origin, text: &[u8]) -> Result<u32> {
        if !(1..=MARK_MAX_BYTES).contains(&text.len()) || text.contains(&0) {
            return Err(EINVAL);
        }
        self.next_event()?;
        self.marks.push(text.into());
        mark.entry.sector = self.marks.len() as u64 - 1;
        self.push(mark, origin, 0, |_| Ok(()))
    }
}
