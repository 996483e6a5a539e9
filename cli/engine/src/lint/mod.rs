// SPDX-License-Identifier: GPL-2.0

//! What a log alone tells, without a single crash: acknowledgements that came
//! before their writes were stable, flushes for nothing, writes for nothing.
//!
//! It sees what reached the disk. What was still in the page cache when it was
//! acknowledged leaves no trace in the log: `explore` finds that.
//!
//! Nothing here takes more than n log n of the log's length.

mod idle;
mod overwritten;
mod promises;
mod stability;
mod tally;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::acknowledged::Acknowledged;
use crate::recording::Recording;

pub use idle::Idle;
pub use overwritten::Overwritten;
pub use promises::{AtRisk, Risk};
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

pub fn lint(recording: &Recording) -> Lint {
    let stability = Stability::of(recording);
    let (at_risk, silent) = promises::promises(recording, &stability);
    Lint {
        schema: 1,
        marks: recording.marks().len() as u64,
        at_risk,
        silent,
        idle_flushes: idle::idle(recording, &stability),
        overwritten: overwritten::overwritten(recording, &stability),
    }
}
