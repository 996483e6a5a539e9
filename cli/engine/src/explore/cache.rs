// SPDX-License-Identifier: GPL-2.0

//! What is known from earlier runs. A check that is deterministic and reads
//! the same gives the same verdict: two states with equal contents in all that
//! one of the two runs read, and with the same acknowledgements, are one to it.
//!
//! All runs read some unit first, and what they read next follows from what it held: if their
//! verdicts may differ, they part at a unit that all of them read. So the runs are kept in a tree
//! that parts them by such units, and a state needs to be compared with few of them.

use std::collections::HashMap;
use std::rc::Rc;

use crate::oracle::Verdict;

/// More runs than this in one place are parted.
const FEW: usize = 4;
/// A run that read more units than this is kept without what they held.
const MANY_READS: usize = 1 << 14;

/// What a run showed.
#[derive(Debug, Clone)]
pub struct Judgement {
    pub verdict: Verdict,
    /// The places of the units it read, ascending.
    pub reads: Rc<[u32]>,
}

/// A run as it is compared with states.
#[derive(Debug)]
struct Known {
    run: u32,
    reads: Rc<[u32]>,
    /// What the units read held, as one number.
    sum: u128,
    /// What each of them held, shortened; empty if they are too many.
    contents: Box<[u64]>,
}

/// Runs with the same marks.
#[derive(Debug)]
enum Node {
    /// In the order they came in.
    Few(Vec<Known>),
    /// Parted by the content of a unit that all of them read.
    Parted {
        place: u32,
        by_content: HashMap<u64, Node>,
        /// Those that did not read it after all.
        others: Box<Node>,
    },
}

impl Default for Node {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

/// All runs so far, to be found by any state they speak for.
#[derive(Debug, Default)]
pub struct Cache {
    runs: Vec<Judgement>,
    /// By the number of marks acknowledged.
    by_marks: HashMap<usize, Node>,
}

/// A state, to be compared with runs.
pub trait Contents {
    /// What the unit at a place holds, as a hash of both.
    fn content(&self, place: u32) -> u128;

    /// The sum of what all units hold.
    fn image(&self) -> u128;

    /// The number of units written to.
    fn nr_units(&self) -> usize;

    /// The number of marks acknowledged.
    fn marks(&self) -> usize;
}

/// The contents of some units as one number.
fn sum(state: &dyn Contents, reads: &[u32]) -> u128 {
    if reads.len() == state.nr_units() {
        return state.image();
    }
    // Each is a hash of a unit and its content: sums differ if any does.
    let contents = reads.iter().map(|place| state.content(*place));
    contents.fold(0, u128::wrapping_add)
}

impl Cache {
    /// The run that speaks for a state.
    pub fn find(&self, state: &dyn Contents) -> Option<usize> {
        self.by_marks.get(&state.marks())?.find(state)
    }

    /// Whether there was any run with so many marks.
    pub fn has_marks(&self, marks: usize) -> bool {
        self.by_marks.contains_key(&marks)
    }

    pub fn run(&self, index: usize) -> &Judgement {
        &self.runs[index]
    }

    /// Learns what the run of a state showed; its number.
    pub fn add(&mut self, state: &dyn Contents, judgement: Judgement) -> usize {
        let index = self.runs.len();
        let known = Known::new(index as u32, Rc::clone(&judgement.reads), state);
        let node = self.by_marks.entry(state.marks());
        node.or_default().add(known);
        self.runs.push(judgement);
        index
    }
}

impl Node {
    fn find(&self, state: &dyn Contents) -> Option<usize> {
        match self {
            Self::Few(runs) => {
                let found = runs.iter().find(|run| run.sum == sum(state, &run.reads));
                found.map(|run| run.run as usize)
            }
            Self::Parted {
                place,
                by_content,
                others,
            } => {
                let part = by_content.get(&(state.content(*place) as u64));
                let found = part.and_then(|part| part.find(state));
                found.or_else(|| others.find(state))
            }
        }
    }

    fn add(&mut self, known: Known) {
        match self {
            Self::Few(runs) => {
                runs.push(known);
                // If they can't be parted, more of them are needed before it is tried again.
                if runs.len() > FEW && (runs.len() - 1).is_power_of_two() {
                    if let Some(place) = parting(runs) {
                        *self = Self::parted(place, std::mem::take(runs));
                    }
                }
            }
            Self::Parted {
                place,
                by_content,
                others,
            } => match known.content(*place) {
                Some(content) => by_content.entry(content).or_default().add(known),
                None => others.add(known),
            },
        }
    }

    fn parted(place: u32, runs: Vec<Known>) -> Self {
        let mut node = Self::Parted {
            place,
            by_content: HashMap::new(),
            others: Box::default(),
        };
        runs.into_iter().for_each(|run| node.add(run));
        node
    }
}

/// Of the units that all of these runs read, that which parts them best; none if none does.
fn parting(runs: &[Known]) -> Option<u32> {
    let (first, others) = runs.split_first()?;
    let mut best = (1, None);
    for (place, content) in first.reads.iter().zip(&first.contents) {
        let contents = others.iter().map(|run| run.content(*place));
        let contents: Option<Vec<u64>> = contents.collect();
        if let Some(mut contents) = contents {
            contents.push(*content);
            contents.sort_unstable();
            contents.dedup();
            if contents.len() > best.0 {
                best = (contents.len(), Some(*place));
            }
        }
    }
    best.1
}

impl Known {
    fn new(run: u32, reads: Rc<[u32]>, state: &dyn Contents) -> Self {
        let contents = match reads.len() {
            0..=MANY_READS => reads.iter().map(|p| state.content(*p) as u64).collect(),
            _ => Box::default(),
        };
        Self {
            run,
            sum: sum(state, &reads),
            contents,
            reads,
        }
    }

    /// What a unit held; none if it was not read, as far as that is known.
    fn content(&self, place: u32) -> Option<u64> {
        let at = self.reads.binary_search(&place).ok()?;
        self.contents.get(at).copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use xxhash_rust::xxh3::xxh3_128;

    use super::*;

    struct State(Vec<u128>, usize);

    impl Contents for State {
        fn content(&self, place: u32) -> u128 {
            let content = self.0[place as usize];
            xxh3_128(&[place.to_le_bytes(), (content as u32).to_le_bytes()].concat())
        }

        fn image(&self) -> u128 {
            let contents = (0..self.0.len() as u32).map(|place| self.content(place));
            contents.fold(0, u128::wrapping_add)
        }

        fn nr_units(&self) -> usize {
            self.0.len()
        }

        fn marks(&self) -> usize {
            self.1
        }
    }

    fn judgement(reads: &[u32]) -> Judgement {
        Judgement {
            verdict: Verdict::Consistent,
            reads: reads.into(),
        }
    }

    #[test]
    fn a_run_speaks_for_what_it_did_not_read() {
        let mut cache = Cache::default();
        let state = |contents: [u128; 3]| State(contents.to_vec(), 0);
        cache.add(&state([1, 2, 3]), judgement(&[0, 2]));
        cache.add(&state([5, 2, 3]), judgement(&[0]));
        assert_eq!(cache.find(&state([1, 9, 3])), Some(0));
        assert_eq!(cache.find(&state([5, 9, 9])), Some(1));
        assert_eq!(cache.find(&state([1, 2, 9])), None);
        // More was promised.
        assert_eq!(cache.find(&State(vec![1, 2, 3], 1)), None);
    }

    proptest! {
        /// Of checks that read what follows from what they read, and of such as read anything.
        #[test]
        fn a_run_is_found_if_and_only_if_one_speaks_for_the_state(
            states in prop::collection::vec(
                (prop::collection::vec(0u128..3, 6), prop::collection::btree_set(0u32..6, 0..6)),
                1..60,
            ),
            is_steady in any::<bool>(),
        ) {
            let mut cache = Cache::default();
            let mut runs: Vec<(Vec<u128>, Vec<u32>)> = Vec::new();
            for (contents, reads) in states {
                let speaks = |(known, reads): &(Vec<u128>, Vec<u32>)| {
                    reads.iter().all(|p| known[*p as usize] == contents[*p as usize])
                };
                let state = State(contents.clone(), 0);
                match cache.find(&state) {
                    Some(run) => prop_assert!(speaks(&runs[run])),
                    None => {
                        prop_assert!(!runs.iter().any(speaks));
                        let mut place = 0;
                        let mut walked = std::collections::BTreeSet::from([0u32]);
                        for _ in 0..4 {
                            place = (place * 3 + contents[place as usize] as u32 + 1) % 6;
                            walked.insert(place);
                        }
                        let reads = if is_steady { walked } else { reads };
                        let reads: Vec<u32> = reads.into_iter().collect();
                        cache.add(&state, judgement(&reads));
                        runs.push((contents, reads));
                    }
                }
            }
        }
    }
}
