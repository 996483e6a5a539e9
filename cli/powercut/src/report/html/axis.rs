// SPDX-License-Identifier: GPL-2.0

//! The two axes of a picture: events to the right, sectors downwards with what
//! nobody touched left out.

use powercut_model::Event;

/// From events to places.
#[derive(Debug, Clone, Copy)]
pub struct Across {
    pub from: Event,
    pub to: Event,
    pub left: f64,
    pub right: f64,
}

impl Across {
    pub fn at(&self, event: Event) -> f64 {
        let all = (self.to - self.from).max(1) as f64;
        let part = event.clamp(self.from, self.to) - self.from;
        self.left + (self.right - self.left) * part as f64 / all
    }
}

/// Some sectors in a row that are drawn without a gap.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    pub first: u64,
    /// Not included.
    pub end: u64,
    pub top: f64,
    pub height: f64,
}

/// From sectors to places.
#[derive(Debug, Clone, PartialEq)]
pub struct Down {
    pub regions: Vec<Region>,
    pub bottom: f64,
}

/// Regions drawn at most.
const REGIONS: usize = 14;
/// Between two.
const GAP: f64 = 10.0;

impl Down {
    /// For the sectors touched, any ranges in any order, from `top` to `bottom`.
    pub fn new(mut touched: Vec<(u64, u64)>, top: f64, bottom: f64) -> Self {
        touched.sort_unstable();
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for (first, end) in touched {
            match ranges.last_mut() {
                Some(last) if first <= last.1 => last.1 = last.1.max(end),
                _ => ranges.push((first, end)),
            }
        }
        // Join the closest until few are left; neighbours in any case.
        let mut gaps: Vec<u64> = ranges.windows(2).map(|w| w[1].0 - w[0].1).collect();
        gaps.sort_unstable();
        let many = gaps.len().saturating_sub(REGIONS - 1);
        let join = many.checked_sub(1).map_or(0, |at| gaps[at]).max(256);
        let mut joined: Vec<(u64, u64)> = Vec::new();
        for (first, end) in ranges {
            match joined.last_mut() {
                Some(last) if first - last.1 <= join => last.1 = end,
                _ => joined.push((first, end)),
            }
        }
        // Small ones are to be seen as well: by the root of their size.
        let share = |(first, end): &(u64, u64)| ((end - first) as f64).sqrt().max(4.0);
        let all: f64 = joined.iter().map(share).sum();
        let gaps = GAP * joined.len().saturating_sub(1) as f64;
        let least = 12.0 * joined.len() as f64;
        let room = (bottom - top - gaps - least).max(0.0);
        let mut at = top;
        let regions = joined.iter().map(|range| {
            let height = 12.0 + room * share(range) / all.max(1.0);
            let region = Region {
                first: range.0,
                end: range.1,
                top: at,
                height,
            };
            at += height + GAP;
            region
        });
        let regions: Vec<Region> = regions.collect();
        let bottom = regions.last().map_or(bottom, |r| r.top + r.height);
        Self { regions, bottom }
    }

    /// The top and the height of some sectors; none if they are in no region.
    pub fn at(&self, sector: u64, sectors: u64) -> Option<(f64, f64)> {
        let after = self.regions.partition_point(|r| r.first <= sector);
        let region = self.regions.get(after.checked_sub(1)?)?;
        let scale = region.height / (region.end - region.first) as f64;
        let (first, end) = (sector, sector.saturating_add(sectors).min(region.end));
        if first >= end {
            return None;
        }
        let top = region.top + (first - region.first) as f64 * scale;
        Some((top, (end - first) as f64 * scale))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sectors_keep_their_order_and_their_bounds() {
        let touched = vec![
            (900_000, 900_008),
            (0, 8),
            (16, 24),
            (8, 16),
            (50_000, 51_000),
        ];
        let down = Down::new(touched, 40.0, 340.0);
        let regions: Vec<_> = down.regions.iter().map(|r| (r.first, r.end)).collect();
        assert_eq!(regions, [(0, 24), (50_000, 51_000), (900_000, 900_008)]);
        assert!((down.bottom - 340.0).abs() < 1e-6);
        let (first, _) = down.at(0, 8).unwrap();
        let (second, height) = down.at(8, 8).unwrap();
        let (last, tall) = down.at(900_000, 8).unwrap();
        assert!(first < second && height > 0.0 && second + height < last);
        assert!(last + tall < 340.001);
        assert_eq!(down.at(30, 8), None);
    }

    #[test]
    fn many_regions_become_few() {
        let touched = (0..500).map(|n| (n * n * 1000, n * n * 1000 + 8)).collect();
        let down = Down::new(touched, 0.0, 300.0);
        assert!(down.regions.len() <= REGIONS, "{}", down.regions.len());
        assert!(down.bottom < 301.0);
        assert!(down.at(499 * 499 * 1000, 8).is_some());
        assert!(Down::new(Vec::new(), 0.0, 300.0).regions.is_empty());
    }

    #[test]
    fn events_go_to_the_right() {
        let across = Across {
            from: 10,
            to: 20,
            left: 100.0,
            right: 200.0,
        };
        assert_eq!(
            [across.at(10), across.at(15), across.at(99)],
            [100.0, 150.0, 200.0]
        );
    }
}
