// SPDX-License-Identifier: GPL-2.0

//! What a program did: what the filesystem held before it, and after each operation.

use serde::{Deserialize, Serialize};

use crate::level::Level;
use crate::op::Op;
use crate::tree::Tree;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// What the filesystem is held to.
    pub level: Level,
    /// See [`crate::level::has_fat`].
    pub has_fat: bool,
    pub before: Tree,
    pub steps: Vec<Step>,
}

/// An operation, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub op: Op,
    /// The errno that it failed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
    pub after: Tree,
}

impl Trace {
    /// What the filesystem held after so many operations.
    pub fn moment(&self, ops: usize) -> &Tree {
        match ops.checked_sub(1).and_then(|nr| self.steps.get(nr)) {
            Some(step) => &step.after,
            None => &self.before,
        }
    }
}

/// The mark that says that operation number `nr`, counted from 1, has returned.
pub fn mark(nr: usize, op: &Op) -> String {
    format!("{nr} {op}")
}

/// How many operations had returned, by the marks.
pub fn returned<'m>(marks: impl Iterator<Item = &'m str>) -> usize {
    let numbers = marks.filter_map(|mark| mark.split(' ').next()?.parse().ok());
    numbers.max().unwrap_or(0)
}
