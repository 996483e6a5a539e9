// SPDX-License-Identifier: GPL-2.0

//! Which acknowledgement a state breaks.

use anyhow::Result;

use super::trials::{Answer, Trials};
use crate::choices::Choices;
use crate::keep::Keep;

/// The index of the mark that makes a state fail: held to the marks before it,
/// the state passes. None: it fails whatever was acknowledged, or the trials ran
/// out.
pub fn broken(
    trials: &mut Trials<'_>,
    choices: &Choices<'_>,
    keep: &Keep,
    marks: usize,
) -> Result<Option<usize>> {
    // Of these many it passes; of these many it fails, in whatever way.
    let (mut passes, mut fails) = (0, marks);
    if marks == 0 || trials.passes(choices, keep, 0)? != Some(true) {
        return Ok(None);
    }
    // The newest is the likeliest.
    let mut middle = marks - 1;
    while fails - passes > 1 {
        match trials.ask(choices, keep, middle)? {
            Some(Answer::Passes) => passes = middle,
            Some(Answer::Fails | Answer::FailsOtherwise) => fails = middle,
            Some(Answer::CannotTell) | None => return Ok(None),
        }
        middle = passes + (fails - passes) / 2;
    }
    Ok(Some(passes))
}
