// SPDX-License-Identifier: GPL-2.0

//! A state to be judged, and how it came up.

use xxhash_rust::xxh3::xxh3_128;

use super::examinations::Key;
use crate::id::StateId;
use crate::keep::Keep;
use crate::strategy::State;

/// How a state came up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// In a strategy's stream, at that position among the distinct ones.
    Stream { at: u64 },
    /// As the first state of a part of a cut.
    Leaf {
        /// The number of the cut.
        cut: u64,
        /// The leaves of the cut before it.
        leaf: u64,
        /// The unit, by place, that its run must read: what came before
        /// differs in it.
        branch: Option<u32>,
    },
}

impl From<Origin> for [u64; 3] {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Stream { at } => [0, at, 0],
            Origin::Leaf { cut, leaf, .. } => [1, cut, leaf],
        }
    }
}

#[derive(Debug)]
pub struct Candidate<'r> {
    pub state: State<'r>,
    /// What each unit written adds to the image's hash.
    pub contents: Vec<u128>,
    /// The number of marks acknowledged.
    pub marks: usize,
    pub image: u128,
    pub origin: Origin,
}

impl<'r> Candidate<'r> {
    /// The state's selection must be canonical.
    pub fn new(state: State<'r>, contents: Vec<u128>, origin: Origin) -> Self {
        let recording = state.choices.recording();
        Self {
            marks: recording.marks_by(state.choices.event()).len(),
            image: contents.iter().fold(0, |sum, c| sum.wrapping_add(*c)),
            state,
            contents,
            origin,
        }
    }

    /// Names an examination of it, by how many came before.
    pub fn key(&self, time: u32) -> Key {
        (name(self.state.choices.event(), &self.state.keep), time)
    }

    pub fn id(&self) -> StateId {
        StateId::of(&self.state.choices, &self.state.keep)
    }

    /// What makes states one, whatever is read of them.
    pub fn identity(&self) -> (u128, usize) {
        (self.image, self.marks)
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
