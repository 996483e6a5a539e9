// SPDX-License-Identifier: GPL-2.0

//! What the pictures show, as tables.

use powercut_engine::abi::{Flags, SECTOR};
use powercut_engine::recording::Recording;
use powercut_model::Event;

use crate::report::Violation;
use crate::size;

/// Rows of epochs; more are joined.
const ROWS: usize = 250;

/// What happened between two flushes.
#[derive(Debug, Default)]
pub struct Epoch {
    pub from: Event,
    pub to: Event,
    pub writes: u64,
    pub bytes: String,
    pub fua: u64,
    pub marks: u64,
    /// Flushes that end it: more than one where epochs are joined.
    pub flushes: u64,
    size: u64,
}

pub fn epochs(recording: &Recording) -> Vec<Epoch> {
    let flushes = recording.entries().iter();
    let flushes = flushes
        .filter(|r| r.entry.flush_complete().is_some())
        .count();
    let join = (flushes / ROWS + 1) as u64;
    let mut epochs = Vec::new();
    let mut epoch = Epoch::default();
    for recorded in recording.entries() {
        let (raw, entry) = (&recorded.raw, &recorded.entry);
        // A flush ends an epoch before the data that it comes with.
        if let Some(done) = entry.flush_complete() {
            epoch.flushes += 1;
            epoch.to = done.min(recording.header().newest_event);
            if epoch.flushes == join {
                let next = epoch.to;
                epochs.push(std::mem::take(&mut epoch));
                epoch.from = next;
            }
        }
        if entry.is_write() {
            epoch.writes += 1;
            epoch.size += u64::from(raw.nr_sectors) * SECTOR;
            epoch.fua += u64::from(raw.flags.contains(Flags::FUA));
        } else if entry.flush_complete().is_none() {
            epoch.marks += 1;
        }
    }
    epoch.to = recording.header().newest_event;
    epochs.push(epoch);
    for epoch in &mut epochs {
        epoch.bytes = size::human(epoch.size);
    }
    epochs
}

/// A row of the table of all violations.
pub struct Found {
    pub id: String,
    pub cut: Event,
    pub kind: String,
    pub how: String,
    pub kept: usize,
    pub lost: usize,
    pub says: String,
}

pub fn all(violations: &[Violation], limit: usize) -> Vec<Found> {
    let row = |violation: &Violation| {
        let says = violation.output.trim().lines().last().unwrap_or_default();
        Found {
            id: short(&violation.id, 60),
            cut: violation.cut,
            kind: violation.kind.to_string(),
            how: violation.how.clone(),
            kept: violation.kept.len(),
            lost: violation.lost.len(),
            says: short(says, 90),
        }
    };
    violations.iter().take(limit).map(row).collect()
}

fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.into(),
    }
}
