// SPDX-License-Identifier: GPL-2.0

//! Which state is next: what the strategy directs first, then the parts of all cuts,
//! in turn with random states where the strategy has both.
//!
//! A candidate stays the next one until it is settled, whatever becomes of its
//! examination.

use std::rc::Rc;

use super::cache::Cache;
use super::candidate::Candidate;
use super::outcome::{End, Plan, Shard};
use super::partition::Size;
use super::rank::Rank;
use super::stream::Stream;
use super::worklist::Worklist;
use crate::strategy::{Space, Strategy};

pub struct Scheduler<'s, 'r> {
    stream: Option<Stream<'s, 'r>>,
    pub worklist: Worklist<'s, 'r>,
    shard: Option<Shard>,
    /// Whether all legal states are looked at in the end, by the worklist.
    is_exhaustive: bool,
    leaf_next: bool,
    /// States that count for a budget, those of other shards too.
    spent: u64,
}

impl<'s, 'r: 's> Scheduler<'s, 'r> {
    pub fn new(space: &'s Space<'r>, plan: &Plan) -> Self {
        let stream = match plan.strategy {
            Strategy::Exhaustive => None,
            other => Some(Stream::new(space, other, plan.seed)),
        };
        Self {
            stream,
            worklist: Worklist::new(space, plan.shard),
            shard: plan.shard,
            is_exhaustive: matches!(
                plan.strategy,
                Strategy::Exhaustive | Strategy::Auto | Strategy::Acknowledged
            ),
            leaf_next: false,
            spent: 0,
        }
    }

    pub fn spent(&self) -> u64 {
        self.spent
    }

    /// States of the strategy that were left out as their image had come before.
    pub fn same_image(&self) -> u64 {
        self.stream.as_ref().map_or(0, |stream| stream.same_image)
    }

    /// About how much is done, from 0 to 1, if the end is when all is covered.
    pub fn fraction(&self) -> Option<f64> {
        self.is_exhaustive.then(|| self.worklist.fraction())
    }

    fn is_directed(&mut self) -> bool {
        self.stream.as_mut().is_some_and(Stream::is_directed)
    }

    /// The next candidate, or why there is none. `is_spent` says whether the budget has room
    /// for no more than so many states: then only what is known comes up.
    pub fn next(
        &mut self,
        is_spent: impl Fn(u64) -> bool,
        cache: &Cache,
    ) -> Result<Rc<Candidate<'r>>, End> {
        loop {
            let candidate = self.propose(is_spent(self.spent), cache)?;
            if is_mine(self.shard, &candidate) {
                return Ok(candidate);
            }
            self.spent += u64::from(self.is_directed());
            self.settle_streamed();
        }
    }

    fn propose(&mut self, beyond_budget: bool, cache: &Cache) -> Result<Rc<Candidate<'r>>, End> {
        let is_directed = self.is_directed();
        let streamed = self.stream.as_mut().and_then(Stream::next);
        match streamed {
            Some(_) if is_directed && beyond_budget => Err(End::Budget),
            Some(streamed) if is_directed => Ok(streamed),
            _ if !self.is_exhaustive => Err(End::Exhausted),
            Some(streamed) if !self.leaf_next && !beyond_budget => Ok(streamed),
            _ => match self.worklist.next() {
                None => Err(End::Exhausted),
                Some(leaf) if beyond_budget && cache.find(&leaf).is_none() => Err(End::Budget),
                Some(leaf) => Ok(Rc::new(leaf)),
            },
        }
    }

    fn settle_streamed(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.settle();
        }
        self.leaf_next = true;
    }

    /// The next candidate has a verdict from a run that read these units, `ran` if it was its own.
    /// The size of the leaf that this makes, if it does.
    pub fn settle(&mut self, candidate: &Candidate<'_>, reads: &[u32], ran: bool) -> Option<Size> {
        match candidate.rank {
            Rank::Stream { .. } => {
                self.spent += u64::from(ran || self.is_directed());
                self.settle_streamed();
                None
            }
            Rank::Leaf { .. } => {
                self.spent += u64::from(ran);
                self.leaf_next = false;
                Some(self.worklist.settle(reads))
            }
        }
    }

    /// Candidates that may come after the next, and are not known.
    pub fn ahead(&mut self, wanted: usize, cache: &Cache) -> Vec<Rc<Candidate<'r>>> {
        let is_directed = self.is_directed();
        let shard = self.shard;
        let mut streamed = Vec::new();
        if let Some(stream) = &mut self.stream {
            let wanted = if is_directed { wanted } else { wanted / 2 };
            let stride = shard.map_or(1, |shard| shard.of as usize);
            let next = stream.look(wanted.saturating_mul(stride));
            let next = next.filter(|candidate| is_mine(shard, candidate));
            streamed.extend(next.filter(|c| cache.find(&***c).is_none()).cloned());
        }
        if is_directed || !self.is_exhaustive {
            return streamed;
        }
        interleave(self.worklist.ahead(wanted, cache), streamed)
    }
}

/// States of a strategy are dealt out to the shards one by one.
fn is_mine(shard: Option<Shard>, candidate: &Candidate<'_>) -> bool {
    match (shard, candidate.rank) {
        (Some(shard), Rank::Stream { at }) => shard.has(at),
        _ => true,
    }
}

/// One of each in turn.
fn interleave<T>(a: Vec<T>, b: Vec<T>) -> Vec<T> {
    let mut b = b.into_iter();
    let mut both = Vec::new();
    for item in a {
        both.push(item);
        both.extend(b.next());
    }
    both.extend(b);
    both
}
