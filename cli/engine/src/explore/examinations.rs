// SPDX-License-Identifier: GPL-2.0

//! Has states examined, several at a time, and hands the results out in the
//! order they are asked for: the caller can't tell how many run at the same time.

use std::collections::hash_map::{Entry, HashMap};
use std::rc::Rc;

use anyhow::Result;

use super::candidate::Candidate;
use super::journal::Journal;
use super::seen::{Key, Seen};
use crate::oracle::Oracle;
use crate::strategy::State;

/// Examines states, up to `slots` at a time.
pub trait Runner {
    fn slots(&self) -> usize;
    fn begin(&mut self, key: Key, state: &State<'_>) -> Result<()>;
    /// The next that is done, in any order. An error ends the examination that met it.
    fn next(&mut self) -> Result<(Key, Seen)>;
}

/// One at a time, by an oracle.
pub struct Serial<'o> {
    oracle: &'o mut dyn Oracle,
    done: Option<(Key, Seen)>,
}

impl<'o> Serial<'o> {
    pub fn new(oracle: &'o mut dyn Oracle) -> Self {
        Self { oracle, done: None }
    }
}

impl Runner for Serial<'_> {
    fn slots(&self) -> usize {
        1
    }

    fn begin(&mut self, key: Key, state: &State<'_>) -> Result<()> {
        self.done = Some((key, Seen::by(self.oracle, state)?));
        Ok(())
    }

    fn next(&mut self) -> Result<(Key, Seen)> {
        let done = self.done.take();
        done.ok_or_else(|| anyhow::anyhow!("no examination was begun"))
    }
}

/// A runner, and the journal in which its results are noted.
pub struct JournaledRunner<'a> {
    runner: &'a mut dyn Runner,
    journal: &'a mut Journal,
}

impl<'a> JournaledRunner<'a> {
    pub fn new(runner: &'a mut dyn Runner, journal: &'a mut Journal) -> Self {
        Self { runner, journal }
    }
}

/// Examinations asked for, under way and done.
pub struct Examinations<'d, 'a, 'r> {
    runner: &'d mut JournaledRunner<'a>,
    under_way: HashMap<Key, Rc<Candidate<'r>>>,
    /// How many of them neither a result nor an error has come of.
    awaited: usize,
    /// Done, but not asked for yet.
    done: HashMap<Key, (Rc<Candidate<'r>>, Seen)>,
}

impl<'d, 'a, 'r> Examinations<'d, 'a, 'r> {
    pub fn new(runner: &'d mut JournaledRunner<'a>) -> Self {
        Self {
            runner,
            under_way: HashMap::new(),
            awaited: 0,
            done: HashMap::new(),
        }
    }

    /// Examines a state; `ahead` names some that may be asked for next.
    pub fn examine(
        &mut self,
        candidate: &Rc<Candidate<'r>>,
        time: u32,
        ahead: impl FnOnce(usize) -> Vec<Rc<Candidate<'r>>>,
    ) -> Result<Seen> {
        // Not when it failed: what was seen then is to be judged first.
        self.runner.journal.check()?;
        let key = candidate.key(time);
        if let Some(seen) = self.runner.journal.take(key) {
            return Ok(seen);
        }
        if let Some((_, seen)) = self.done.remove(&key) {
            return Ok(seen);
        }
        self.begin(key, candidate)?;
        // Enough that nobody waits while this one is thought about.
        let wanted = match self.runner.runner.slots() {
            0 | 1 => 0,
            n => 2 * n,
        };
        let mut ahead = match wanted {
            0 => Vec::new(),
            n => ahead(2 * n),
        }
        .into_iter();
        loop {
            while self.under_way.len() < wanted {
                let Some(candidate) = ahead.next() else {
                    break;
                };
                let key = candidate.key(0);
                if !self.done.contains_key(&key) && !self.runner.journal.has(key) {
                    self.begin(key, &candidate)?;
                }
            }
            self.receive()?;
            if let Some((_, seen)) = self.done.remove(&key) {
                return Ok(seen);
            }
        }
    }

    fn begin(&mut self, key: Key, candidate: &Rc<Candidate<'r>>) -> Result<()> {
        if let Entry::Vacant(vacant) = self.under_way.entry(key) {
            self.runner.runner.begin(key, &candidate.state)?;
            vacant.insert(Rc::clone(candidate));
            self.awaited += 1;
        }
        Ok(())
    }

    /// Waits for the next result.
    fn receive(&mut self) -> Result<()> {
        self.awaited -= 1;
        let (key, seen) = self.runner.runner.next()?;
        self.runner.journal.add(key, &seen);
        if let Some(candidate) = self.under_way.remove(&key) {
            self.done.insert(key, (candidate, seen));
        }
        Ok(())
    }

    /// Waits for what is under way, whatever becomes of it.
    pub fn settle(&mut self) {
        while self.awaited > 0 {
            // The error that ended it all is the one to tell.
            let _ = self.receive();
        }
    }

    /// What was done and never asked for, in the order of the exploration.
    pub fn left_over(self) -> Vec<(Rc<Candidate<'r>>, Seen)> {
        let mut left: Vec<_> = self.done.into_iter().collect();
        left.sort_by_key(|((_, time), (candidate, _))| (candidate.rank, *time));
        left.into_iter().map(|(_, done)| done).collect()
    }
}
