// SPDX-License-Identifier: GPL-2.0

//! What a log alone tells, without a single crash: acknowledgements that came
//! before their writes were stable, flushes for nothing, writes for nothing.
//!
//! It sees what reached the disk. What was still in the page cache when it was
//! acknowledged leaves no trace in the log: `explore` finds that.

mod stability;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use powercut_model::Event;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::abi::{Flags, SECTOR};
use crate::acknowledged::Acknowledged;
use crate::recording::{Recorded, Recording};

pub use stability::Stability;

/// All that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lint {
    /// 1
    pub schema: u32,
    /// The marks in the log.
    pub marks: u64,
    /// Those with writes before them that were not yet stable.
    pub at_risk: Vec<AtRisk>,
    /// Those between which and the mark before nothing was written at all.
    pub silent: Vec<Acknowledged>,
    pub idle_flushes: Idle,
    pub overwritten: Overwritten,
}

/// An acknowledgement that came too early.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AtRisk {
    pub mark: Acknowledged,
    /// Writes complete or in flight by then that no flush or FUA covered.
    pub writes: u64,
    pub bytes: u64,
    /// Those since the mark before.
    pub own_writes: u64,
    pub tasks: Vec<String>,
    /// The first of them.
    pub first_write: Event,
    /// When the last of them was stable; none: never in this log.
    pub safe_at: Option<Event>,
    /// Milliseconds from the mark to then, or to the end of the log.
    pub ms: f64,
}

/// Flushes that had nothing to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Idle {
    /// All flushes, those with data included.
    pub flushes: u64,
    /// Those that made nothing stable that was not so before.
    pub idle: u64,
    /// Those by who asked for them.
    pub tasks: BTreeMap<String, u64>,
    /// The first of them, by their submit.
    pub first: Vec<Event>,
}

/// Writes that a newer one replaced before they were ever stable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Overwritten {
    pub writes: u64,
    pub bytes: u64,
    pub tasks: BTreeMap<String, u64>,
    /// Where most of them are: the first sector and how many.
    pub places: Vec<(u64, u64)>,
    /// The first sectors of these on their disks, of a group: `log+2048`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub names: Vec<String>,
}

/// Examples listed.
const EXAMPLES: usize = 8;

pub fn lint(recording: &Recording) -> Lint {
    let stability = Stability::of(recording);
    let (at_risk, silent) = marks(recording, &stability);
    Lint {
        schema: 1,
        marks: recording.marks().len() as u64,
        at_risk,
        silent,
        idle_flushes: idle(recording, &stability),
        overwritten: overwritten(recording, &stability),
    }
}

fn bytes(recorded: &Recorded) -> u64 {
    u64::from(recorded.raw.nr_sectors) * SECTOR
}

fn marks(recording: &Recording, stability: &Stability) -> (Vec<AtRisk>, Vec<Acknowledged>) {
    let (mut at_risk, mut silent) = (Vec::new(), Vec::new());
    let entries = recording.entries();
    let end = entries
        .iter()
        .map(|r| r.raw.submitted_ns)
        .max()
        .unwrap_or(0);
    // The writes seen that may still not be stable at the next mark.
    let mut open: Vec<usize> = Vec::new();
    let (mut at, mut since) = (0, 0);
    let mut previous = 0;
    for mark in recording.marks() {
        while at < entries.len() && entries[at].raw.submit < mark.event {
            if entries[at].entry.is_write() {
                open.push(at);
                since += 1;
            }
            at += 1;
        }
        open.retain(|index| !stability.is_stable(*index, mark.event));
        if since == 0 {
            silent.push(mark.into());
        }
        if !open.is_empty() {
            let time = entries.get(at).map_or(end, |r| r.raw.submitted_ns);
            at_risk.push(risk(
                recording,
                stability,
                &open,
                mark.into(),
                previous,
                (time, end),
            ));
        }
        (since, previous) = (0, mark.event);
    }
    (at_risk, silent)
}

/// `times`: of the mark and of the log's end, in nanoseconds.
fn risk(
    recording: &Recording,
    stability: &Stability,
    open: &[usize],
    mark: Acknowledged,
    previous: Event,
    times: (u64, u64),
) -> AtRisk {
    let entries = || open.iter().map(|index| &recording.entries()[*index]);
    let mut tasks: Vec<String> = entries().map(|r| r.raw.task.clone()).collect();
    tasks.sort();
    tasks.dedup();
    let stable: Option<Vec<(Event, u64)>> =
        open.iter().map(|index| stability.stable(*index)).collect();
    let safe = stable.and_then(|all| all.into_iter().max());
    let until = safe.map_or(times.1, |(_, ns)| ns);
    AtRisk {
        writes: open.len() as u64,
        bytes: entries().map(bytes).sum(),
        own_writes: entries().filter(|r| r.raw.submit > previous).count() as u64,
        tasks,
        first_write: entries().map(|r| r.raw.submit).min().unwrap_or(0),
        safe_at: safe.map(|(event, _)| event),
        ms: until.saturating_sub(times.0) as f64 / 1e6,
        mark,
    }
}

/// A flush covers something if there is a write that is complete by its submit
/// and was stable neither through FUA nor through a flush before.
fn idle(recording: &Recording, stability: &Stability) -> Idle {
    let mut found = Idle::default();
    let entries = recording.entries();
    for (index, recorded) in entries.iter().enumerate() {
        if recorded.entry.flush_complete().is_none() {
            continue;
        }
        found.flushes += 1;
        if stability.covers(index) {
            continue;
        }
        found.idle += 1;
        *found.tasks.entry(recorded.raw.task.clone()).or_default() += 1;
        if found.first.len() < EXAMPLES {
            found.first.push(recorded.raw.submit);
        }
    }
    found
}

fn overwritten(recording: &Recording, stability: &Stability) -> Overwritten {
    let mut found = Overwritten::default();
    let mut places: HashMap<u64, u64> = HashMap::new();
    let entries = recording.entries();
    let geometry = powercut_model::History::geometry(recording);
    for (index, recorded) in entries.iter().enumerate() {
        let entry = &recorded.entry;
        if !entry.is_write() || recorded.raw.flags.contains(Flags::FUA) {
            continue;
        }
        let until = stability
            .stable(index)
            .map_or(Event::MAX, |(event, _)| event);
        // All of each of its units is written anew before it is stable.
        let replaced = powercut_model::units(geometry, entry).all(|unit| {
            let own = powercut_model::coverage(geometry, entry, unit);
            recording.writes_of(unit).iter().any(|newer| {
                let newer = &entries[*newer as usize].entry;
                newer.submit > entry.submit
                    && newer.start < until
                    && own
                        .without(powercut_model::coverage(geometry, newer, unit))
                        .is_empty()
            })
        });
        if replaced {
            found.writes += 1;
            found.bytes += bytes(recorded);
            *found.tasks.entry(recorded.raw.task.clone()).or_default() += 1;
            *places.entry(recorded.raw.sector).or_default() += 1;
        }
    }
    found.places = places.into_iter().collect();
    found
        .places
        .sort_unstable_by_key(|(sector, n)| (std::cmp::Reverse(*n), *sector));
    found.places.truncate(EXAMPLES);
    let places = found.places.iter();
    let names = places.filter_map(|(sector, _)| recording.members().place_in_group(*sector));
    found.names = names.collect();
    found
}
