// SPDX-License-Identifier: GPL-2.0

//! A state of the same cut that passes.

use anyhow::Result;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::trials::Trials;
use crate::choices::Choices;
use crate::keep::Keep;

/// What the search for a state that passes came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passing {
    pub keep: Option<Keep>,
    /// States tried, equal images counted once.
    pub tried: u64,
    /// Every state of the cut was tried.
    pub all: bool,
}

/// Looks where it is likeliest: everything kept, nothing kept, all but one
/// write, one write, then all states if they are few, else some at random.
/// Takes up to `budget` trials.
pub fn passing(
    trials: &mut Trials<'_>,
    choices: &Choices<'_>,
    marks: usize,
    budget: u64,
) -> Result<Passing> {
    let before = trials.runs;
    let writes = choices.writes();
    let but = writes
        .iter()
        .map(|(_, pieces)| choices.that(|p| !pieces.contains(&p)));
    let only = writes
        .iter()
        .map(|(_, pieces)| choices.that(|p| pieces.contains(&p)));
    let every = every(choices, budget);
    let all = every.is_some();
    let others: Box<dyn Iterator<Item = Keep>> = match every {
        Some(every) => Box::new(every.into_iter()),
        None => Box::new(at_random(choices)),
    };
    let likely = [choices.all(), choices.none()].into_iter();
    // Equal images take no trial: without a bound on states, random ones of a
    // cut with few images would come for ever.
    let bound = if all {
        usize::MAX
    } else {
        usize::try_from(budget)?.saturating_mul(4).max(4) + 2 * writes.len()
    };
    let states = likely.chain(but).chain(only).chain(others);
    let mut images = std::collections::HashSet::new();
    let mut done = all;
    for keep in states.take(bound) {
        images.insert(choices.image(&keep));
        let spent = trials.runs - before >= budget;
        if spent {
            done = false;
            break;
        }
        match trials.passes(choices, &keep, marks)? {
            Some(true) => {
                return Ok(Passing {
                    keep: Some(choices.canonical(&keep)),
                    tried: images.len() as u64,
                    all: false,
                })
            }
            Some(false) => {}
            None => {
                images.remove(&choices.image(&keep));
                done = false;
                break;
            }
        }
    }
    Ok(Passing {
        keep: None,
        tried: images.len() as u64,
        all: done,
    })
}

/// Every state of the cut, if there are no more than `limit`.
fn every(choices: &Choices<'_>, limit: u64) -> Option<Vec<Keep>> {
    let limit = usize::try_from(limit).ok()?;
    if choices.has_prefixes() {
        return choices.every_prefix(limit);
    }
    let mut states = vec![choices.none()];
    for unit in choices.units() {
        let options = choices.options(unit, limit)?;
        if states.len().checked_mul(options.len())? > limit {
            return None;
        }
        let with = |keep: &Keep, pieces: &Vec<u32>| {
            let mut keep = keep.clone();
            pieces.iter().for_each(|p| keep.insert(*p as usize));
            keep
        };
        states = states
            .iter()
            .flat_map(|keep| {
                options
                    .iter()
                    .map(move |content| with(keep, &content.pieces))
            })
            .collect();
    }
    Some(states)
}

fn at_random<'c>(choices: &'c Choices<'_>) -> impl Iterator<Item = Keep> + 'c {
    let mut rng = ChaCha8Rng::seed_from_u64(choices.event());
    std::iter::repeat_with(move || {
        if choices.has_prefixes() {
            return choices.prefixes_by(|len| rng.next_u32() % (len + 1));
        }
        let mut keep = choices.none();
        for piece in 0..choices.len() {
            if rng.next_u32() & 1 == 1 {
                keep.insert(piece);
            }
        }
        keep
    })
}
