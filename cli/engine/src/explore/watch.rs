// SPDX-License-Identifier: GPL-2.0

//! What an exploration tells on the way.

use powercut_model::Event;

use super::outcome::{Progress, Violation};
use crate::choices::Choices;

/// Is told of the progress.
pub trait Watch {
    fn progress(&mut self, progress: Progress);
    /// A state of this cut was examined.
    fn examined(&mut self, _cut: Event) {}
    /// Of the state examined last, of this cut, the check could not tell.
    fn skipped(&mut self, _cut: Event) {}
    fn violation(&mut self, _choices: &Choices<'_>, _violation: &Violation) {}
}
