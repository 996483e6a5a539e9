// SPDX-License-Identifier: GPL-2.0

//! Which crash states to look at, and in what order: pure functions of a
//! recording and a seed, each a lazy stream of legal states.

mod auto;
mod random;
mod simple;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use powercut_model::{spans, Cut, Event};
use serde::{Deserialize, Serialize};

use crate::choices::Choices;
use crate::keep::Keep;
use crate::recording::Recording;

pub use random::Random;

/// Past this many pieces in memory, cuts are weighed anew when they come again.
const CACHED_PIECES: usize = 4_000_000;

/// A crash state: a cut and the pending pieces that survived it.
#[derive(Debug, Clone)]
pub struct State<'r> {
    pub choices: Rc<Choices<'r>>,
    pub keep: Keep,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// The ends, marks, single writes and kinds of writes that find most, then random to the budget
    Auto,
    /// At the end of every span between flushes: everything lost, everything kept
    Ends,
    /// The cut after every single event, everything kept: crashes without reordering
    Prefix,
    /// At the end of every span: one write lost
    DropOne,
    /// At the end of every span: one write kept
    KeepOne,
    /// Any legal state, by the seed
    Random,
}

impl Strategy {
    /// Whether the stream, run to its end, has covered every legal state.
    pub fn is_complete(self) -> bool {
        matches!(self, Self::Auto | Self::Random)
    }

    /// Its states, lazily.
    pub fn states<'s, 'r: 's>(
        self,
        space: &'s Space<'r>,
        seed: u64,
    ) -> Box<dyn Iterator<Item = State<'r>> + 's> {
        match self {
            Self::Auto => Box::new(auto::states(space, seed)),
            Self::Ends => Box::new(simple::ends(space, space.cuts().to_vec())),
            Self::Prefix => Box::new(simple::prefix(space)),
            Self::DropOne => Box::new(simple::drop_one(space, space.cuts().to_vec())),
            Self::KeepOne => Box::new(simple::keep_one(space, space.cuts().to_vec())),
            Self::Random => Box::new(Random::new(space, seed)),
        }
    }
}

impl std::fmt::Display for Strategy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Ends => "ends",
            Self::Prefix => "prefix",
            Self::DropOne => "drop-one",
            Self::KeepOne => "keep-one",
            Self::Random => "random",
        })
    }
}

/// A recording and the cuts worth a look.
#[derive(Debug)]
pub struct Space<'r> {
    recording: &'r Recording,
    cuts: Vec<Event>,
    cache: RefCell<Cache<'r>>,
    partial: Cell<bool>,
}

#[derive(Debug, Default)]
struct Cache<'r> {
    choices: HashMap<Event, Rc<Choices<'r>>>,
    pieces: usize,
}

impl<'r> Space<'r> {
    pub fn new(recording: &'r Recording) -> Self {
        Self {
            recording,
            cuts: spans(recording).map(|cut| cut.event).collect(),
            cache: RefCell::default(),
            partial: Cell::new(false),
        }
    }

    /// Whether some unit had too many contents for a stream to name them all.
    pub fn is_partial(&self) -> bool {
        self.partial.get()
    }

    fn note_partial(&self) {
        self.partial.set(true);
    }

    pub fn recording(&self) -> &'r Recording {
        self.recording
    }

    /// The last cut of every span: those that dominate, ascending.
    pub fn cuts(&self) -> &[Event] {
        &self.cuts
    }

    /// The same, those with most pending bytes first.
    fn heaviest_first(&self) -> Vec<Event> {
        let mut cuts = self.cuts.clone();
        cuts.sort_by_cached_key(|cut| {
            let pieces = self.choices(*cut).map_or(0, |c| c.len());
            (std::cmp::Reverse(pieces), *cut)
        });
        cuts
    }

    /// What there is to choose at a cut; none after the last event.
    pub fn choices(&self, event: Event) -> Option<Rc<Choices<'r>>> {
        if let Some(known) = self.cache.borrow().choices.get(&event) {
            return Some(Rc::clone(known));
        }
        let cut = Cut::new(self.recording, event).ok()?;
        let choices = Rc::new(Choices::new(self.recording, cut));
        let mut cache = self.cache.borrow_mut();
        if cache.pieces > CACHED_PIECES {
            *cache = Cache::default();
        }
        cache.pieces += choices.len() + 1;
        cache.choices.insert(event, Rc::clone(&choices));
        Some(choices)
    }

    /// For each of these cuts, the states that `make` names.
    fn at<'s, I>(
        &'s self,
        cuts: Vec<Event>,
        make: impl Fn(&Rc<Choices<'r>>) -> I + 's,
    ) -> impl Iterator<Item = State<'r>> + 's
    where
        'r: 's,
        I: IntoIterator<Item = Keep>,
        I::IntoIter: 's,
    {
        cuts.into_iter()
            .filter_map(|cut| self.choices(cut))
            .flat_map(move |choices| {
                let keeps = make(&choices).into_iter();
                keeps.map(move |keep| State {
                    choices: Rc::clone(&choices),
                    keep,
                })
            })
    }
}

#[cfg(test)]
mod tests;
