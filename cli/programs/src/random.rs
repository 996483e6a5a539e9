// SPDX-License-Identifier: GPL-2.0

//! Programs made at random: the seeds first, then such that are much like one of these, and some
//! new ones. Those are made with a preference for what was not made yet (pairs of operations, and
//! states of the files that they act on) and for what has to do with what the program did before. A seed
//! gives the same programs in the same order.

use std::collections::HashMap;

use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::instances::{all_persistence, sort_of, sorts, Set, Sort};
use crate::mutate::mutated;
use crate::namespace::{parent, Namespace, State};
use crate::op::Op;
use crate::program::Program;
use crate::seeds::seeds;
use crate::tree::Kind;

/// An operation on files in these states, after an operation.
type Situation = (String, Vec<Option<(Kind, State)>>, String);

/// How often programs are of some mixture, and how often an operation of a sort is in one of it.
struct Mixture {
    often: u32,
    sorts: [(Sort, u32); 4],
}

const MIXTURES: [Mixture; 4] = [
    Mixture::new(5, [20, 2, 2, 1]),
    Mixture::new(3, [2, 20, 2, 1]),
    Mixture::new(1, [3, 3, 12, 1]),
    Mixture::new(3, [8, 8, 4, 1]),
];

impl Mixture {
    /// Of names, data, attributes, caches.
    const fn new(often: u32, parts: [u32; 4]) -> Self {
        let [names, data, attributes, caches] = parts;
        Self {
            often,
            sorts: [
                (Sort::Names, names),
                (Sort::Data, data),
                (Sort::Attributes, attributes),
                (Sort::Caches, caches),
            ],
        }
    }
}

/// So much likelier is an operation on what the program has to do with already.
const RELATED: u64 = 8;
/// The same for what makes something durable that is not yet: of what is, most filesystems do nothing.
const DIRTY: u64 = 4;
/// The same for what makes everything durable.
const WHOLE: u64 = 8;

pub struct Random {
    before: Namespace,
    /// Those of the set, with no more operations than a program may have.
    seeds: Vec<Program>,
    /// How many programs were made.
    made: usize,
    rng: ChaCha8Rng,
    changes: Vec<(Sort, Vec<Op>)>,
    persistence: Vec<Op>,
    /// The most operations, without those that make something durable.
    len: u32,
    /// How often each situation was met.
    met: HashMap<Situation, u32>,
}

/// Files that programs name.
const FILES: [&str; 8] = [
    "foo", "bar", "baz", "A/foo", "A/bar", "A/baz", "B/bar", "A/C/foo",
];
/// How many of them one program does: the fewer, the likelier one operation has to do with another.
const CAST: usize = 3;

/// A program that is being made.
struct Draft {
    namespace: Namespace,
    ops: Vec<Op>,
    /// The files that it may name; directories are free.
    cast: Vec<&'static str>,
}

impl Random {
    pub fn new(set: Set, len: u32, seed: u64, before: &[Op]) -> Self {
        let mut random = Self {
            before: Namespace::after(before),
            seeds: Vec::new(),
            made: 0,
            rng: ChaCha8Rng::seed_from_u64(seed),
            changes: sorts(set),
            persistence: all_persistence(),
            len: len.max(1),
            met: HashMap::new(),
        };
        random.seeds = random.shuffled_seeds();
        random
    }

    /// Seeds that may be programs, in an order of chance.
    fn shuffled_seeds(&mut self) -> Vec<Program> {
        let is_change = |op: &&Op| sort_of(op).is_some();
        let of_set = |op: &Op| {
            sort_of(op).is_none_or(|sort| self.changes.iter().any(|(known, _)| *known == sort))
        };
        let mut seeds = seeds();
        seeds.retain(|seed| {
            let changes = seed.ops.iter().filter(is_change).count();
            changes <= self.len as usize && seed.ops.iter().all(of_set)
        });
        for nr in (1..seeds.len()).rev() {
            let other = self.below(nr as u32 + 1) as usize;
            seeds.swap(nr, other);
        }
        seeds
    }

    /// The next program.
    pub fn program(&mut self) -> Program {
        let nr = self.made;
        self.made += 1;
        match self.seeds.get(nr) {
            Some(seed) => seed.clone(),
            // Most bugs are near those that were found.
            None if nr % 4 > 0 && !self.seeds.is_empty() => self.like_a_seed(),
            None => self.new_program(),
        }
    }

    fn like_a_seed(&mut self) -> Program {
        let nr = self.below(self.seeds.len() as u32) as usize;
        let mut from: Vec<&[Op]> = vec![&self.persistence];
        from.extend(self.changes.iter().map(|(_, ops)| ops.as_slice()));
        mutated(&self.seeds[nr], &self.before, &from, &mut self.rng)
    }

    /// One that is made operation by operation.
    fn new_program(&mut self) -> Program {
        let mut draft = Draft {
            namespace: self.before.clone(),
            ops: Vec::new(),
            cast: self.cast(),
        };
        let mixture = self.mixture();
        // The longer ones have the shorter ones in them.
        let changes = 1 + self.below(self.len).max(self.below(self.len));
        // In some, what is made first is durable, as it is of a file that was there for long.
        let opening = if self.below(3) == 0 {
            self.below(3).min(changes - 1)
        } else {
            0
        };
        for made in 0..changes {
            self.change(&mut draft, mixture);
            let is_last = made + 1 == changes;
            let is_durable = draft.ops.last().is_some_and(Op::is_persistence);
            if made + 1 == opening {
                let whole = [Op::Sync, Op::Syncfs][self.below(2) as usize].clone();
                draft.namespace.apply(&whole);
                draft.ops.push(whole);
            } else if made >= opening && !is_durable && (is_last || self.below(2) == 0) {
                let persistence = self.persistence.clone();
                self.add(&mut draft, &persistence);
            }
        }
        if !draft.ops.last().is_some_and(Op::is_persistence) {
            draft.ops.push(Op::Sync);
        }
        Program { ops: draft.ops }
    }

    /// Some files.
    fn cast(&mut self) -> Vec<&'static str> {
        let mut files = FILES.to_vec();
        for nr in 0..CAST {
            let other = nr + self.below((FILES.len() - nr) as u32) as usize;
            files.swap(nr, other);
        }
        files.truncate(CAST);
        files
    }

    fn mixture(&mut self) -> &'static Mixture {
        let mut draw = self.below(MIXTURES.iter().map(|mixture| mixture.often).sum());
        let mut mixtures = MIXTURES.iter();
        let found = mixtures.find(|mixture| {
            let is_it = draw < mixture.often;
            draw = draw.saturating_sub(mixture.often);
            is_it
        });
        found.unwrap_or(&MIXTURES[0])
    }

    /// Adds an operation of a sort that the mixture has.
    fn change(&mut self, draft: &mut Draft, mixture: &Mixture) {
        let namespace = &draft.namespace;
        let sorts = self.changes.iter().filter_map(|(sort, ops)| {
            let (_, part) = mixture.sorts.iter().find(|(of, _)| of == sort)?;
            let allowed = ops.iter().any(|op| namespace.allows(op) && draft.casts(op));
            allowed.then_some((*part, ops))
        });
        let sorts: Vec<(u32, &Vec<Op>)> = sorts.collect();
        let sum: u32 = sorts.iter().map(|(part, _)| part).sum();
        if sum == 0 {
            return;
        }
        let mut draw = self.rng.next_u32() % sum;
        let found = sorts.iter().find(|(part, _)| {
            let is_it = draw < *part;
            draw = draw.saturating_sub(*part);
            is_it
        });
        let ops = found.map(|(_, ops)| (*ops).clone()).unwrap_or_default();
        self.add(draft, &ops);
    }

    /// Adds one of these operations.
    fn add(&mut self, draft: &mut Draft, from: &[Op]) {
        let before = draft.ops.last().map_or_else(String::new, Op::kind);
        let allowed = from
            .iter()
            .filter(|op| draft.namespace.allows(op) && draft.casts(op));
        let mut choices: Vec<(u64, &Op, Situation)> = Vec::new();
        let mut sum = 0;
        for op in allowed {
            let states = op
                .paths()
                .iter()
                .map(|path| draft.namespace.state(path))
                .collect();
            let situation = (op.kind(), states, before.clone());
            let met = self.met.get(&situation).copied().unwrap_or(0);
            sum += (1 + (1 << 16) / (u64::from(met) + 1)) * likelihood(op, draft);
            choices.push((sum, op, situation));
        }
        let Some(draw) = self.rng.next_u64().checked_rem(sum) else {
            return;
        };
        let found = choices.into_iter().find(|(upto, _, _)| draw < *upto);
        if let Some((_, op, situation)) = found {
            draft.namespace.apply(op);
            *self.met.entry(situation).or_default() += 1;
            draft.ops.push(op.clone());
        }
    }

    /// A number below a limit, which is not 0.
    fn below(&mut self, limit: u32) -> u32 {
        self.rng.next_u32() % limit
    }

    /// How many situations were met.
    pub fn situations(&self) -> usize {
        self.met.len()
    }
}

impl Draft {
    /// Whether an operation names no file that is not of the cast.
    fn casts(&self, op: &Op) -> bool {
        let is_free = |path: &&str| !FILES.contains(path) || self.cast.contains(path);
        op.paths().iter().all(is_free)
    }
}

/// How likely an operation is next: likelier if it names what one before it does, or the directory of that.
fn likelihood(op: &Op, draft: &Draft) -> u64 {
    let paths = op.paths();
    if paths.is_empty() {
        return WHOLE;
    }
    let mut named = draft.ops.iter().flat_map(Op::paths);
    let is_related = named.any(|path| {
        let is_it =
            |other: &&str| *other == path || (op.is_persistence() && *other == parent(path));
        paths.iter().any(is_it)
    });
    let is_dirty = op.is_persistence() && !paths.iter().all(|path| draft.namespace.is_clean(path));
    let times = |is_so: bool, often: u64| if is_so { often } else { 1 };
    times(is_related, RELATED) * times(is_dirty, DIRTY)
}

#[cfg(test)]
mod tests;
