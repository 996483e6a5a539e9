// SPDX-License-Identifier: GPL-2.0

//! Writes that newer ones replaced before they were ever stable.
//!
//! Unit by unit, from the newest write of each to the oldest. Of the newer ones it is enough to know,
//! for each part of the unit that some of them cover, when the first of these started.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use powercut_model::{coverage, Event, History, Mask};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stability::Stability;
use super::tally::{count, EXAMPLES};
use crate::abi::Flags;
use crate::recording::Recording;

/// What was written for nothing.
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
    /// All of them, by their submit.
    #[serde(default)]
    pub events: Vec<Event>,
}

/// What became of an entry so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It writes nothing, or it is stable at once.
    None,
    /// All of it that was looked at was written anew before it was stable.
    Replaced,
    Needed,
}

pub fn overwritten(recording: &Recording, stability: &Stability) -> Overwritten {
    let mut found = Overwritten::default();
    let mut places: HashMap<u64, u64> = HashMap::new();
    let fates = fates(recording, stability);
    for (recorded, fate) in recording.entries().iter().zip(fates) {
        if fate == Fate::Replaced {
            found.writes += 1;
            found.bytes += recorded.bytes();
            count(&mut found.tasks, recording.task(recorded));
            *places.entry(recorded.sector()).or_default() += 1;
            found.events.push(recorded.submit());
        }
    }
    found.places = places.into_iter().collect();
    found
        .places
        .sort_unstable_by_key(|(sector, n)| (Reverse(*n), *sector));
    found.places.truncate(EXAMPLES);
    let places = found.places.iter();
    let names = places.filter_map(|(sector, _)| recording.members().place_in_group(*sector));
    found.names = names.collect();
    found
}

fn fates(recording: &Recording, stability: &Stability) -> Vec<Fate> {
    let entries = recording.entries();
    let geometry = recording.geometry();
    let mut fates = vec![Fate::None; entries.len()];
    // By what they cover of the unit: the first start of newer writes.
    let mut newer: Vec<(Mask, Event)> = Vec::new();
    for (unit, writes) in recording.units() {
        newer.clear();
        for index in writes.iter().rev() {
            let index = *index as usize;
            let recorded = &entries[index];
            let own = coverage(geometry, &recorded.entry(), unit);
            if !recorded.flags().contains(Flags::FUA) {
                let stable = stability.stable(index);
                let until = stable.map_or(Event::MAX, |(event, _)| event);
                let covers =
                    |(mask, start): &(Mask, Event)| *start < until && own.without(*mask).is_empty();
                fates[index] = match (fates[index], newer.iter().any(covers)) {
                    (Fate::None | Fate::Replaced, true) => Fate::Replaced,
                    _ => Fate::Needed,
                };
            }
            match newer.iter_mut().find(|(mask, _)| mask.bits() == own.bits()) {
                Some((_, start)) => *start = recorded.start().min(*start),
                None => newer.push((own, recorded.start())),
            }
        }
    }
    fates
}
