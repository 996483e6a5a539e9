// SPDX-License-Identifier: GPL-2.0

//! Has states examined, several at a time, and hands the results out in the
//! order they are asked for: who asks can't tell how many there are at work.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::journal::Journal;
use super::outcome::Recoveries;
use crate::oracle::{Oracle, Verdict};
use crate::reads::Reads;
use crate::strategy::State;

/// What came out of an examination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub verdict: Verdict,
    /// What it read; none if that is not known.
    pub reads: Option<Reads>,
    /// What became of its recovery, if that was cut.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recoveries: Option<Recoveries>,
}

impl Seen {
    pub fn new(verdict: Verdict, reads: Option<Reads>) -> Self {
        Self {
            verdict,
            reads,
            recoveries: None,
        }
    }

    /// By an oracle.
    pub fn by(oracle: &mut dyn Oracle, state: &State<'_>) -> Result<Self> {
        Ok(Self {
            verdict: oracle.examine(state)?,
            reads: oracle.reads()?,
            recoveries: oracle.recoveries(),
        })
    }
}

/// Names an examination: a state, and the how-many-th time.
pub type Key = (u128, u32);

/// Examines states, up to `slots` at a time.
pub trait Runner {
    fn slots(&self) -> usize;
    fn begin(&mut self, key: Key, state: &State<'_>) -> Result<()>;
    /// The next that is done, in any order.
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

/// Where examinations are asked for.
pub struct Desk<'a> {
    runner: &'a mut dyn Runner,
    journal: &'a mut Journal,
    /// Done, but not asked for yet.
    ready: HashMap<Key, Seen>,
    flying: HashSet<Key>,
}

impl<'a> Desk<'a> {
    pub fn new(runner: &'a mut dyn Runner, journal: &'a mut Journal) -> Self {
        Self {
            runner,
            journal,
            ready: HashMap::new(),
            flying: HashSet::new(),
        }
    }

    /// Examines a state; `ahead` names some that may be asked for next.
    pub fn examine<'r>(
        &mut self,
        key: Key,
        state: &State<'r>,
        ahead: impl FnOnce(usize) -> Vec<(Key, State<'r>)>,
    ) -> Result<Seen> {
        if let Some(seen) = self.journal.take(key) {
            return Ok(seen);
        }
        if let Some(seen) = self.ready.remove(&key) {
            return Ok(seen);
        }
        if self.flying.insert(key) {
            self.runner.begin(key, state)?;
        }
        // Enough that nobody waits while this one is thought about.
        let wanted = match self.runner.slots() {
            0 | 1 => 0,
            n => 2 * n,
        };
        let mut ahead = match wanted {
            0 => Vec::new(),
            n => ahead(2 * n),
        }
        .into_iter();
        loop {
            while self.flying.len() < wanted {
                let Some((key, state)) = ahead.next() else {
                    break;
                };
                let is_new = !self.ready.contains_key(&key) && !self.journal.has(key);
                if is_new && self.flying.insert(key) {
                    self.runner.begin(key, &state)?;
                }
            }
            let (done, seen) = self.runner.next()?;
            self.flying.remove(&done);
            self.journal.add(done, &seen)?;
            if done == key {
                return Ok(seen);
            }
            self.ready.insert(done, seen);
        }
    }
}
