// SPDX-License-Identifier: GPL-2.0

//! What each unit holds for certain, over time: the content of its stable writes.

use powercut_model::Event;

/// For each unit written, by place, how its content changes as writes become stable.
#[derive(Debug, Default)]
pub struct Timeline {
    /// Where the changes of each unit end in `changes`.
    ends: Vec<usize>,
    /// From when on, and what the unit adds to the image's hash then.
    changes: Vec<(Event, u128)>,
    /// The hash of the whole image from an event on, ascending.
    images: Vec<(Event, u128)>,
}

impl Timeline {
    /// Appends the changes of the next unit, ascending: it adds nothing before the first.
    pub fn push(&mut self, changes: impl IntoIterator<Item = (Event, u128)>) {
        self.changes.extend(changes);
        self.ends.push(self.changes.len());
    }

    /// To be called once the changes of all units are known.
    pub fn finish(&mut self) {
        let mut differences: Vec<(Event, u128)> = Vec::with_capacity(self.changes.len());
        for place in 0..self.ends.len() {
            let mut before: u128 = 0;
            for (event, content) in self.of(place) {
                differences.push((*event, content.wrapping_sub(before)));
                before = *content;
            }
        }
        differences.sort_unstable_by_key(|(event, _)| *event);
        let mut image: u128 = 0;
        for (event, difference) in differences {
            image = image.wrapping_add(difference);
            match self.images.last_mut() {
                Some((last, newest)) if *last == event => *newest = image,
                _ => self.images.push((event, image)),
            }
        }
    }

    fn of(&self, place: usize) -> &[(Event, u128)] {
        let start = match place {
            0 => 0,
            _ => self.ends[place - 1],
        };
        &self.changes[start..self.ends[place]]
    }

    /// What the unit at a place adds to the image's hash at a cut without any pending write.
    pub fn content(&self, place: usize, cut: Event) -> u128 {
        at(self.of(place), cut)
    }

    /// The hash of the image at a cut without any pending write.
    pub fn image(&self, cut: Event) -> u128 {
        at(&self.images, cut)
    }
}

fn at(changes: &[(Event, u128)], cut: Event) -> u128 {
    let end = changes.partition_point(|(event, _)| *event <= cut);
    end.checked_sub(1).map_or(0, |newest| changes[newest].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_and_images_are_those_of_the_newest_change() {
        let mut timeline = Timeline::default();
        timeline.push([(2, 10), (5, 0), (9, 7)]);
        timeline.push([]);
        timeline.push([(5, 100)]);
        timeline.finish();
        let cases = [
            (1, 0, 0, 0),
            (2, 10, 0, 10),
            (4, 10, 0, 10),
            (5, 0, 100, 100),
            (9, 7, 100, 107),
        ];
        for (cut, first, last, image) in cases {
            assert_eq!(timeline.content(0, cut), first, "{cut}");
            assert_eq!(timeline.content(1, cut), 0, "{cut}");
            assert_eq!(timeline.content(2, cut), last, "{cut}");
            assert_eq!(timeline.image(cut), image, "{cut}");
        }
    }
}
