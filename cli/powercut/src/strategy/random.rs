// SPDX-License-Identifier: GPL-2.0

//! Any legal state, by a seed; each content of a cut at most once, so that a
//! stream which ends has shown them all.

use std::collections::HashSet;
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

/// The contents that the units of a cut may have.
#[derive(Debug)]
struct Urn<'r> {
    choices: Rc<Choices<'r>>,
    /// Of each unit, the pieces that make each content, the lost first.
    options: Vec<Vec<Vec<u32>>>,
    drawn: HashSet<u128>,
    /// How many there are to draw.
    total: u128,
}

/// How a draw leans.
#[derive(Debug, Clone, Copy)]
enum Leaning {
    /// Every content of a unit alike.
    Even,
    /// Most units have the newest content.
    Kept,
    /// Most units have the stable content.
    Lost,
    /// The older writes kept, the newer lost, with exceptions.
    Ordered(u32),
}

/// A stream of random states without repeats.
#[derive(Debug)]
pub struct Random<'s, 'r> {
    space: &'s Space<'r>,
    rng: ChaCha8Rng,
    /// The cuts that are not exhausted, and their urns once drawn from.
    cuts: Vec<(Event, Option<Urn<'r>>)>,
}

impl<'s, 'r> Random<'s, 'r> {
    pub fn new(space: &'s Space<'r>, seed: u64) -> Self {
        Self {
            space,
            rng: ChaCha8Rng::seed_from_u64(seed),
            cuts: space.cuts().iter().map(|cut| (*cut, None)).collect(),
        }
    }
}

impl<'r> Iterator for Random<'_, 'r> {
    type Item = State<'r>;

    fn next(&mut self) -> Option<State<'r>> {
        while !self.cuts.is_empty() {
            let at = below(&mut self.rng, self.cuts.len());
            let (event, urn) = &mut self.cuts[at];
            let drawn = match urn {
                Some(urn) => urn.draw(&mut self.rng),
                None => self.space.choices(*event).and_then(|choices| {
                    let new = urn.insert(Urn::new(self.space, choices));
                    new.draw(&mut self.rng)
                }),
            };
            match drawn {
                Some(state) => return Some(state),
                None => drop(self.cuts.swap_remove(at)),
            }
        }
        None
    }
}

impl<'r> Urn<'r> {
    fn new(space: &Space<'r>, choices: Rc<Choices<'r>>) -> Self {
        let mut total: u128 = 1;
        let mut options = Vec::new();
        for unit in choices.units() {
            let of_unit: Vec<Vec<u32>> = match choices.options(unit, MAX_OPTIONS) {
                Some(contents) => contents.into_iter().map(|c| c.pieces).collect(),
                // Too many to tell apart: one piece of it at a time, and say so.
                None => {
                    space.note_partial();
                    let alone = unit.pieces().map(|p| vec![p as u32]);
                    std::iter::once(Vec::new()).chain(alone).collect()
                }
            };
            total = total.saturating_mul(of_unit.len() as u128);
            if of_unit.len() > 1 {
                options.push(of_unit);
            }
        }
        Self {
            choices,
            options,
            drawn: HashSet::new(),
            total,
        }
    }

    /// A state not drawn before; none when there is no more.
    fn draw(&mut self, rng: &mut ChaCha8Rng) -> Option<State<'r>> {
        if self.drawn.len() as u128 >= self.total {
            return None;
        }
        let leaning = match below(rng, 4) {
            0 => Leaning::Even,
            1 => Leaning::Kept,
            2 => Leaning::Lost,
            _ => Leaning::Ordered(below(rng, self.choices.len().max(1)) as u32),
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
            for piece in &options[*pick as usize] {
                keep.insert(*piece as usize);
            }
        }
        State {
            choices: Rc::clone(&self.choices),
            keep,
        }
    }
}

fn pick(options: &[Vec<u32>], leaning: Leaning, rng: &mut ChaCha8Rng) -> usize {
    let newest = |list: &[u32]| list.iter().max().copied();
    let by = |limit: u32| {
        let allowed = options.iter().enumerate();
        let allowed = allowed.filter(|(_, o)| newest(o).is_none_or(|n| n <= limit));
        allowed
            .max_by_key(|(_, o)| newest(o))
            .map_or(0, |(at, _)| at)
    };
    if below(rng, 8) == 0 {
        return below(rng, options.len());
    }
    match leaning {
        Leaning::Even => below(rng, options.len()),
        Leaning::Kept => by(u32::MAX),
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
