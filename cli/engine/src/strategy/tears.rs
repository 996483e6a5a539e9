// SPDX-License-Identifier: GPL-2.0

//! Writes of several units that survive in part.

use std::ops::Range;
use std::rc::Rc;

use powercut_model::Event;

use super::{Space, State};
use crate::abi::Flags;
use crate::choices::Choices;

/// Each write torn, the others kept: its first unit alone, all but its first,
/// its first half, its second half, all but its last, its last alone; where
/// writes survive as prefixes, the first of each two. Those that commit something (FUA, or with a flush of their own) first.
pub fn tears<'s, 'r: 's>(
    space: &'s Space<'r>,
    cuts: impl Iterator<Item = Event> + 's,
) -> impl Iterator<Item = State<'r>> + 's {
    space.at(cuts, |choices| {
        let choices = Rc::clone(choices);
        let writes = choices.telling_writes().iter().copied();
        let writes = writes.filter(|write| choices.pieces_of(*write).len() > 1);
        let (commits, others): (Vec<u32>, Vec<u32>) =
            writes.partition(|write| is_commit(&choices, *write));
        commits.into_iter().chain(others).flat_map(move |write| {
            let choices = Rc::clone(&choices);
            let pieces = choices.pieces_of(write);
            let parts = parts(&choices, &pieces).into_iter();
            parts.map(move |part| {
                choices.that(|index| !pieces.contains(&index) || part.contains(&index))
            })
        })
    })
}

/// Everything kept, but that each write which may cost its neighbours costs all of them; then one
/// after the other.
pub fn costs<'s, 'r: 's>(
    space: &'s Space<'r>,
    cuts: impl Iterator<Item = Event> + 's,
) -> impl Iterator<Item = State<'r>> + 's {
    space.at(cuts, |choices| {
        let telling = choices.telling();
        let lost = choices.losses().filter(|(nr, _)| telling.contains(*nr));
        let lost: Vec<(usize, usize)> = lost.map(|(nr, piece)| (piece.entry, nr)).collect();
        let by_write = || lost.chunk_by(|one, next| one.0 == next.0);
        let several = by_write().filter(|lost| lost.len() > 1);
        let alone = several.flat_map(|lost| lost.chunks(1));
        let states = by_write().chain(alone).map(|lost| {
            let mut keep = choices.all();
            lost.iter().for_each(|(_, nr)| keep.insert(*nr));
            keep
        });
        states.collect::<Vec<_>>()
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

fn is_commit(choices: &Choices<'_>, write: u32) -> bool {
    let entry = choices.writes()[write as usize].0;
    let flags = choices.recording().entries()[entry].flags();
    flags.contains(Flags::FUA) || flags.contains(Flags::PREFLUSH)
}
