// SPDX-License-Identifier: GPL-2.0

//! Judges what a power cut left, by what the program had done until then.
//!
//! With `returned` operations done, whatever was made durable by then is no older than when it was
//! made so, and nothing is newer than the operation after them, which may have been under way.

mod contents;
mod names;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::events::Events;
use crate::history::{FileNr, History};
use crate::problem::{Problem, Rule};
use crate::trace::Trace;
use crate::tree::Tree;

/// What is wrong with `found`, with so many operations done when the power was cut.
pub fn judge(trace: &Trace, returned: usize, found: &Tree) -> Vec<Problem> {
    let history = History::of(trace);
    let events = Events::of(trace, &history);
    let returned = returned.min(trace.steps.len());
    let judge = Judge {
        trace,
        history: &history,
        events: &events,
        returned,
        last: (returned + 1).min(trace.steps.len()),
        found,
    };
    let mut problems = Vec::new();
    let files = judge.names(&mut problems);
    for (inode, nr) in &files {
        judge.contents(*inode, *nr, &mut problems);
    }
    problems
}

struct Judge<'j> {
    trace: &'j Trace,
    history: &'j History<'j>,
    events: &'j Events,
    /// Operations that had returned.
    returned: usize,
    /// The newest moment that may show.
    last: usize,
    found: &'j Tree,
}

/// Which file each inode found is.
type Files = BTreeMap<u64, FileNr>;

impl Judge<'_> {
    /// The path of an inode found.
    fn path(&self, inode: u64) -> String {
        self.found.path(inode)
    }

    fn after(&self) -> String {
        match self.returned {
            0 => "before any operation returned".into(),
            nr => format!(
                "with operation {nr} ({}) returned",
                self.trace.steps[nr - 1].op
            ),
        }
    }

    /// Who made something durable that is not there.
    fn since(&self, at: usize) -> String {
        match at {
            0 => "durable since before the program".into(),
            nr => format!(
                "durable since operation {nr}: {}",
                self.trace.steps[nr - 1].op
            ),
        }
    }

    fn problem(&self, rule: Rule, text: &str) -> Problem {
        Problem::new(rule, format!("{text}, {}", self.after()))
    }
}
