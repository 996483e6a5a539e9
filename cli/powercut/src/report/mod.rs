// SPDX-License-Identifier: GPL-2.0

//! What an exploration found: as data first, then as JSON or text.

mod baseline;
mod conclusion;
mod coverage;
pub mod culprit;
mod fate;
mod faults;
mod found;
mod fuzzing;
pub mod github;
mod html;
mod identity;
mod imported;
mod junit;
mod kinds;
mod merge;
mod model;
mod rating;
mod recoveries;
mod register;
mod saved;
pub mod schema;
mod summary;
#[cfg(test)]
pub mod testing;
mod text;
mod violation;

pub use baseline::{Baseline, Passed};
pub use conclusion::{doubts, Conclusion};
pub use coverage::coverage;
pub use culprit::{culprit_lines, Belongs, Culprit, Suspect};
pub use fate::{fates, ranges, Write};
pub use faults::{outside, FaultFacts};
pub use found::Found;
pub use fuzzing::{fuzzing_junit, FuzzCounts, FuzzFinding, Fuzzing, FUZZING_FILE, FUZZING_SCHEMA};
pub use html::html;
pub use imported::{Imported, TASK_OF_UBLK};
pub use junit::{control, document, junit, suite, unexplored};
pub use merge::merge;
pub use model::{
    Coverage, DiskFacts, Ended, PlanFacts, Pruned, Record, Repeats, Report, Seconds, Source,
    SCHEMA, SCHEMA_FAULTS,
};
pub use rating::{Counts, Noticed, Rated, Rating, Watch, RATING_SCHEMA};
pub use recoveries::{copy_recoveries, copy_recovery, directory};
pub use register::{first_of_sorts, Register};
pub use saved::{compress, Saved, DEFAULT_DIR, PAGE};
pub use summary::{summary, summary_of, Row};
pub use text::{commands_line, details, state};
pub use violation::Violation;
