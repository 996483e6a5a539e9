// SPDX-License-Identifier: GPL-2.0

//! Writes of several units that survive in part.

use std::ops::Range;
use std::rc::Rc;

use powercut_model::Event;

use super::{Space, State};
use crate::abi::Flags;
use crate::choices::Choices;
use crate::keep::Keep;

/// Each write torn, the others kept: its first unit alone, all but its first,
/// its first half, its second half, all but its last, its last alone; where
/// writes survive as prefixes, the first of each two. Those that commit something (FUA, or with a flush of their own) first.
pub fn tears<'s, 'r: 's>(
    space: &'s Space<'r>,
    cuts: impl Iterator<Item = Event> + 's,
) -> impl Iterator<Item = State<'r>> + 's {
    space.at(cuts, |choices| {
        let choices = Rc::clone(choices);
        let mut writes: Vec<Range<usize>> = Vec::new();
        let (commits, others): (Vec<_>, Vec<_>) = choices
            .telling_writes()
            .into_iter()
            .partition(|(entry, _)| is_commit(&choices, *entry));
        for (_, pieces) in commits.into_iter().chain(others) {
            if pieces.len() > 1 {
                writes.push(pieces);
            }
        }
        writes.into_iter().flat_map(move |pieces| {
            let choices = Rc::clone(&choices);
            let parts = parts(&choices, &pieces).into_iter();
            parts.map(move |part| {
                Keep::that(choices.len(), |index| {
                    !pieces.contains(&index) || part.contains(&index)
                })
            })
        })
    })
}

/// The parts of a write of several units that may be what is left of it.
pub fn parts(choices: &Choices<'_>, pieces: &Range<usize>) -> Vec<Range<usize>> {
    let (first, end) = (pieces.start, pieces.end);
    if pieces.len() < 2 {
        return Vec::new();
    }
    let middle = first + pieces.len().div_ceil(2);
    let mut parts = vec![
        first..first + 1,
        first + 1..end,
        first..middle,
        middle..end,
        first..end - 1,
        end - 1..end,
    ];
    parts.retain(|part| !choices.has_prefixes() || part.start == first);
    parts
}

fn is_commit(choices: &Choices<'_>, entry: usize) -> bool {
    let flags = choices.recording().entries()[entry].flags();
    flags.contains(Flags::FUA) || flags.contains(Flags::PREFLUSH)
}
