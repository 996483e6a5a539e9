// SPDX-License-Identifier: GPL-2.0

//! States of a disk on which writes survive as prefixes: which are legal, and which of
//! those that show the same stands for them.

use num_bigint::BigUint;
use powercut_model::Tear;

use super::{Choices, Lengths};
use crate::keep::Keep;

impl Choices<'_> {
    /// Whether writes survive as prefixes.
    pub fn has_prefixes(&self) -> bool {
        self.cut.geometry().tear == Tear::Prefix
    }

    /// What there is to know of states as lengths of writes.
    pub fn lengths(&self) -> &Lengths {
        self.lengths.get_or_init(|| Lengths::new(self))
    }

    /// The state, or, where writes survive as prefixes, the nearest legal one: each
    /// write without what follows its first lost piece.
    pub fn legal(&self, keep: &Keep) -> Keep {
        let mut legal = keep.clone();
        if self.has_prefixes() {
            for (_, pieces) in &self.writes {
                let mut lost = pieces.clone().skip_while(|piece| keep.contains(*piece));
                lost.next();
                lost.for_each(|piece| legal.remove(piece));
            }
        }
        legal
    }

    /// The state that has of each write the first pieces, as many as `draw` says, given
    /// how many there are.
    pub fn prefixes_by(&self, mut draw: impl FnMut(u32) -> u32) -> Keep {
        let mut keep = self.none();
        for (_, pieces) in &self.writes {
            let kept = draw(pieces.len() as u32) as usize;
            let kept = pieces.clone().take(kept);
            kept.for_each(|piece| keep.insert(piece));
        }
        keep
    }

    /// The same state without the pieces that others hide; where writes survive as
    /// prefixes, without those that no piece of the write follows that is seen.
    pub fn canonical(&self, keep: &Keep) -> Keep {
        if !self.has_prefixes() {
            return self.shown(keep);
        }
        let shown = self.shown(&self.legal(keep));
        let mut canonical = self.none();
        for (_, pieces) in &self.writes {
            let last = pieces.clone().rev().find(|piece| shown.contains(*piece));
            let end = last.map_or(pieces.start, |last| last + 1);
            (pieces.start..end).for_each(|piece| canonical.insert(piece));
        }
        canonical
    }

    /// Every legal state where writes survive as prefixes, those that show the same too;
    /// none if there are more than `limit`.
    pub fn every_prefix(&self, limit: usize) -> Option<Vec<Keep>> {
        let mut states = vec![self.none()];
        for (_, pieces) in &self.writes {
            if states.len().checked_mul(pieces.len() + 1)? > limit {
                return None;
            }
            let with = |keep: &Keep, length: usize| {
                let mut keep = keep.clone();
                let kept = pieces.clone().take(length);
                kept.for_each(|piece| keep.insert(piece));
                keep
            };
            states = states
                .iter()
                .flat_map(|keep| (0..=pieces.len()).map(move |length| with(keep, length)))
                .collect();
        }
        Some(states)
    }

    /// No less than the number of states where writes survive as prefixes, and
    /// whether it is that.
    pub fn prefixes(&self) -> &(BigUint, bool) {
        self.prefixes.get_or_init(|| self.count_lengths())
    }

    fn count_lengths(&self) -> (BigUint, bool) {
        let lengths = self.lengths();
        let bounds = |write: u32| (0, self.writes[write as usize].1.len() as u32);
        let mut exact = true;
        let states = (0..lengths.nr_components()).map(|nr| {
            lengths.count(nr, bounds).unwrap_or_else(|| {
                exact = false;
                lengths.at_most(nr, bounds)
            })
        });
        (states.product(), exact)
    }
}
