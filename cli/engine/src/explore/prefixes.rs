// SPDX-License-Identifier: GPL-2.0

//! A cut of a disk on which writes survive as prefixes.
//!
//! Here units depend on each other by way of the writes that touch them. What shows in
//! a unit says of some writes that they are at least so long, and of some that they
//! are no longer than that: a part is bounds for each write, and any lengths within
//! them are legal.

use std::cmp::Reverse;
use std::rc::Rc;

use num_bigint::BigUint;

use super::partition::{Partition, Size};
use crate::choices::{Bounds, Choices};
use crate::keep::Keep;

/// Units with more sets of pieces than this are not taken apart.
const MAX_SETS: usize = 1 << 12;

/// The bounds of writes that are not left at any length, by write.
type Narrowed = Vec<(u32, Bounds)>;

/// A unit with several contents.
#[derive(Debug)]
struct OpenUnit {
    /// Its position among the units written.
    place: u32,
    /// Its position among those with pending pieces.
    unit: u32,
    /// The sets of its pieces that may show.
    sets: Vec<Vec<u32>>,
    /// In how many leaves it was read.
    read: u64,
}

/// Some states of the cut.
#[derive(Debug)]
struct Part {
    narrowed: Narrowed,
    /// Its share of the states of the cut, about.
    share: f64,
}

#[derive(Debug)]
pub struct ByPrefixes<'r> {
    choices: Rc<Choices<'r>>,
    open: Vec<OpenUnit>,
    /// The states of each component of writes, and of all together.
    states: Vec<BigUint>,
    all: BigUint,
    left: Vec<Part>,
    done: f64,
}

impl<'r> ByPrefixes<'r> {
    /// None if some unit has too many contents to tell them apart, or the states can't
    /// be counted.
    pub fn new(choices: Rc<Choices<'r>>) -> Option<Self> {
        let mut open = Vec::new();
        for (nr, unit) in choices.units().iter().enumerate() {
            if choices.varies(unit) {
                open.push(OpenUnit {
                    place: unit.place as u32,
                    unit: nr as u32,
                    sets: choices.sets(unit, MAX_SETS)?,
                    read: 0,
                });
            }
        }
        let lengths = choices.lengths();
        let states: Option<Vec<BigUint>> = (0..lengths.nr_components())
            .map(|nr| lengths.count(nr, |write| any(&choices, write)))
            .collect();
        let states = states?;
        Some(Self {
            open,
            all: states.iter().product(),
            states,
            left: vec![Part {
                narrowed: Narrowed::new(),
                share: 1.0,
            }],
            done: 0.0,
            choices,
        })
    }

    /// How many states have lengths within bounds. Images are not told apart from states.
    fn size_of(&self, narrowed: &Narrowed) -> Size {
        let choices = &*self.choices;
        let lengths = choices.lengths();
        let touched = narrowed
            .iter()
            .map(|(write, _)| lengths.component_of(*write));
        let mut touched: Vec<usize> = touched.collect();
        touched.sort_unstable();
        touched.dedup();
        let mut legal = self.all.clone();
        for nr in touched {
            let bounds = |write| bounds_of(choices, narrowed, write);
            // It could be counted, and with more bounds it takes no longer.
            let within = lengths
                .count(nr, bounds)
                .unwrap_or_else(|| lengths.at_most(nr, bounds));
            legal = legal / &self.states[nr] * within;
        }
        Size {
            images: legal.clone(),
            legal,
        }
    }

    /// The state within bounds that keeps most.
    fn most(&self, narrowed: &Narrowed) -> Keep {
        let mut keep = self.choices.all();
        for (write, (_, highest)) in narrowed {
            let pieces = &self.choices.writes()[*write as usize].1;
            let lost = pieces.clone().skip(*highest as usize);
            lost.for_each(|piece| keep.remove(piece));
        }
        keep
    }

    /// Parts the states within bounds: those that agree with the one that keeps most in
    /// all units read, and others by the first in which they don't.
    fn part(&mut self, part: Part, reads: &[u32]) -> (Part, Vec<Part>) {
        let choices = Rc::clone(&self.choices);
        let keep = self.most(&part.narrowed);
        let at = |place: &u32| self.open.binary_search_by_key(place, |open| open.place);
        let read = reads.iter().filter_map(|place| at(place).ok());
        let mut read: Vec<usize> = read.collect();
        for at in &read {
            self.open[*at].read += 1;
        }
        read.sort_by_key(|at| (Reverse(self.open[*at].read), *at));
        let Part {
            narrowed: mut own,
            mut share,
        } = part;
        let mut others = Vec::new();
        for at in read {
            let open = &self.open[at];
            let unit = &choices.units()[open.unit as usize];
            let mut agree = None;
            let mut parts = Vec::new();
            for shown in &open.sets {
                let (kept, lost) = unit.terms(shown);
                let Some(part) = narrow(&choices, &own, &kept, &lost) else {
                    continue;
                };
                let is_own = kept.iter().all(|piece| keep.contains(*piece as usize))
                    && !lost.iter().any(|piece| keep.contains(*piece as usize));
                if is_own {
                    agree = Some(part);
                } else {
                    parts.push(part);
                }
            }
            share /= (parts.len() + 1) as f64;
            others.extend(parts.into_iter().map(|narrowed| Part { narrowed, share }));
            // Some set of pieces shows in every state.
            own = agree.unwrap_or(own);
        }
        let own = Part {
            narrowed: own,
            share,
        };
        (own, others)
    }
}

impl Partition for ByPrefixes<'_> {
    fn len(&self) -> usize {
        self.left.len()
    }

    fn keep(&self, part: usize) -> Keep {
        self.most(&self.left[part].narrowed)
    }

    fn image(&self, part: usize) -> u128 {
        self.choices.image(&self.keep(part))
    }

    fn branch(&self, _part: usize) -> Option<u32> {
        None
    }

    fn settle(&mut self, reads: &[u32]) -> Size {
        let Some(part) = self.left.pop() else {
            return Size::default();
        };
        let (own, others) = self.part(part, reads);
        self.done += own.share;
        self.left.extend(others.into_iter().rev());
        self.size_of(&own.narrowed)
    }

    fn leave_out(&mut self) {
        self.left.pop();
    }

    fn done(&self) -> f64 {
        self.done
    }
}

/// Any length of a write.
fn any(choices: &Choices<'_>, write: u32) -> Bounds {
    (0, choices.writes()[write as usize].1.len() as u32)
}

fn bounds_of(choices: &Choices<'_>, narrowed: &Narrowed, write: u32) -> Bounds {
    match narrowed.binary_search_by_key(&write, |(write, _)| *write) {
        Ok(at) => narrowed[at].1,
        Err(_) => any(choices, write),
    }
}

/// The bounds within which some pieces are kept and some are lost, too; none if there
/// is nothing within.
fn narrow(
    choices: &Choices<'_>,
    narrowed: &Narrowed,
    kept: &[u32],
    lost: &[u32],
) -> Option<Narrowed> {
    let mut narrowed = narrowed.clone();
    let mut bound = |piece: u32, is_kept: bool| {
        let write = choices.write_of(piece as usize);
        let index = piece - choices.writes()[write].1.start as u32;
        let at = match narrowed.binary_search_by_key(&(write as u32), |(write, _)| *write) {
            Ok(at) => at,
            Err(at) => {
                let write = write as u32;
                narrowed.insert(at, (write, any(choices, write)));
                at
            }
        };
        let (lowest, highest) = &mut narrowed[at].1;
        if is_kept {
            *lowest = (*lowest).max(index + 1);
        } else {
            *highest = (*highest).min(index);
        }
        *lowest <= *highest
    };
    let fits = kept.iter().all(|piece| bound(*piece, true))
        && lost.iter().all(|piece| bound(*piece, false));
    fits.then_some(narrowed)
}
