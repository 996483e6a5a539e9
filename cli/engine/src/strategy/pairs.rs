// SPDX-License-Identifier: GPL-2.0

//! Two writes at a time.

use std::rc::Rc;

use powercut_model::Event;

use super::{Space, State};
use crate::keep::Keep;

/// Two writes lost and the others kept, then two kept and the others lost;
/// those that follow each other most closely first.
pub fn pairs<'s, 'r: 's>(
    space: &'s Space<'r>,
    cuts: impl Iterator<Item = Event> + 's,
) -> impl Iterator<Item = State<'r>> + 's {
    space.at(cuts, |choices| {
        let choices = Rc::clone(choices);
        let writes = choices.telling_writes();
        let nr = writes.len();
        let pairs = (1..nr).flat_map(move |apart| (0..nr - apart).map(move |at| (at, at + apart)));
        pairs.flat_map(move |(a, b)| {
            let (a, b) = (writes[a].1.clone(), writes[b].1.clone());
            let chosen = move |index: usize| a.contains(&index) || b.contains(&index);
            [
                Keep::that(choices.len(), |index| !chosen(index)),
                Keep::that(choices.len(), chosen),
            ]
        })
    })
}
