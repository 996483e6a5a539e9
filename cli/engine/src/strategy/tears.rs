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
    cuts: Vec<Event>,
) -> impl Iterator<Item = State<'r>> + 's {
    space.at(cuts, |choices| {
        let choices = Rc::clone(choices);
        let prefixes = choices.has_prefixes();
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
            let (first, end) = (pieces.start, pieces.end);
            let middle = first + pieces.len().div_ceil(2);
            let parts = [
                first..first + 1,
                first + 1..end,
                first..middle,
                middle..end,
                first..end - 1,
                end - 1..end,
            ];
            let choices = Rc::clone(&choices);
            let parts = parts.into_iter();
            let parts = parts.filter(move |part| !prefixes || part.start == first);
            parts.map(move |part| {
                Keep::that(choices.len(), |index| {
                    !pieces.contains(&index) || part.contains(&index)
                })
            })
        })
    })
}

fn is_commit(choices: &Choices<'_>, entry: usize) -> bool {
    let flags = choices.recording().entries()[entry].raw.flags;
    flags.contains(Flags::FUA) || flags.contains(Flags::PREFLUSH)
}
