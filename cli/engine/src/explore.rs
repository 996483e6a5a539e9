// SPDX-License-Identifier: GPL-2.0

//! Goes through the states of a strategy, leaves out those that cannot differ,
//! and has the others examined.
//!
//! Three things make states one: an equal image with equal marks (content), an
//! equal image in all that a run has read (reads), and being dominated by
//! another cut ([`powercut_model::spans`]). What comes out is a function of the
//! recording, the plan and what the check does, not of how many run at a time.

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
mod scheduler;
mod stream;
mod units;
mod worklist;

use num_bigint::BigUint;
use powercut_model::Event;

use crate::choices::Choices;
use crate::count;
use crate::stop::Stop;
use crate::strategy::Space;

pub use examinations::{Desk, Key, Runner, Seen, Serial};
pub use images::{dominated, images};
pub use journal::{Journal, RUNS};
pub use outcome::{
    Again, Covered, End, Outcome, Plan, Progress, Recoveries, Repeats, Shard, Violation,
};

/// Somebody who wants to know how far it is.
pub trait Watch {
    fn progress(&mut self, progress: Progress);
    /// A state of this cut was examined.
    fn examined(&mut self, _cut: Event) {}
    fn violation(&mut self, _choices: &Choices<'_>, _violation: &Violation) {}
}

/// The number of legal states over all dominating cuts.
pub fn legal_states(space: &Space<'_>) -> BigUint {
    let cuts = space.cuts().iter();
    cuts.filter_map(|cut| space.choices(*cut))
        .map(|choices| count::states(&choices))
        .sum()
}

/// Explores. There is an outcome in any case; beside it the error, if one was why it ended.
pub fn explore(
    space: &Space<'_>,
    plan: &Plan,
    desk: &mut Desk<'_>,
    stop: &dyn Stop,
    watch: &mut dyn Watch,
) -> (Outcome, Option<anyhow::Error>) {
    let mut explorer = explorer::Explorer::new(space, plan, watch);
    let mut examinations = examinations::Examinations::new(desk);
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
mod tests;
#[cfg(test)]
mod trial;
