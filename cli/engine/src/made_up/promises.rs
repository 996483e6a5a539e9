// SPDX-License-Identifier: GPL-2.0

//! A check of made-up records: whether what the software relies on is so.

use std::collections::BTreeSet;

use super::{Promise, Since};
use crate::abi::SECTOR;
use crate::choices::Choices;
use crate::keep::Keep;
use crate::recording::{Recorded, Recording};

/// What was promised when.
pub struct Promises<'r> {
    recording: &'r Recording,
    /// By the number of the mark.
    of_marks: Vec<Promise>,
    /// By the entry, ascending.
    of_entries: Vec<Promise>,
}

impl<'r> Promises<'r> {
    pub fn new(recording: &'r Recording, promises: Vec<Promise>) -> Self {
        let is_of_mark = |promise: &Promise| matches!(promise.since, Since::Mark(_));
        let (of_marks, of_entries) = promises.into_iter().partition(is_of_mark);
        Self {
            recording,
            of_marks,
            of_entries,
        }
    }

    /// Whether a state keeps the newest promises, and the sectors that this was read from.
    pub fn look(&self, choices: &Choices<'_>, keep: &Keep) -> (bool, Vec<(u64, u64)>) {
        let mut read = BTreeSet::new();
        let mut is_kept = true;
        let marks = self.recording.marks_by(choices.event()).len();
        let mut promises: Vec<&Promise> = Vec::new();
        promises.extend(
            marks
                .checked_sub(1)
                .and_then(|last| self.of_marks.get(last)),
        );
        if let Some(Since::Entry(any)) = self.of_entries.first().map(|promise| promise.since) {
            let unit = self.unit_of(any);
            read.insert(unit);
            let shown = self.shown(choices, keep, unit);
            promises.extend(self.of_entries.iter().rev().find(
                |promise| matches!(promise.since, Since::Entry(entry) if Some(entry) <= shown),
            ));
        }
        for entry in promises.iter().flat_map(|promise| &promise.entries) {
            let unit = self.unit_of(*entry);
            read.insert(unit);
            is_kept &= self.shown(choices, keep, unit) >= Some(*entry);
        }
        let sectors = self.unit_sectors();
        let ranges = read.into_iter().map(|unit| (unit * sectors, sectors));
        (is_kept, ranges.collect())
    }

    /// The newest entry that a unit may have its content from.
    fn shown(&self, choices: &Choices<'_>, keep: &Keep, unit: u64) -> Option<u32> {
        let place = self.recording.place(unit)?;
        let content = choices.content_at(place as u32, keep);
        let mut writes = self.recording.writes_of(unit).iter().rev();
        let shown = writes.find(|index| self.recording.unit_hash(unit, **index) == content);
        shown.copied()
    }

    fn unit_of(&self, entry: u32) -> u64 {
        let entries = self.recording.entries();
        let sector = entries.get(entry as usize).map_or(0, Recorded::sector);
        sector / self.unit_sectors()
    }

    fn unit_sectors(&self) -> u64 {
        u64::from(self.recording.header().atomic_unit) / SECTOR
    }
}
