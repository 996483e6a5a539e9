// SPDX-License-Identifier: GPL-2.0

//! Which crash states to look at, and in what order: pure functions of a
//! recording and a seed, each a lazy stream of legal states.

mod auto;
mod by_class;
mod classes;
mod kinds;
mod pairs;
mod random;
mod simple;
mod tears;

use std::cell::{Cell, OnceCell, RefCell};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::iter::once_with;
use std::rc::Rc;

use num_bigint::BigUint;
use powercut_model::{spans, Cut, Event, History as _, Tear};
use serde::{Deserialize, Serialize};

use crate::choices::Choices;
use crate::count;
use crate::keep::Keep;
use crate::marks::Marks;
use crate::recording::Recording;
use crate::sweep::Sweep;

pub use kinds::{Kind, Kinds};
pub use random::{Random, MAX_OPTIONS};

/// Past this many pieces in memory, cuts are weighed anew when they come again.
const CACHED_PIECES: usize = 100_000;

/// A crash state: a cut and the pending pieces that survived it.
#[derive(Debug, Clone)]
pub struct State<'r> {
    pub choices: Rc<Choices<'r>>,
    pub keep: Keep,
}

/// Which crash states to look at, and in what order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// What finds most, then all legal states and random ones in turn
    Auto,
    /// At each mark, the newest first: everything lost, everything kept; then as auto
    Acknowledged,
    /// At the end of every span between flushes: everything lost, everything kept
    Ends,
    /// The cut after every single event, everything kept: crashes without reordering
    Prefix,
    /// At the end of every span: one write lost
    DropOne,
    /// At the end of every span: one write kept
    KeepOne,
    /// At the end of every span: two writes lost, or two kept
    Pairs,
    /// At the end of every span: one write torn, in several ways; or the neighbours that it costs
    Tears,
    /// At the end of every span: the disk as it was a while ago, after each event that it goes back to
    Rollback,
    /// Any legal state, by the seed
    Random,
    /// All legal states, one run for all that a check can't tell apart
    Exhaustive,
}

impl Strategy {
    pub const ALL: [Self; 11] = [
        Self::Auto,
        Self::Acknowledged,
        Self::Ends,
        Self::Prefix,
        Self::DropOne,
        Self::KeepOne,
        Self::Pairs,
        Self::Tears,
        Self::Rollback,
        Self::Random,
        Self::Exhaustive,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Acknowledged => "acknowledged",
            Self::Ends => "ends",
            Self::Prefix => "prefix",
            Self::DropOne => "drop-one",
            Self::KeepOne => "keep-one",
            Self::Pairs => "pairs",
            Self::Tears => "tears",
            Self::Rollback => "rollback",
            Self::Random => "random",
            Self::Exhaustive => "exhaustive",
        }
    }

    /// Its states, lazily: what is directed first, then what follows. Of
    /// `exhaustive` none, as which are next depends on what is read.
    pub fn stages<'s, 'r: 's>(self, space: &'s Space<'r>, seed: u64) -> Vec<States<'s, 'r>> {
        let cuts = || space.cuts().iter().copied();
        let directed: States<'s, 'r> = match self {
            Self::Auto | Self::Acknowledged => {
                let pairs = || pairs::pairs(space, space.heaviest_first().into_iter());
                let random = move || Random::new(space, seed);
                let auto: States<'s, 'r> = if self == Self::Acknowledged {
                    Box::new(auto::after_acknowledged(space, seed))
                } else {
                    auto::states(space)
                };
                return vec![
                    auto,
                    Box::new(once_with(pairs).flatten()),
                    Box::new(once_with(random).flatten()),
                ];
            }
            Self::Ends => Box::new(simple::ends(space, cuts())),
            Self::Prefix => Box::new(simple::prefix(space)),
            Self::DropOne => Box::new(simple::drop_one(space, cuts())),
            Self::KeepOne => Box::new(simple::keep_one(space, cuts())),
            Self::Pairs => Box::new(pairs::pairs(space, cuts())),
            Self::Tears => Box::new(tears::tears(space, cuts()).chain(tears::costs(space, cuts()))),
            Self::Rollback => Box::new(simple::rollback(space, cuts())),
            Self::Random => Box::new(Random::new(space, seed)),
            Self::Exhaustive => return Vec::new(),
        };
        vec![directed]
    }

    /// All of its states.
    pub fn states<'s, 'r: 's>(self, space: &'s Space<'r>, seed: u64) -> States<'s, 'r> {
        Box::new(self.stages(space, seed).into_iter().flatten())
    }
}

/// Legal states, lazily.
pub type States<'s, 'r> = Box<dyn Iterator<Item = State<'r>> + 's>;

impl std::fmt::Display for Strategy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Strategy {
    type Err = UnknownStrategy;

    fn from_str(text: &str) -> Result<Self, UnknownStrategy> {
        let named = Self::ALL.into_iter().find(|s| s.name() == text);
        named.ok_or_else(|| UnknownStrategy(text.into()))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no strategy")]
pub struct UnknownStrategy(String);

/// A recording and the cuts worth a look.
#[derive(Debug)]
pub struct Space<'r> {
    recording: &'r Recording,
    first: Event,
    cuts: Vec<Event>,
    tally: OnceCell<Tally>,
    kinds: OnceCell<Kinds>,
    cache: RefCell<Cache<'r>>,
    partial: Cell<bool>,
}

/// What the cuts have open.
#[derive(Debug)]
struct Tally {
    /// Of each cut, the number of pending pieces.
    pieces: Vec<u32>,
    /// The number of legal states over all of them.
    legal: BigUint,
}

#[derive(Debug, Default)]
struct Cache<'r> {
    choices: HashMap<Event, Rc<Choices<'r>>>,
    pieces: usize,
}

impl<'r> Space<'r> {
    pub fn new(recording: &'r Recording, marks: Marks) -> Self {
        let cuts = spans(recording, marks.to_model());
        let mut cuts: Vec<Event> = cuts.map(|cut| cut.event).collect();
        cuts.shrink_to_fit();
        Self {
            recording,
            first: 0,
            cuts,
            tally: OnceCell::new(),
            kinds: OnceCell::new(),
            cache: RefCell::default(),
            partial: Cell::new(false),
        }
    }

    /// Of the record of a recovery: it begins with the marks that were given before the power
    /// went, which hold throughout.
    pub fn of_recovery(recording: &'r Recording) -> Self {
        Self {
            first: recording.marks().last().map_or(0, |mark| mark.event),
            ..Self::new(recording, Marks::Monotone)
        }
    }

    /// The first event that may be cut at.
    pub fn first(&self) -> Event {
        self.first
    }

    /// Whether some unit had too many contents for a stream to name them all.
    pub fn is_partial(&self) -> bool {
        self.partial.get()
    }

    pub fn note_partial(&self) {
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
    pub fn heaviest_first(&self) -> Vec<Event> {
        let pieces = (0..).zip(&self.tally().pieces);
        let mut numbers: Vec<(Reverse<u32>, u32)> =
            pieces.map(|(nr, pieces)| (Reverse(*pieces), nr)).collect();
        numbers.sort_unstable();
        let cuts = numbers.into_iter();
        cuts.map(|(_, nr)| self.cuts[nr as usize]).collect()
    }

    /// The cuts, sorted by what goes on there.
    pub fn kinds(&self) -> &Kinds {
        let kinds = || Kinds::new(self.recording, &self.cuts, &self.tally().pieces);
        self.kinds.get_or_init(kinds)
    }

    /// The kind of a cut, by its number; 0 for a cut that is not among these.
    pub fn kind_of(&self, cut: Event) -> u32 {
        let nr = self.cuts.binary_search(&cut);
        nr.map_or(0, |nr| self.kinds().of(nr))
    }

    /// The cuts, the first of each kind, the second of each...
    fn kinds_in_turn(&self) -> Rc<[Event]> {
        let mut seen = vec![0u32; self.kinds().list().len()];
        let mut numbers: Vec<(u32, u32, u32)> = Vec::with_capacity(self.cuts.len());
        for nr in 0..self.cuts.len() {
            let kind = self.kinds().of(nr);
            let turn = &mut seen[kind as usize];
            numbers.push((*turn, kind, nr as u32));
            *turn += 1;
        }
        numbers.sort_unstable();
        let cuts = numbers.into_iter();
        cuts.map(|(.., nr)| self.cuts[nr as usize]).collect()
    }

    /// The number of legal states over all of these cuts.
    pub fn legal(&self) -> &BigUint {
        &self.tally().legal
    }

    /// Whether that is the number, and not just one that it is no more than.
    pub fn is_counted(&self) -> bool {
        let mut choices = self.cuts.iter().filter_map(|cut| self.choices(*cut));
        let has_prefixes = self.recording.geometry().tear == Tear::Prefix;
        !has_prefixes || choices.all(|choices| count::is_exact(&choices))
    }

    fn tally(&self) -> &Tally {
        self.tally.get_or_init(|| {
            let mut tally = Tally {
                pieces: Vec::with_capacity(self.cuts.len()),
                legal: BigUint::ZERO,
            };
            self.each_cut(|_, pieces, states| {
                tally.pieces.push(pieces as u32);
                tally.legal += states;
            });
            tally
        })
    }

    /// Tells of each of these cuts, by its number, how many pending pieces and legal states it has.
    pub fn each_cut(&self, mut tell: impl FnMut(u64, usize, &BigUint)) {
        // It knows of units that survive each by itself, and of nothing that is lost.
        let is_any = self.recording.geometry().tear == Tear::Any;
        let mut sweep = is_any.then(|| Sweep::new(self.recording));
        for (nr, event) in (0..).zip(&self.cuts) {
            let Ok(cut) = Cut::new(self.recording, *event) else {
                continue;
            };
            if let Some(sweep) = &mut sweep {
                sweep.advance(&cut);
                tell(nr, sweep.pieces(), sweep.states());
            } else {
                let choices = Choices::new(self.recording, cut);
                tell(nr, choices.len(), &count::states(&choices));
            }
        }
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

    /// For each of these cuts, the states that `make` names; of one that is not legal,
    /// the nearest that is.
    fn at<'s, I>(
        &'s self,
        cuts: impl Iterator<Item = Event> + 's,
        make: impl Fn(&Rc<Choices<'r>>) -> I + 's,
    ) -> impl Iterator<Item = State<'r>> + 's
    where
        'r: 's,
        I: IntoIterator<Item = Keep>,
        I::IntoIter: 's,
    {
        cuts.filter_map(|cut| self.choices(cut))
            .flat_map(move |choices| {
                let keeps = make(&choices).into_iter();
                keeps.map(move |keep| State {
                    keep: choices.legal(&keep),
                    choices: Rc::clone(&choices),
                })
            })
    }
}

#[cfg(test)]
mod tests;
