// SPDX-License-Identifier: GPL-2.0

//! All states of one cut, taken apart by what a check reads.
//!
//! A node fixes the contents of some units and leaves the others open. One run
//! of the check on one state of it tells what was read; all states of the node
//! that agree with it there share its verdict. What is left of the node falls
//! into parts that differ from that state in the first, the second... of the
//! open units that were read: these are its children. So every legal state is
//! in one leaf, and only what the check looks at is ever multiplied out.

use std::rc::Rc;

use num_bigint::BigUint;

use super::boxes::{Boxes, Narrowed};
use crate::choices::{Choices, Content};
use crate::strategy::{State, MAX_OPTIONS};

/// A unit with several contents.
#[derive(Debug)]
struct Open {
    /// Its position among the units written.
    place: u32,
    /// Its position among those with pending pieces.
    unit: u32,
    contents: Vec<Content>,
    /// The content if everything is kept.
    newest: u32,
    /// The number of choices over all contents.
    ways: BigUint,
    /// In how many leaves it was read.
    read: u64,
}

/// Some states of the cut.
#[derive(Debug, Clone)]
pub struct Node {
    /// Units and their contents, by position in `Tree::open`.
    fixed: Vec<(u32, u32)>,
    /// Where writes survive as prefixes, what their lengths are held to instead.
    narrowed: Narrowed,
    /// Its share of the images of the cut.
    share: f64,
}

impl Node {
    /// The place of the unit in which alone it differs from its parent, which the
    /// parent had read; none if there may be several.
    pub fn branch(&self, tree: &Tree<'_>) -> Option<u32> {
        let last = self.fixed.last();
        last.map(|(at, _)| tree.open[*at as usize].place)
    }
}

/// How many states something stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Size {
    pub legal: BigUint,
    pub images: BigUint,
}

#[derive(Debug)]
pub struct Tree<'r> {
    choices: Rc<Choices<'r>>,
    open: Vec<Open>,
    /// In place of `open`, where writes survive as prefixes.
    boxes: Option<Boxes>,
    /// The position in `open` of a unit, by place; MAX: it has one content.
    at: Vec<u32>,
    /// The number of choices among units that have one content all the same.
    alike: BigUint,
    /// The contents of all units if everything is kept.
    newest: Vec<u128>,
    /// What is left to do, the next last.
    pub left: Vec<Node>,
    /// The share of the images that is done.
    pub done: f64,
}

impl<'r> Tree<'r> {
    /// None if some unit has too many contents to tell them apart.
    pub fn new(choices: Rc<Choices<'r>>) -> Option<Self> {
        match choices.has_prefixes() {
            true => {
                let boxes = Boxes::new(&choices)?;
                Some(Self::of(choices, Vec::new(), Some(boxes)))
            }
            false => Self::of_units(choices),
        }
    }

    fn of_units(choices: Rc<Choices<'r>>) -> Option<Self> {
        let mut open = Vec::new();
        let mut alike = BigUint::from(1u8);
        let all = choices.all();
        for (nr, unit) in choices.units().iter().enumerate() {
            let contents = choices.options(unit, MAX_OPTIONS)?;
            let ways: u64 = contents.iter().map(|c| c.ways).sum();
            if contents.len() == 1 {
                alike *= ways;
                continue;
            }
            let newest = choices.content(unit, &all);
            let newest = contents.iter().position(|c| c.hash == newest);
            open.push(Open {
                place: unit.place as u32,
                unit: nr as u32,
                contents,
                newest: newest.unwrap_or(0) as u32,
                ways: ways.into(),
                read: 0,
            });
        }
        Some(Self {
            alike,
            ..Self::of(choices, open, None)
        })
    }

    fn of(choices: Rc<Choices<'r>>, open: Vec<Open>, boxes: Option<Boxes>) -> Self {
        let mut at = vec![u32::MAX; choices.recording().written().len()];
        for (nr, open) in open.iter().enumerate() {
            at[open.place as usize] = nr as u32;
        }
        Self {
            newest: choices.contents(&choices.all()),
            choices,
            open,
            boxes,
            at,
            alike: BigUint::from(1u8),
            left: vec![Node {
                fixed: Vec::new(),
                narrowed: Narrowed::new(),
                share: 1.0,
            }],
            done: 0.0,
        }
    }

    pub fn choices(&self) -> &Rc<Choices<'r>> {
        &self.choices
    }

    /// The states of a node that have the newest content in further units.
    pub fn size_of(&self, node: &Node, newest: &[u32]) -> Size {
        if let Some(boxes) = &self.boxes {
            return boxes.size_of(&self.choices, &node.narrowed);
        }
        let mut fixed: Vec<Option<u32>> = vec![None; self.open.len()];
        for (at, content) in &node.fixed {
            fixed[*at as usize] = Some(*content);
        }
        for at in newest {
            fixed[*at as usize] = Some(self.open[*at as usize].newest);
        }
        let mut size = Size {
            legal: self.alike.clone(),
            images: BigUint::from(1u8),
        };
        for (open, fixed) in self.open.iter().zip(fixed) {
            match fixed {
                Some(content) => size.legal *= open.contents[content as usize].ways,
                None => {
                    size.legal *= &open.ways;
                    size.images *= open.contents.len();
                }
            }
        }
        size
    }

    /// The state of a node to run the check on: what is open is kept.
    pub fn state(&self, node: &Node) -> State<'r> {
        let mut keep = match &self.boxes {
            Some(boxes) => boxes.keep(&self.choices, &node.narrowed),
            None => self.choices.all(),
        };
        for (at, content) in &node.fixed {
            let open = &self.open[*at as usize];
            let unit = &self.choices.units()[open.unit as usize];
            unit.pieces().for_each(|p| keep.remove(p));
            let content = &open.contents[*content as usize];
            content.pieces.iter().for_each(|p| keep.insert(*p as usize));
        }
        State {
            keep: self.choices.canonical(&keep),
            choices: Rc::clone(&self.choices),
        }
    }

    /// Makes a node a leaf that its state's run speaks for, and leaves the
    /// rest of it to do. The number of states in the leaf.
    pub fn settle(&mut self, node: &Node, reads: &[u32]) -> Size {
        if let Some(boxes) = &mut self.boxes {
            let (own, share, others) = boxes.part(&self.choices, &node.narrowed, reads);
            let part = |(narrowed, share): (Narrowed, f64)| Node {
                fixed: Vec::new(),
                narrowed,
                share: node.share * share,
            };
            self.done += node.share * share;
            self.left.extend(others.into_iter().rev().map(part));
            return boxes.size_of(&self.choices, &own);
        }
        let is_fixed = |at: u32| node.fixed.iter().any(|(fixed, _)| *fixed == at);
        let mut read: Vec<u32> = Vec::new();
        for place in reads {
            let at = self.at[*place as usize];
            if at != u32::MAX {
                self.open[at as usize].read += 1;
                if !is_fixed(at) {
                    read.push(at);
                }
            }
        }
        // What every run reads is read before what depends on it: then no part
        // is cut by a unit that its check would not look at.
        read.sort_by_key(|at| (std::cmp::Reverse(self.open[*at as usize].read), *at));
        let size = self.size_of(node, &read);
        let mut fixed = node.fixed.clone();
        let mut share = node.share;
        let mut children = Vec::new();
        for at in read {
            let open = &self.open[at as usize];
            share /= open.contents.len() as f64;
            for content in (0..open.contents.len() as u32).filter(|c| *c != open.newest) {
                let mut child = Node {
                    fixed: fixed.clone(),
                    narrowed: Narrowed::new(),
                    share,
                };
                child.fixed.push((at, content));
                children.push(child);
            }
            fixed.push((at, open.newest));
        }
        self.done += share;
        self.left.extend(children.into_iter().rev());
        size
    }

    /// The contents of all units in that state.
    pub fn contents(&self, node: &Node) -> Vec<u128> {
        let mut contents = self.newest.clone();
        if let Some(boxes) = &self.boxes {
            boxes.contents(&self.choices, &node.narrowed, &mut contents);
        }
        for (at, content) in &node.fixed {
            let open = &self.open[*at as usize];
            contents[open.place as usize] = open.contents[*content as usize].hash;
        }
        contents
    }

    /// The units that have several contents: their places, and these.
    pub fn open(&self) -> impl Iterator<Item = (u32, Vec<u128>)> + '_ {
        let hashes = |open: &Open| open.contents.iter().map(|c| c.hash).collect();
        self.open.iter().map(move |open| (open.place, hashes(open)))
    }

    /// The contents of all units if everything is kept.
    pub fn newest(&self) -> &[u128] {
        &self.newest
    }
}
