// SPDX-License-Identifier: GPL-2.0

//! The strategies that vary one thing at a time.

use std::cmp::Reverse;
use std::rc::Rc;

use powercut_model::{Event, History};

use super::{Space, State};
use crate::choices::Choices;

/// Everything kept, everything lost.
pub fn ends<'s, 'r: 's>(
    space: &'s Space<'r>,
    cuts: impl Iterator<Item = Event> + 's,
) -> impl Iterator<Item = State<'r>> + 's {
    space.at(cuts, |choices| [choices.all(), choices.none()])
}

/// At the last cut of the span of each mark, the newest first: everything lost, everything kept.
pub fn acknowledged<'s, 'r: 's>(space: &'s Space<'r>) -> impl Iterator<Item = State<'r>> + 's {
    let marks = space.recording().marks().iter().rev();
    let mut cuts: Vec<Event> = marks
        .filter_map(|mark| {
            let nr = space.cuts().partition_point(|cut| *cut < mark.event);
            space.cuts().get(nr).copied()
        })
        .collect();
    cuts.dedup();
    space.at(cuts.into_iter(), |choices| [choices.none(), choices.all()])
}

/// The cut after every event from the first on, everything kept.
pub fn prefix<'s, 'r: 's>(space: &'s Space<'r>) -> impl Iterator<Item = State<'r>> + 's {
    let last = space.recording().last_event();
    (space.first()..=last)
        .filter_map(|event| space.choices(event))
        .map(|choices| State {
            keep: choices.all(),
            choices,
        })
}

/// One write lost, the others kept.
pub fn drop_one<'s, 'r: 's>(
    space: &'s Space<'r>,
    cuts: impl Iterator<Item = Event> + 's,
) -> impl Iterator<Item = State<'r>> + 's {
    space.at(cuts, |choices| {
        let choices = Rc::clone(choices);
        (0..choices.telling_writes().len()).map(move |nr| {
            let pieces = choices.pieces_of(choices.telling_writes()[nr]);
            let mut keep = choices.all();
            pieces.for_each(|piece| keep.remove(piece));
            keep
        })
    })
}

/// One write kept, the others lost.
pub fn keep_one<'s, 'r: 's>(
    space: &'s Space<'r>,
    cuts: impl Iterator<Item = Event> + 's,
) -> impl Iterator<Item = State<'r>> + 's {
    space.at(cuts, |choices| {
        let choices = Rc::clone(choices);
        (0..choices.telling_writes().len()).map(move |nr| {
            let pieces = choices.pieces_of(choices.telling_writes()[nr]);
            let mut keep = choices.none();
            pieces.for_each(|piece| keep.insert(piece));
            keep
        })
    })
}

/// What was submitted before each mark of the span kept, what came after lost:
/// the newest mark at which something was pending and something is, first.
pub fn marks<'s, 'r: 's>(
    space: &'s Space<'r>,
    cuts: impl Iterator<Item = Event> + 's,
) -> impl Iterator<Item = State<'r>> + 's {
    space.at(cuts, |choices| {
        let recording = choices.recording();
        let submitted = |index: usize| {
            let entry = choices.pending()[index].entry;
            recording.entries()[entry].submit()
        };
        let (first, last) = match choices.pending().len() {
            0 => (Event::MAX, 0),
            len => (submitted(0), submitted(len - 1)),
        };
        let marks = recording.marks_by(choices.event()).iter().rev();
        let events: Vec<Event> = marks
            .map(|mark| mark.event)
            .skip_while(|event| *event > last)
            .take_while(|event| *event > first)
            .collect();
        let choices = Rc::clone(choices);
        events.into_iter().map(move |mark| {
            let pieces = choices.pending();
            let before = pieces.partition_point(|p| recording.entries()[p.entry].submit() < mark);
            choices.that(|index| index < before)
        })
    })
}

/// What was complete at an event kept, what was later lost, the latest such event first; and all lost. So
/// the disk is as it was then, if no flush since has made anything stable: on one whose flushes
/// lied, that is a drive that comes back as it was a while ago.
pub fn rollback<'s, 'r: 's>(
    space: &'s Space<'r>,
    cuts: impl Iterator<Item = Event> + 's,
) -> impl Iterator<Item = State<'r>> + 's {
    space.at(cuts, |choices| {
        let choices = Rc::clone(choices);
        let completed = |choices: &Choices<'_>, entry: usize| {
            let recorded = &choices.recording().entries()[entry];
            recorded.entry().complete
        };
        let writes = choices.writes().iter();
        let mut events: Vec<Event> = writes
            .map(|(entry, _)| completed(&choices, *entry))
            .collect();
        events.retain(|event| *event <= choices.event());
        events.push(0);
        events.sort_unstable_by_key(|event| Reverse(*event));
        events.dedup();
        events.into_iter().map(move |event| {
            choices.that(|index| completed(&choices, choices.pieces()[index].entry) <= event)
        })
    })
}

/// All but the newest version of every unit.
pub fn all_but_last<'s, 'r: 's>(
    space: &'s Space<'r>,
    cuts: impl Iterator<Item = Event> + 's,
) -> impl Iterator<Item = State<'r>> + 's {
    space.at(cuts, |choices: &Rc<Choices<'r>>| {
        let mut keep = choices.all();
        for unit in choices.units() {
            let newest = unit.pieces().find(|piece| !choices.is_loss(*piece));
            newest.into_iter().for_each(|newest| keep.remove(newest));
        }
        (!keep.is_empty()).then_some(keep)
    })
}

/// Metadata lost and data kept, and the other way round, where there are both.
pub fn metadata<'s, 'r: 's>(
    space: &'s Space<'r>,
    cuts: impl Iterator<Item = Event> + 's,
) -> impl Iterator<Item = State<'r>> + 's {
    space.at(cuts, |choices: &Rc<Choices<'r>>| {
        let is_meta = |index: usize| {
            let entry = choices.pieces()[index].entry;
            let flags = choices.recording().entries()[entry].flags();
            flags.contains(crate::abi::Flags::META)
        };
        let meta = choices.that(is_meta);
        let data = choices.that(|index| !is_meta(index));
        let both = !meta.is_empty() && !data.is_empty();
        both.then_some([data, meta]).into_iter().flatten()
    })
}
