// SPDX-License-Identifier: GPL-2.0

//! Two writes at a time.

use std::rc::Rc;

use powercut_model::Event;

use super::{Space, State};

/// Two writes lost and the others kept, then two kept and the others lost;
/// those that follow each other most closely first.
pub fn pairs<'s, 'r: 's>(
    space: &'s Space<'r>,
    cuts: impl Iterator<Item = Event> + 's,
) -> impl Iterator<Item = State<'r>> + 's {
    space.at(cuts, |choices| {
        let choices = Rc::clone(choices);
        let nr = choices.telling_writes().len();
        let pairs = (1..nr).flat_map(move |apart| (0..nr - apart).map(move |at| (at, at + apart)));
        pairs.flat_map(move |(a, b)| {
            let writes = choices.telling_writes();
            let (mut lost, mut kept) = (choices.all(), choices.none());
            for piece in [a, b]
                .into_iter()
                .flat_map(|nr| choices.pieces_of(writes[nr]))
            {
                lost.remove(piece);
                kept.insert(piece);
            }
            [lost, kept]
        })
    })
}
