// SPDX-License-Identifier: GPL-2.0

//! States that vary the writes of one class: all of them, or one that stands for the others.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::rc::Rc;

use powercut_model::Event;

use super::classes::Class;
use super::kinds::Kinds;
use super::tears::parts;
use super::{Space, State};
use crate::choices::Choices;
use crate::keep::Keep;

/// More classes than this at one cut are not varied.
const CLASSES: usize = 16;

/// What is done to a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Change {
    /// All of it lost and the others kept.
    Without,
    /// All of it kept and the others lost.
    Alone,
    /// One write lost, one kept; the first or the last of the class.
    DropOne,
    KeepOne,
    /// The largest write torn, in the way of that number.
    Tear(usize),
}

/// Of each cut the states with a whole class lost, or alone kept; each for the first cut of its kind
/// only.
pub fn classes<'s, 'r: 's>(
    space: &'s Space<'r>,
    cuts: impl Iterator<Item = Event> + 's,
) -> impl Iterator<Item = State<'r>> + 's {
    novel(space, cuts, |choices, kinds| {
        let mut found = Vec::new();
        for (class, writes) in by_class(choices, kinds) {
            let (mut without, mut alone) = (choices.all(), choices.none());
            for piece in writes.into_iter().flatten() {
                without.remove(piece);
                alone.insert(piece);
            }
            found.push((class, Change::Without, without));
            found.push((class, Change::Alone, alone));
        }
        found
    })
}

/// Of each cut and class the states with one write lost, alone kept, or torn; each for the first
/// cut of its kind only.
pub fn singles<'s, 'r: 's>(
    space: &'s Space<'r>,
    cuts: impl Iterator<Item = Event> + 's,
) -> impl Iterator<Item = State<'r>> + 's {
    novel(space, cuts, |choices, kinds| {
        let mut found = Vec::new();
        for (class, writes) in by_class(choices, kinds) {
            let (Some(first), Some(last)) = (writes.first(), writes.last()) else {
                continue;
            };
            let keep = choices.that(|index| !last.contains(&index));
            found.push((class, Change::DropOne, keep));
            let keep = choices.that(|index| first.contains(&index));
            found.push((class, Change::KeepOne, keep));
            let largest = writes.iter().max_by_key(|pieces| pieces.len());
            let torn = largest
                .into_iter()
                .flat_map(|pieces| parts(choices, pieces));
            for (nr, part) in torn.enumerate() {
                let lost = |index: usize| {
                    largest.is_some_and(|all| all.contains(&index)) && !part.contains(&index)
                };
                let keep = choices.that(|index| !lost(index));
                found.push((class, Change::Tear(nr), keep));
            }
        }
        found
    })
}

/// The telling writes of a cut, by class, each by its pieces.
fn by_class(choices: &Choices<'_>, kinds: &Kinds) -> BTreeMap<Class, Vec<Range<usize>>> {
    let mut by_class: BTreeMap<Class, Vec<Range<usize>>> = BTreeMap::new();
    for write in choices.telling_writes() {
        let (entry, pieces) = choices.writes()[*write as usize].clone();
        let class = kinds.classes.of(entry);
        if by_class.len() < CLASSES || by_class.contains_key(&class) {
            by_class.entry(class).or_default().push(pieces);
        }
    }
    by_class
}

/// For each of these cuts what `make` names, if that was not named for a cut of its kind before.
fn novel<'s, 'r: 's>(
    space: &'s Space<'r>,
    cuts: impl Iterator<Item = Event> + 's,
    make: impl Fn(&Choices<'r>, &Kinds) -> Vec<(Class, Change, Keep)> + 's,
) -> impl Iterator<Item = State<'r>> + 's {
    let mut known = HashSet::new();
    let choices = cuts.filter_map(|cut| space.choices(cut));
    choices.flat_map(move |choices| {
        let kind = space.kind_of(choices.event());
        let mut found = make(&choices, space.kinds());
        found.retain(|(class, change, _)| known.insert((kind, *class, *change)));
        found.into_iter().map(move |(.., keep)| State {
            keep: choices.legal(&keep),
            choices: Rc::clone(&choices),
        })
    })
}
