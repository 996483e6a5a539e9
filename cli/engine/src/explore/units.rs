// SPDX-License-Identifier: GPL-2.0

//! A cut of a disk on which each unit survives by itself: a part fixes the contents of
//! some units and leaves the others open.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::partition::{Partition, Size};
use crate::choices::{Choices, Content};
use crate::count::product;
use crate::keep::Keep;
use crate::strategy::MAX_OPTIONS;

/// A unit with several contents. There may be millions, of which few are ever read.
#[derive(Debug)]
struct OpenUnit {
    /// Its position among the units written.
    place: u32,
    /// Its position among those with pending pieces.
    unit: u32,
    /// The number of its contents.
    contents: u32,
    /// The content if everything is kept.
    newest: u32,
    /// The number of choices over all contents.
    ways: u64,
    /// In how many leaves it was read.
    read: u64,
}

/// A unit held to a content, and what was fixed before.
#[derive(Debug, Clone, Copy)]
struct Fixed {
    /// By position in `ByUnits::open`.
    open: u32,
    content: u32,
    before: Option<u32>,
}

/// Some states of the cut.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// The newest of what is fixed, by position in `ByUnits::fixed`.
    fixed: Option<u32>,
    /// Its share of the images of the cut.
    share: f64,
}

#[derive(Debug)]
pub struct ByUnits<'r> {
    choices: Rc<Choices<'r>>,
    open: Vec<OpenUnit>,
    /// The contents of those that were read so far, by position in `open`. What is fixed was read.
    read: FxHashMap<u32, Vec<Content>>,
    /// All states of the cut.
    all: Size,
    /// The image if everything is kept.
    newest: u128,
    /// Parts share what they have in common.
    fixed: Vec<Fixed>,
    left: Vec<Part>,
    done: f64,
}

impl<'r> ByUnits<'r> {
    /// None if some unit has too many contents to tell them apart.
    pub fn new(choices: Rc<Choices<'r>>) -> Option<Self> {
        let mut open = Vec::new();
        let mut ways_of_all = Vec::with_capacity(choices.units().len());
        let all = choices.all();
        for (nr, unit) in choices.units().iter().enumerate() {
            let contents = choices.options(unit, MAX_OPTIONS)?;
            let ways: u64 = contents.iter().map(|c| c.ways).sum();
            ways_of_all.push(ways);
            if contents.len() == 1 {
                continue;
            }
            let newest = choices.content(unit, &all);
            let newest = contents.iter().position(|c| c.hash == newest);
            open.push(OpenUnit {
                place: unit.place as u32,
                unit: nr as u32,
                contents: contents.len() as u32,
                newest: newest.unwrap_or(0) as u32,
                ways,
                read: 0,
            });
        }
        Some(Self {
            all: Size {
                legal: product(ways_of_all),
                images: product(open.iter().map(|open| open.contents.into())),
            },
            newest: choices.image(&all),
            choices,
            open,
            read: FxHashMap::default(),
            fixed: Vec::new(),
            left: vec![Part {
                fixed: None,
                share: 1.0,
            }],
            done: 0.0,
        })
    }

    /// The units that have several contents: their places, and these.
    pub fn several(&self) -> impl Iterator<Item = (u32, Vec<u128>)> + '_ {
        let hashes = |open: &OpenUnit| self.options(open).iter().map(|c| c.hash).collect();
        self.open.iter().map(move |open| (open.place, hashes(open)))
    }

    fn options(&self, open: &OpenUnit) -> Vec<Content> {
        let unit = &self.choices.units()[open.unit as usize];
        // It was looked at when this was made: they are not too many.
        let contents = self.choices.options(unit, MAX_OPTIONS);
        contents.unwrap_or_default()
    }

    /// A content of a unit that was read.
    fn content(&self, open: u32, content: u32) -> &Content {
        &self.read[&open][content as usize]
    }

    /// What is fixed, the newest first.
    fn fixed(&self, newest: Option<u32>) -> impl Iterator<Item = Fixed> + '_ {
        let get = |at: Option<u32>| at.map(|at| self.fixed[at as usize]);
        std::iter::successors(get(newest), move |fixed| get(fixed.before))
    }

    fn fix(&mut self, before: Option<u32>, open: u32, content: u32) -> Option<u32> {
        self.fixed.push(Fixed {
            open,
            content,
            before,
        });
        Some(self.fixed.len() as u32 - 1)
    }

    /// How many states have the contents that are fixed.
    fn size_of(&self, fixed: Option<u32>) -> Size {
        let mut size = self.all.clone();
        for fixed in self.fixed(fixed) {
            let open = &self.open[fixed.open as usize];
            let content = self.content(fixed.open, fixed.content);
            size.legal = size.legal / open.ways * content.ways;
            size.images /= open.contents;
        }
        size
    }

    /// Of the units read those that are open and not fixed; counts all that are open.
    fn undecided(&mut self, fixed: Option<u32>, reads: &[u32]) -> Vec<u32> {
        let is_fixed: HashSet<u32> = self.fixed(fixed).map(|fixed| fixed.open).collect();
        let mut undecided: Vec<u32> = Vec::new();
        for place in reads {
            if let Ok(at) = self.open.binary_search_by_key(place, |open| open.place) {
                self.open[at].read += 1;
                if !is_fixed.contains(&(at as u32)) {
                    undecided.push(at as u32);
                }
            }
        }
        undecided
    }
}

impl Partition for ByUnits<'_> {
    fn len(&self) -> usize {
        self.left.len()
    }

    fn keep(&self, part: usize) -> Keep {
        let mut keep = self.choices.all();
        for fixed in self.fixed(self.left[part].fixed) {
            let open = &self.open[fixed.open as usize];
            let unit = &self.choices.units()[open.unit as usize];
            unit.pieces().for_each(|p| keep.remove(p));
            let content = self.content(fixed.open, fixed.content);
            content.pieces.iter().for_each(|p| keep.insert(*p as usize));
        }
        keep
    }

    fn image(&self, part: usize) -> u128 {
        let mut image = self.newest;
        for fixed in self.fixed(self.left[part].fixed) {
            let open = &self.open[fixed.open as usize];
            let hash = |content: u32| self.content(fixed.open, content).hash;
            image = image
                .wrapping_sub(hash(open.newest))
                .wrapping_add(hash(fixed.content));
        }
        image
    }

    fn branch(&self, part: usize) -> Option<u32> {
        let newest = self.fixed(self.left[part].fixed).next();
        newest.map(|fixed| self.open[fixed.open as usize].place)
    }

    fn settle(&mut self, reads: &[u32]) -> Size {
        let Some(Part {
            mut fixed,
            mut share,
        }) = self.left.pop()
        else {
            return Size::default();
        };
        let mut read = self.undecided(fixed, reads);
        // What every run reads is read before what depends on it: then no part
        // is cut by a unit that its check would not look at.
        read.sort_by_key(|at| (Reverse(self.open[*at as usize].read), *at));
        let mut parts = Vec::new();
        for at in read {
            let OpenUnit {
                contents, newest, ..
            } = self.open[at as usize];
            let is_known = self.read.contains_key(&at);
            if !is_known {
                let options = self.options(&self.open[at as usize]);
                self.read.insert(at, options);
            }
            share /= f64::from(contents);
            for content in (0..contents).filter(|content| *content != newest) {
                let fixed = self.fix(fixed, at, content);
                parts.push(Part { fixed, share });
            }
            fixed = self.fix(fixed, at, newest);
        }
        self.done += share;
        self.left.extend(parts.into_iter().rev());
        self.size_of(fixed)
    }

    fn leave_out(&mut self) {
        self.left.pop();
    }

    fn done(&self) -> f64 {
        self.done
    }
}
