// SPDX-License-Identifier: GPL-2.0

//! What a disk was told to do wrong: rules as they are typed, for the module's own code.

use powercut_engine::members::Members;
use powercut_module::{Injector, Met};
use rustix::io::Errno;

use super::Request;
use crate::device::{why_refused, DeviceError};
use crate::faults::{BadBlocks, Rule};

/// The faults of one disk.
#[derive(Debug)]
pub struct Faults {
    nr_sectors: u64,
    block_sectors: u64,
    members: Members,
    injector: Option<Injector>,
}

impl Faults {
    /// None, for a disk of so many sectors, so many to a block, with these members.
    pub fn none(nr_sectors: u64, block_sectors: u64, members: &Members) -> Self {
        Self {
            nr_sectors,
            block_sectors,
            members: members.clone(),
            injector: None,
        }
    }

    /// These and no others; none are changed if one is refused.
    pub fn set(&mut self, rules: &[Rule], name: &str) -> Result<(), DeviceError> {
        let mut injector = Injector::new(self.nr_sectors, self.block_sectors);
        for rule in rules {
            let (text, set) = match rule {
                Rule::Of(text) => (text.clone(), injector.set_rules(&format!("+{text}"))),
                Rule::Bad(bad) => (format!("{bad:?}"), set_bad(&mut injector, bad)),
            };
            set.map_err(|e| refused(&text, name, e.name()))?;
        }
        self.injector = (!rules.is_empty()).then_some(injector);
        Ok(())
    }

    pub fn are_set(&self) -> bool {
        self.injector.is_some()
    }

    /// Begins again: rules count from here.
    pub fn rewind(&mut self) -> Result<(), DeviceError> {
        match &mut self.injector {
            None => Ok(()),
            Some(injector) => injector
                .rewind()
                .map_err(|e| refused("to begin again", "the rules", e.name())),
        }
    }

    /// What becomes of a request.
    pub fn meet(&mut self, request: &Request) -> Met {
        let met = self.injector.as_mut().map(|i| i.meet(&request.io()));
        // Here there is always memory, which is the only thing that it can lack.
        let mut met = met.and_then(Result::ok).unwrap_or_default();
        // No write gets to another block device than the one that it was for.
        let io = request.io();
        let place = self.members.places().find(|p| p.contains(&io.sector));
        if let Some(place) = place.filter(|_| met.moved_to().is_some()) {
            met.keep_within(&place, io.nr_sectors);
        }
        met
    }
}

fn set_bad(
    injector: &mut Injector,
    bad: &BadBlocks,
) -> Result<(), powercut_module::prelude::Error> {
    if let Some(mode) = &bad.mode {
        injector.set_bad_mode(mode)?;
    }
    if let Some(once) = bad.once {
        injector.set_bad_once(once)?;
    }
    bad.changes
        .iter()
        .try_for_each(|change| injector.set_bad(change))
}

fn refused(what: &str, name: &str, error: &str) -> DeviceError {
    let errno = match error {
        "EINVAL" => Some(Errno::INVAL),
        "ERANGE" => Some(Errno::RANGE),
        "E2BIG" => Some(Errno::TOOBIG),
        "ENOSPC" => Some(Errno::NOSPC),
        _ => None,
    };
    DeviceError::Refused {
        what: format!("{what:?} of {name}"),
        why: errno.and_then(why_refused).unwrap_or(error).into(),
    }
}
