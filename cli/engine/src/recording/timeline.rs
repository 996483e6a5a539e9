// SPDX-License-Identifier: GPL-2.0

//! What each unit holds for certain, over time: the content of its stable writes.

use powercut_model::{units, Event};

use super::blocks::covered;
use super::entry::short;
use super::versions::Versions;
use super::Recording;

/// For each unit written, by place, how its content changes as writes become stable.
#[derive(Debug, Default)]
pub struct Timeline {
    /// From when on a unit has a content, one list after another as the units' writes are in their
    /// [`Versions`]; a list is shorter than that of the writes if not each of them makes a change: then
    /// it ends with events that never come.
    events: Vec<u32>,
    /// What the unit adds to the image's hash then.
    contents: Vec<u128>,
    images: Images,
}

/// The hash of the whole image from an event on, ascending.
#[derive(Debug, Default)]
struct Images {
    events: Vec<u32>,
    hashes: Vec<u128>,
}

const NEVER: u32 = u32::MAX;

impl Timeline {
    /// `stable`: of each entry, when it is stable.
    pub fn new(recording: &Recording, units: &Versions, blocks: &Versions, stable: &[u32]) -> Self {
        Builder::new(recording, units, blocks).build(stable)
    }

    /// What the unit with these writes adds to the image's hash at a cut without any pending write.
    pub fn content(&self, writes: std::ops::Range<usize>, cut: Event) -> u128 {
        let events = self.events.get(writes.clone()).unwrap_or_default();
        let contents = self.contents.get(writes).unwrap_or_default();
        at(events, contents, cut)
    }

    /// The hash of the image at a cut without any pending write.
    pub fn image(&self, cut: Event) -> u128 {
        at(&self.images.events, &self.images.hashes, cut)
    }
}

fn at(events: &[u32], hashes: &[u128], cut: Event) -> u128 {
    let cut = short(cut).min(NEVER - 1);
    let end = events.partition_point(|event| *event <= cut);
    end.checked_sub(1).map_or(0, |newest| hashes[newest])
}

/// Goes through the writes as they become stable.
struct Builder<'r> {
    recording: &'r Recording,
    units: &'r Versions,
    blocks: &'r Versions,
    /// For each unit, the next free position in the lists.
    next: Vec<u32>,
    /// For each unit whose writes cover it whole, one more than the newest write that is stable; for
    /// each block of the others likewise.
    newest: Vec<u32>,
    newest_of_blocks: Vec<u32>,
    image: u128,
    timeline: Timeline,
}

impl<'r> Builder<'r> {
    fn new(recording: &'r Recording, units: &'r Versions, blocks: &'r Versions) -> Self {
        let places = 0..units.keys().len();
        Self {
            recording,
            units,
            blocks,
            newest: vec![0; places.len()],
            next: places
                .map(|place| units.range(place).start as u32)
                .collect(),
            newest_of_blocks: vec![0; blocks.keys().len()],
            image: 0,
            timeline: Timeline {
                events: vec![NEVER; units.nr_entries()],
                contents: vec![0; units.nr_entries()],
                images: Images::default(),
            },
        }
    }

    fn build(mut self, stable: &[u32]) -> Timeline {
        // Each by its event and its index, in one number.
        let mut order: Vec<u64> = Vec::new();
        for (index, event) in stable.iter().enumerate() {
            if self.recording.entries[index].is_write() && *event != NEVER {
                order.push((u64::from(*event) << 32) | index as u64);
            }
        }
        order.sort_unstable();
        for write in order {
            self.take((write >> 32) as u32, write as u32);
        }
        self.timeline.images.events.shrink_to_fit();
        self.timeline.images.hashes.shrink_to_fit();
        self.timeline
    }

    /// A write is stable from an event on.
    fn take(&mut self, event: u32, index: u32) {
        let before = self.image;
        let recorded = &self.recording.entries[index as usize];
        let touched = units(self.recording.geometry, &recorded.entry());
        for (place, unit) in (recorded.place as usize..).zip(touched) {
            let start = self.units.range(place).start;
            let newest = (self.next[place] as usize).checked_sub(1);
            let newest = newest.filter(|newest| *newest >= start);
            let old = newest.map_or(0, |newest| self.timeline.contents[newest]);
            let new = self.content(unit, place, old, index);
            if new == old {
                continue;
            }
            let at = match newest {
                Some(newest) if self.timeline.events[newest] == event => newest,
                _ => {
                    self.next[place] += 1;
                    self.next[place] as usize - 1
                }
            };
            self.timeline.events[at] = event;
            self.timeline.contents[at] = new;
            self.image = self.image.wrapping_add(new).wrapping_sub(old);
        }
        if self.image != before {
            let Images { events, hashes } = &mut self.timeline.images;
            match (events.last(), hashes.last_mut()) {
                (Some(last), Some(newest)) if *last == event => *newest = self.image,
                _ => {
                    events.push(event);
                    hashes.push(self.image);
                }
            }
        }
    }

    /// What a unit adds to the image's hash once one more write is stable.
    fn content(&mut self, unit: u64, place: usize, old: u128, index: u32) -> u128 {
        let recording = self.recording;
        let per_unit = u64::from(recording.geometry.unit_sectors) / recording.block_sectors();
        let first = unit * per_unit;
        let blocks = self.blocks.places(first..first + per_unit);
        if blocks.is_empty() {
            if self.newest[place] > index {
                return old;
            }
            self.newest[place] = index + 1;
            return recording.unit_hash(unit, index);
        }
        let entry = recording.entries[index as usize].entry();
        let mut content = old;
        for block in covered(recording, &entry, unit).map(|at| first + u64::from(at)) {
            let Some(newest) = self.blocks.place(block) else {
                continue;
            };
            let newest = &mut self.newest_of_blocks[newest];
            if *newest > index {
                continue;
            }
            let hidden = newest.checked_sub(1);
            let hidden = hidden.map_or(0, |hidden| recording.block_hash(block, hidden));
            *newest = index + 1;
            let shown = recording.block_hash(block, index);
            content = content.wrapping_add(shown).wrapping_sub(hidden);
        }
        content
    }
}

#[cfg(test)]
mod tests {
    use powercut_model::Cut;

    use crate::recording::testing::History;
    use crate::recording::{weight, Recording};

    /// What each block holds at a cut: that of the newest write of it that is stable.
    fn by_block(log: &Recording, unit: u64, cut: u64) -> u128 {
        let cut = Cut::new(log, cut).unwrap();
        let per_unit = u64::from(log.geometry.unit_sectors) / log.block_sectors();
        let of_block = |block: u64| {
            let covers = |index: &usize| {
                let entry = log.entries()[*index].entry();
                let first = block * log.block_sectors();
                cut.is_stable(&entry) && entry.touches(&(first..first + 1))
            };
            let newest = (0..log.entries().len()).rev().find(covers)?;
            let (content, base) = (log.content(newest, block), log.base_content(block));
            let hash = weight(block, content).wrapping_sub(weight(block, base));
            (content != base).then_some(hash)
        };
        let blocks = unit * per_unit..(unit + 1) * per_unit;
        blocks.filter_map(of_block).fold(0, u128::wrapping_add)
    }

    #[test]
    fn contents_and_images_are_those_of_the_newest_stable_writes() {
        for seed in 0..300 {
            let log = History::random(seed).base(1, "x").done();
            for cut in 0..=log.header.newest_event {
                let places = log.written().iter().copied().enumerate();
                let mut image: u128 = 0;
                for (place, unit) in places {
                    let content = by_block(&log, unit, cut);
                    let found = log.stable_content(place, cut);
                    assert_eq!(found, content, "seed {seed}, unit {unit} at {cut}");
                    image = image.wrapping_add(content);
                }
                assert_eq!(log.stable_image(cut), image, "seed {seed} at {cut}");
            }
        }
    }
}
