// SPDX-License-Identifier: GPL-2.0

//! Any legal state, by a seed; each content of a cut at most once, so that a
//! stream which ends has shown them all.

use std::collections::hash_map::{Entry, HashMap};
use std::collections::HashSet;
use std::ops::Range;
use std::rc::Rc;

use powercut_model::Event;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use xxhash_rust::xxh3::xxh3_128;

use super::{Space, State};
use crate::choices::Choices;

/// More contents of one unit than this are not told apart beforehand.
pub const MAX_OPTIONS: usize = 1 << 16;
/// Draws that may repeat before a cut is walked through in order.
const TRIES: usize = 32;

/// What is drawn from at a cut.
#[derive(Debug)]
struct Urn<'r> {
    choices: Rc<Choices<'r>>,
    /// What is drawn together, one of each.
    options: Vec<Options>,
    drawn: HashSet<u128>,
    /// How many there are to draw.
    total: u128,
}

/// Several things of which a draw has one, the one that keeps nothing first.
#[derive(Debug)]
enum Options {
    /// Of a unit, the pieces that make each content.
    Contents(Vec<Vec<u32>>),
    /// Of a write that survives as a prefix, its first piece and how many there are of it.
    Lengths(u32, Vec<u32>),
}

/// How a draw leans.
#[derive(Debug, Clone, Copy)]
enum Leaning {
    /// Every content of a unit alike.
    Even,
    /// Most units have the stable content.
    Lost,
    /// The older writes kept, up to that piece, the newer lost, with exceptions.
    Ordered(u32),
}

/// A stream of random states without repeats.
#[derive(Debug)]
pub struct Random<'s, 'r> {
    space: &'s Space<'r>,
    rng: ChaCha8Rng,
    /// The cuts that are not exhausted.
    cuts: Vec<Event>,
    /// Of those drawn from.
    urns: HashMap<Event, Urn<'r>>,
}

impl<'s, 'r> Random<'s, 'r> {
    pub fn new(space: &'s Space<'r>, seed: u64) -> Self {
        Self {
            space,
            rng: ChaCha8Rng::seed_from_u64(seed),
            cuts: space.cuts().to_vec(),
            urns: HashMap::new(),
        }
    }
}

impl<'r> Iterator for Random<'_, 'r> {
    type Item = State<'r>;

    fn next(&mut self) -> Option<State<'r>> {
        while !self.cuts.is_empty() {
            let at = below(&mut self.rng, self.cuts.len());
            let event = self.cuts[at];
            let drawn = match self.urns.entry(event) {
                Entry::Occupied(urn) => urn.into_mut().draw(&mut self.rng),
                Entry::Vacant(vacant) => self.space.choices(event).and_then(|choices| {
                    let urn = vacant.insert(Urn::new(self.space, choices));
                    urn.draw(&mut self.rng)
                }),
            };
            match drawn {
                Some(state) => return Some(state),
                None => {
                    self.cuts.swap_remove(at);
                    self.urns.remove(&event);
                }
            }
        }
        None
    }
}

impl<'r> Urn<'r> {
    fn new(space: &Space<'r>, choices: Rc<Choices<'r>>) -> Self {
        let mut options = if choices.has_prefixes() {
            lengths(&choices)
        } else {
            contents(space, &choices)
        };
        options.retain(|options| options.len() > 1);
        let len = |options: &Options| options.len() as u128;
        Self {
            total: options.iter().map(len).fold(1, u128::saturating_mul),
            choices,
            options,
            drawn: HashSet::new(),
        }
    }

    /// A state not drawn before; none when there is no more.
    fn draw(&mut self, rng: &mut ChaCha8Rng) -> Option<State<'r>> {
        if self.drawn.len() as u128 >= self.total {
            return None;
        }
        let nr_pending = self.choices.pending().len();
        let leaning = match below(rng, 4) {
            0 => Leaning::Even,
            1 => Leaning::Ordered((nr_pending as u32).saturating_sub(1)),
            2 => Leaning::Lost,
            _ => Leaning::Ordered(below(rng, nr_pending.max(1)) as u32),
        };
        let mut picks: Vec<u32> = Vec::new();
        for _ in 0..TRIES {
            picks.clear();
            picks.extend(
                self.options
                    .iter()
                    .map(|options| pick(options, leaning, rng) as u32),
            );
            if self.drawn.insert(key(&picks)) {
                return Some(self.state(&picks));
            }
        }
        // Most have been drawn: the next one in order that was not.
        while !self.drawn.insert(key(&picks)) {
            self.step(&mut picks);
        }
        Some(self.state(&picks))
    }

    /// The next combination, round and round.
    fn step(&self, picks: &mut [u32]) {
        for (pick, options) in picks.iter_mut().zip(&self.options) {
            *pick += 1;
            if (*pick as usize) < options.len() {
                return;
            }
            *pick = 0;
        }
    }

    fn state(&self, picks: &[u32]) -> State<'r> {
        let mut keep = self.choices.none();
        for (pick, options) in picks.iter().zip(&self.options) {
            let pick = *pick as usize;
            match options {
                Options::Contents(contents) => {
                    let pieces = contents[pick].iter();
                    pieces.for_each(|piece| keep.insert(*piece as usize));
                }
                Options::Lengths(first, lengths) => {
                    let pieces = *first..*first + lengths[pick];
                    pieces.for_each(|piece| keep.insert(piece as usize));
                }
            }
        }
        State {
            choices: Rc::clone(&self.choices),
            keep,
        }
    }
}

/// The contents of each unit.
fn contents(space: &Space<'_>, choices: &Choices<'_>) -> Vec<Options> {
    let of_unit = |unit| match choices.options(unit, MAX_OPTIONS) {
        Some(contents) => contents.into_iter().map(|c| c.pieces).collect(),
        // Too many to tell apart: one piece of it at a time, and say so.
        None => {
            space.note_partial();
            let alone = unit.pieces().map(|p| vec![p as u32]);
            std::iter::once(Vec::new()).chain(alone).collect()
        }
    };
    choices
        .units()
        .iter()
        .map(|unit| Options::Contents(of_unit(unit)))
        .collect()
}

/// The lengths of each write: 0, and those that end with a piece that makes a difference.
fn lengths(choices: &Choices<'_>) -> Vec<Options> {
    let telling = choices.telling();
    let of_write = |pieces: &Range<usize>| {
        let ends = pieces.clone().filter(|piece| telling.contains(*piece));
        let lengths = ends.map(|piece| (piece + 1 - pieces.start) as u32);
        let lengths = std::iter::once(0).chain(lengths).collect();
        Options::Lengths(pieces.start as u32, lengths)
    };
    let writes = choices.writes().iter();
    writes.map(|(_, pieces)| of_write(pieces)).collect()
}

impl Options {
    fn len(&self) -> usize {
        match self {
            Self::Contents(contents) => contents.len(),
            Self::Lengths(_, lengths) => lengths.len(),
        }
    }

    /// The newest piece that one of them keeps.
    fn newest(&self, at: usize) -> Option<u32> {
        match self {
            Self::Contents(contents) => contents[at].iter().max().copied(),
            Self::Lengths(first, lengths) => (first + lengths[at])
                .checked_sub(1)
                .filter(|_| lengths[at] > 0),
        }
    }
}

fn pick(options: &Options, leaning: Leaning, rng: &mut ChaCha8Rng) -> usize {
    let by = |limit: u32| {
        let allowed = (0..options.len()).map(|at| (at, options.newest(at)));
        let allowed = allowed.filter(|(_, newest)| newest.is_none_or(|n| n <= limit));
        allowed
            .max_by_key(|(_, newest)| *newest)
            .map_or(0, |(at, _)| at)
    };
    if below(rng, 8) == 0 {
        return below(rng, options.len());
    }
    match leaning {
        Leaning::Even => below(rng, options.len()),
        Leaning::Lost => 0,
        Leaning::Ordered(limit) => by(limit),
    }
}

fn key(picks: &[u32]) -> u128 {
    let bytes: Vec<u8> = picks.iter().flat_map(|p| p.to_le_bytes()).collect();
    xxh3_128(&bytes)
}

/// A number below `n`, the same on every machine and with every version.
fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    let wide = u128::from(rng.next_u64()) * n as u128;
    (wide >> 64) as usize
}
