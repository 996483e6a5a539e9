// SPDX-License-Identifier: GPL-2.0

//! A state to be judged.

use xxhash_rust::xxh3::xxh3_128;

use super::cache::Contents;
use super::rank::Rank;
use super::seen::Key;
use crate::id::StateId;
use crate::keep::Keep;
use crate::strategy::State;

#[derive(Debug)]
pub struct Candidate<'r> {
    pub state: State<'r>,
    /// The number of marks acknowledged.
    pub marks: usize,
    pub image: u128,
    /// How it came up.
    pub rank: Rank,
    /// The unit, by place, that its run must read: what came before differs in it.
    pub branch: Option<u32>,
}

impl<'r> Candidate<'r> {
    /// The state's selection must be canonical, and the image be its own.
    pub fn new(state: State<'r>, image: u128, rank: Rank) -> Self {
        let recording = state.choices.recording();
        Self {
            marks: recording.marks_by(state.choices.event()).len(),
            image,
            state,
            rank,
            branch: None,
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

impl Contents for Candidate<'_> {
    fn content(&self, place: u32) -> u128 {
        self.state.choices.content_at(place, &self.state.keep)
    }

    fn image(&self) -> u128 {
        self.image
    }

    fn nr_units(&self) -> usize {
        self.state.choices.recording().written().len()
    }

    fn marks(&self) -> usize {
        self.marks
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
