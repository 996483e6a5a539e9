// SPDX-License-Identifier: GPL-2.0

//! The baseline in a report: what the check said of disks that no power cut left.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The check was run on these disks before any state was explored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Baseline {
    /// The disk as it was before the workload, with no marks.
    pub before: Passed,
    /// The disk as the finished workload left it, with all marks; absent if only the record was
    /// there, or the disk was told to do something wrong.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<Passed>,
    pub seconds: f64,
}

/// What the check said: a failure is an error, and in no report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Passed {
    Consistent,
    /// It could not tell (exit 125).
    Skipped,
}
