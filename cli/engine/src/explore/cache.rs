// SPDX-License-Identifier: GPL-2.0

//! What is known from earlier runs. A check that is deterministic and reads
//! the same gives the same verdict: two states with equal contents in all that
//! one of the two runs read, and with the same acknowledgements, are one to it.

use std::collections::HashMap;
use std::rc::Rc;

use super::candidate::Candidate;
use crate::oracle::Verdict;

/// What a run showed.
#[derive(Debug, Clone)]
pub struct Judgement {
    pub verdict: Verdict,
    /// The places of the units it read, ascending.
    pub reads: Rc<[u32]>,
}

/// The runs that read the same units.
#[derive(Debug)]
struct Alike {
    reads: Rc<[u32]>,
    by_contents: HashMap<u128, u32>,
}

/// All runs so far, to be found by any state they speak for.
#[derive(Debug, Default)]
pub struct Cache {
    runs: Vec<Judgement>,
    /// By the number of marks acknowledged.
    by_marks: HashMap<usize, Vec<Alike>>,
}

/// The contents of some units as one number.
fn sum(contents: &[u128], reads: &[u32]) -> u128 {
    // Each is a hash of a unit and its content: sums differ if any does.
    reads
        .iter()
        .fold(0, |sum, at| sum.wrapping_add(contents[*at as usize]))
}

impl Cache {
    /// The run that speaks for a candidate.
    pub fn find(&self, candidate: &Candidate<'_>) -> Option<usize> {
        self.find_by(&candidate.contents, candidate.marks)
    }

    /// The run that speaks for a state, given the contents of all units.
    pub fn find_by(&self, contents: &[u128], marks: usize) -> Option<usize> {
        let alike = self.by_marks.get(&marks)?;
        alike
            .iter()
            .find_map(|a| a.by_contents.get(&sum(contents, &a.reads)))
            .map(|run| *run as usize)
    }

    pub fn run(&self, index: usize) -> &Judgement {
        &self.runs[index]
    }

    /// Learns what the run of a candidate showed; its number.
    pub fn add(&mut self, candidate: &Candidate<'_>, judgement: Judgement) -> usize {
        self.add_by(&candidate.contents, candidate.marks, judgement)
    }

    fn add_by(&mut self, contents: &[u128], marks: usize, judgement: Judgement) -> usize {
        let index = self.runs.len();
        let key = sum(contents, &judgement.reads);
        let alike = self.by_marks.entry(marks).or_default();
        let at = alike.iter().position(|a| a.reads == judgement.reads);
        let at = at.unwrap_or_else(|| {
            alike.push(Alike {
                reads: Rc::clone(&judgement.reads),
                by_contents: HashMap::new(),
            });
            alike.len() - 1
        });
        alike[at].by_contents.entry(key).or_insert(index as u32);
        self.runs.push(judgement);
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_speaks_for_what_it_did_not_read() {
        let mut cache = Cache::default();
        let judgement = |reads: &[u32]| Judgement {
            verdict: Verdict::Consistent,
            reads: reads.into(),
        };
        cache.add_by(&[1, 2, 3], 0, judgement(&[0, 2]));
        cache.add_by(&[5, 2, 3], 0, judgement(&[0]));
        assert_eq!(cache.find_by(&[1, 9, 3], 0), Some(0));
        assert_eq!(cache.find_by(&[5, 9, 9], 0), Some(1));
        assert_eq!(cache.find_by(&[1, 2, 9], 0), None);
        // More was promised.
        assert_eq!(cache.find_by(&[1, 2, 3], 1), None);
    }
}
