// SPDX-License-Identifier: GPL-2.0

//! Flushes that had nothing to do.

use std::collections::BTreeMap;

use powercut_model::Event;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stability::Stability;
use super::tally::{count, EXAMPLES};
use crate::recording::Recording;

/// Flushes, and those for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Idle {
    /// All flushes, those with data included.
    pub flushes: u64,
    /// Those that made nothing stable that was not so before.
    pub idle: u64,
    /// The same, by the task that submitted them.
    pub tasks: BTreeMap<String, u64>,
    /// The first of them, by their submit.
    pub first: Vec<Event>,
    /// All of them.
    #[serde(default)]
    pub events: Vec<Event>,
}

/// A flush covers something if there is a write that is complete by its submit
/// and was stable neither through FUA nor through a flush before.
pub fn idle(recording: &Recording, stability: &Stability) -> Idle {
    let mut found = Idle::default();
    for (index, recorded) in recording.entries().iter().enumerate() {
        if recorded.flush_complete().is_none() {
            continue;
        }
        found.flushes += 1;
        if stability.covers(index) {
            continue;
        }
        found.idle += 1;
        count(&mut found.tasks, recording.task(recorded));
        found.events.push(recorded.submit());
    }
    found.first = found.events.iter().take(EXAMPLES).copied().collect();
    found
}
