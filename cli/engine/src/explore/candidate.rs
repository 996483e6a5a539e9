// SPDX-License-Identifier: GPL-2.0

//! A state to be judged, and how it came up.

use xxhash_rust::xxh3::xxh3_128;

use super::desk::Key;
use super::tree::Node;
use crate::keep::Keep;
use crate::strategy::State;

/// How a state came up.
#[derive(Debug, Clone)]
pub enum Place {
    /// In a strategy's stream, at that position among the distinct ones.
    Stream(u64),
    /// As the first state of a part of a cut.
    Leaf {
        /// The number of the cut.
        cut: u64,
        /// The leaves of the cut before it.
        leaf: u64,
        /// The unit, by place, that its run must read: what came before
        /// differs in it.
        branch: Option<u32>,
        node: Node,
    },
}

#[derive(Debug, Clone)]
pub struct Candidate<'r> {
    pub state: State<'r>,
    /// What each unit written adds to the image's hash.
    pub contents: Vec<u128>,
    /// The number of marks acknowledged.
    pub marks: usize,
    pub image: u128,
    pub place: Place,
}

impl<'r> Candidate<'r> {
    /// The state's selection must be canonical.
    pub fn new(state: State<'r>, contents: Vec<u128>, place: Place) -> Self {
        let recording = state.choices.recording();
        Self {
            marks: recording.marks_by(state.choices.event()).len(),
            image: contents.iter().fold(0, |sum, c| sum.wrapping_add(*c)),
            state,
            contents,
            place,
        }
    }

    pub fn key(&self, time: u32) -> Key {
        (name(self.state.choices.event(), &self.state.keep), time)
    }
}

/// A short name for a state, to know it again.
pub fn name(cut: u64, keep: &Keep) -> u128 {
    let mut bytes = cut.to_le_bytes().to_vec();
    for word in keep.words() {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    xxh3_128(&bytes)
}
