// SPDX-License-Identifier: GPL-2.0

//! Goes through the states of a strategy, leaves out those that cannot differ,
//! and has the others examined.
//!
//! Three things make states one: an equal image with equal marks (content), an
//! equal image in all that a run has read (reads), and being dominated by
//! another cut ([`powercut_model::spans`]). What comes out is a function of the
//! recording, the plan and what the check does, not of how many run at a time.
//! What is assumed of the check is said in the crate's documentation.
//!
//! The `Explorer` asks the `Scheduler` which candidate is next, and the `Cache`
//! whether an earlier run speaks for it. If none does, it has it examined by way of
//! the `Examinations`, which look ahead and note in the [`Journal`] what they see. It
//! tells the `Scheduler` what was read, so that this can take apart what is left, and
//! the `Account` what the verdict covers.

mod account;
mod cache;
mod candidate;
mod examinations;
mod explorer;
mod images;
mod journal;
mod outcome;
mod partition;
mod prefixes;
mod rank;
mod scheduler;
mod seen;
mod stream;
mod units;
mod watch;
mod worklist;

use num_bigint::BigUint;

use crate::stop::Stop;
use crate::strategy::Space;

pub use crate::recoveries::Recoveries;
pub use examinations::{JournaledRunner, Runner, Serial};
pub use images::{dominated, images};
pub use journal::{Header, Journal, JournalFile, RUNS};
pub use outcome::{
    Again, Covered, End, Looked, Outcome, Plan, Progress, Repeats, Shard, Violation,
};
pub use rank::Rank;
pub use seen::{Key, Seen};
pub use watch::Watch;

/// The number of legal states over all dominating cuts.
pub fn legal_states(space: &Space<'_>) -> BigUint {
    space.legal().clone()
}

/// Explores. There is an outcome in any case; beside it the error, if one was why it ended.
pub fn explore(
    space: &Space<'_>,
    plan: &Plan,
    runner: &mut JournaledRunner<'_>,
    stop: &dyn Stop,
    watch: &mut dyn Watch,
) -> (Outcome, Option<anyhow::Error>) {
    let mut explorer = explorer::Explorer::new(space, plan, watch);
    let mut examinations = examinations::Examinations::new(runner);
    let (end, error) = explorer.work(&mut examinations, stop);
    if matches!(end, End::Interrupted(_) | End::Failed) {
        examinations.settle();
    }
    explorer.take_in(examinations.left_over(), end);
    (explorer.finish(end), error)
}

#[cfg(test)]
mod accounts;
#[cfg(test)]
mod planted;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trial;
#[cfg(test)]
mod violations;
