// SPDX-License-Identifier: GPL-2.0

//! What a report's runs are of: names, with hashes, for its record, check and plan.

use powercut_engine::explore::Header;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use super::model::{PlanFacts, Record, Report};

impl Report {
    /// What its runs are of.
    pub fn header(&self) -> Header {
        let Record { hash, events, .. } = &self.record;
        let what = &self.examination;
        // These may be others when it goes on.
        let plan = PlanFacts {
            budget: String::new(),
            stop_on_first: false,
            max_violations: None,
            ..self.plan.clone()
        };
        Header {
            record: format!(
                "{hash} ({events} events, {})",
                digest(&(&self.disk, &self.record))
            ),
            examination: format!("{} ({})", digest(what), what.check),
            plan: format!(
                "{} ({}, seed {}, depth {})",
                digest(&plan),
                plan.strategy,
                plan.seed,
                plan.depth
            ),
        }
    }
}

/// A short name for a value.
fn digest(value: &impl Serialize) -> String {
    let text = serde_json::to_vec(value).unwrap_or_default();
    format!("{:016x}", xxh3_64(&text))
}
