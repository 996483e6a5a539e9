// SPDX-License-Identifier: GPL-2.0

//! The first write after a cut that mends it: found among crashes without
//! reordering, held to the promises of the cut.

use anyhow::Result;
use powercut_model::{Cut, Event};

use super::trials::{Answer, Trials};
use crate::choices::Choices;
use crate::recording::Recording;

/// An event such that everything up to it kept passes, and everything up to the
/// event before it does not. None: none was found.
pub fn mended_by(
    trials: &mut Trials<'_>,
    recording: &Recording,
    cut: Event,
    marks: usize,
) -> Result<Option<Event>> {
    let last = recording.header().newest_event;
    let mut passes = |event: Event| -> Result<Option<bool>> {
        let Ok(at) = Cut::new(recording, event) else {
            return Ok(None);
        };
        let choices = Choices::new(recording, at);
        let answer = trials.ask(&choices, &choices.all(), marks)?;
        Ok(answer.map(|a| a == Answer::Passes))
    };
    // Further and further away until one passes.
    let (mut bad, mut step) = (cut, 1);
    let mut good = loop {
        if bad >= last {
            return Ok(None);
        }
        let next = (bad + step).min(last);
        match passes(next)? {
            None => return Ok(None),
            Some(true) => break next,
            Some(false) => (bad, step) = (next, step * 2),
        }
    };
    while good - bad > 1 {
        let middle = bad + (good - bad) / 2;
        match passes(middle)? {
            None => return Ok(None),
            Some(true) => good = middle,
            Some(false) => bad = middle,
        }
    }
    Ok(Some(good))
}
