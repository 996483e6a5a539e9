// SPDX-License-Identifier: GPL-2.0

//! What one unit may hold, by the pieces that show in it.

use std::collections::HashMap;

use powercut_model::Mask;

use super::{Choices, Content, Unit};

impl Choices<'_> {
    /// The sets of a unit's pieces that may show; the first is empty. None if there are
    /// more than `limit`.
    pub fn sets(&self, unit: &Unit, limit: usize) -> Option<Vec<Vec<u32>>> {
        let all = unit.layers.iter().fold(Mask::EMPTY, |all, l| all | l.mask);
        let mut found: Vec<Vec<u32>> = vec![Vec::new()];
        let mut frontier: Vec<(usize, Mask, Vec<u32>)> = vec![(0, Mask::EMPTY, Vec::new())];
        while let Some((at, hidden, kept)) = frontier.pop() {
            let Some(layer) = unit.layers.get(at) else {
                continue;
            };
            if all.without(hidden).is_empty() {
                continue;
            }
            match layer.piece {
                None => frontier.push((at + 1, hidden | layer.mask, kept)),
                Some(piece) => {
                    if !layer.mask.without(hidden).is_empty() {
                        let mut with = kept.clone();
                        with.push(piece);
                        found.push(with.clone());
                        if found.len() > limit {
                            return None;
                        }
                        frontier.push((at + 1, hidden | layer.mask, with));
                    }
                    frontier.push((at + 1, hidden, kept));
                }
            }
        }
        Some(found)
    }

    /// What one unit adds to the image's hash if these of its pieces are kept.
    pub fn content_of(&self, unit: &Unit, pieces: &[u32]) -> u128 {
        self.unit_hash(unit, |piece| pieces.contains(&piece))
    }

    /// The contents a unit may have; the first is that without any piece. None
    /// if there are more than `limit` choices.
    pub fn options(&self, unit: &Unit, limit: usize) -> Option<Vec<Content>> {
        let mut contents: Vec<Content> = Vec::new();
        let mut at = HashMap::new();
        let sets = self.sets(unit, limit)?;
        // Of whole layers, each set but the empty one is of one piece, in their order.
        let alone = unit.layers.iter().filter(|l| l.piece.is_some());
        let alone = alone.map(|layer| layer.hash);
        let mut hashes = unit
            .is_whole
            .then(|| std::iter::once(unit.stable).chain(alone));
        for pieces in sets {
            let hash = match &mut hashes {
                Some(hashes) => hashes.next().unwrap_or_default(),
                None => self.content_of(unit, &pieces),
            };
            match at.get(&hash) {
                Some(index) => contents[*index as usize].ways += 1,
                None => {
                    at.insert(hash, contents.len() as u32);
                    contents.push(Content {
                        pieces,
                        hash,
                        ways: 1,
                    });
                }
            }
        }
        Some(contents)
    }
}

impl Unit {
    /// The coverage of its pieces and of the stable writes among them, topmost
    /// first; true for a piece.
    pub fn coverages(&self) -> impl Iterator<Item = (Mask, bool)> + '_ {
        self.layers.iter().map(|l| (l.mask, l.piece.is_some()))
    }

    /// What a piece covers of it, and what of that no stable write hides.
    pub(super) fn visible(&self, piece: u32) -> (Mask, Mask) {
        let mut hidden = Mask::EMPTY;
        for layer in &self.layers {
            match layer.piece {
                Some(found) if found == piece => return (layer.mask, layer.mask.without(hidden)),
                Some(_) => {}
                None => hidden = hidden | layer.mask,
            }
        }
        (Mask::EMPTY, Mask::EMPTY)
    }

    /// Of its pieces those that have to be kept, and those that have to be lost, for
    /// these to be the ones that show.
    pub fn terms(&self, shown: &[u32]) -> (Vec<u32>, Vec<u32>) {
        let (mut kept, mut lost) = (Vec::new(), Vec::new());
        let mut hidden = Mask::EMPTY;
        for layer in &self.layers {
            let shows = !layer.mask.without(hidden).is_empty();
            match layer.piece {
                Some(piece) if !shown.contains(&piece) => {
                    if shows {
                        lost.push(piece);
                    }
                    continue;
                }
                Some(piece) => kept.push(piece),
                None => {}
            }
            hidden = hidden | layer.mask;
        }
        (kept, lost)
    }

    /// Its pieces, topmost first.
    pub fn pieces(&self) -> impl Iterator<Item = usize> + '_ {
        self.layers
            .iter()
            .filter_map(|l| l.piece.map(|p| p as usize))
    }
}
