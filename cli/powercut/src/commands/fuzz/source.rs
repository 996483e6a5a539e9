// SPDX-License-Identifier: GPL-2.0

//! Which program is next.

use std::time::Instant;

use powercut_engine::budget::Budget;
use powercut_engine::explore::Shard;
use powercut_programs::bounded::Bounded;
use powercut_programs::program::{before, opening, Program};
use powercut_programs::random::Random;

use crate::options::{Fuzz, Programs, Target};

/// Hands out programs with their numbers.
pub struct Source {
    kind: Kind,
    /// What most programs begin with.
    opening: Program,
    /// The number of the next.
    next: u64,
    /// How many were handed out.
    pub handed: u64,
    most: Budget,
    shard: Option<Shard>,
    began: Instant,
}

enum Kind {
    Bounded(Box<Bounded>),
    Random(Box<Random>),
    One(Option<Program>),
}

impl Source {
    pub fn new(options: &Fuzz) -> Self {
        let kind = match &options.programs {
            Programs::Exhaustive { ops } => {
                Kind::Bounded(Box::new(Bounded::new(options.set, *ops, &before())))
            }
            Programs::Random { ops } => {
                let random = Random::new(options.set, *ops, options.seed, &before());
                Kind::Random(Box::new(random))
            }
            Programs::This(program) => Kind::One(Some(program.clone())),
        };
        Self {
            kind,
            opening: options
                .target
                .as_ref()
                .map_or_else(Program::default, opening_of),
            next: options.from,
            handed: 0,
            most: options.most,
            shard: options.shard,
            began: Instant::now(),
        }
    }

    /// How much of it was handed out, of 1, if that is known.
    pub fn fraction(&self) -> Option<f64> {
        match (self.most, &self.kind) {
            (Budget::States(most), _) => Some(self.handed as f64 / most.max(1) as f64),
            (Budget::Time(time), _) => {
                Some(self.began.elapsed().as_secs_f64() / time.as_secs_f64().max(1.0))
            }
            (Budget::Unlimited, Kind::Bounded(bounded)) => {
                Some(self.next as f64 / bounded.numbers().max(1) as f64)
            }
            (Budget::Unlimited, _) => None,
        }
    }

    /// The number after the last that was handed out.
    pub fn next_number(&self) -> u64 {
        self.next
    }

    /// Begins a generated program as most do.
    fn opened(&self, number: u64, program: Program) -> Program {
        let is_opened = match self.kind {
            Kind::Bounded(_) => true,
            // A few begin on what was just mounted.
            Kind::Random(_) => number % 4 > 0,
            Kind::One(_) => false,
        };
        if is_opened {
            self.opening.then(program)
        } else {
            program
        }
    }

    fn is_spent(&self) -> bool {
        match self.most {
            Budget::States(most) => self.handed >= most,
            Budget::Time(time) => self.began.elapsed() >= time,
            Budget::Unlimited => false,
        }
    }
}

fn opening_of(target: &Target) -> Program {
    let made_with = target.mkfs.as_deref().unwrap_or(&target.mkfs_opts);
    opening(target.fs.name(), made_with)
}

impl Iterator for Source {
    type Item = (u64, Program);

    fn next(&mut self) -> Option<(u64, Program)> {
        if self.is_spent() {
            return None;
        }
        loop {
            let number = self.next;
            let program = match &mut self.kind {
                Kind::Bounded(bounded) if number < bounded.numbers() => bounded.program(number),
                Kind::Bounded(_) => return None,
                Kind::Random(random) => Some(random.program()),
                Kind::One(program) => Some(program.take()?),
            };
            self.next += 1;
            let is_ours = self.shard.is_none_or(|shard| shard.has(number));
            let program = program.map(|program| self.opened(number, program));
            if let (Some(program), true) = (program, is_ours) {
                self.handed += 1;
                return Some((number, program));
            }
        }
    }
}
