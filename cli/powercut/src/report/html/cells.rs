// SPDX-License-Identifier: GPL-2.0

//! Writes that are too many to be drawn one by one: by cells.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use powercut_engine::abi::{EntryOp, Flags};
use powercut_engine::recording::Recorded;

use super::axis::{Across, Down};

/// The side of a cell.
const CELL: f64 = 5.0;

/// Data, metadata, or what is written as zeroes.
pub fn class(recorded: &Recorded) -> &'static str {
    match recorded.op() {
        EntryOp::WriteZeroes | EntryOp::Discard => "zero",
        _ if recorded.flags().contains(Flags::META) => "meta",
        _ => "data",
    }
}

/// Writes by cells: of each class a path for cells with few, with more and with
/// many.
pub fn cells(writes: &[&Recorded], across: &Across, down: &Down) -> Vec<(String, String)> {
    let mut counts: HashMap<(i32, i32, &str), u64> = HashMap::new();
    for recorded in writes {
        let place = down.at(recorded.sector(), u64::from(recorded.nr_sectors()));
        let Some((top, height)) = place else {
            continue;
        };
        let column = (across.at(recorded.submit()) / CELL) as i32;
        let rows = (top / CELL) as i32..=((top + height - 0.01).max(top) / CELL) as i32;
        for row in rows {
            *counts.entry((column, row, class(recorded))).or_default() += 1;
        }
    }
    let most = counts.values().copied().max().unwrap_or(1) as f64;
    let mut paths: BTreeMap<String, Vec<(i32, i32)>> = BTreeMap::new();
    for ((column, row, class), n) in counts {
        let level = (3.0 * (n as f64).ln_1p() / most.ln_1p())
            .ceil()
            .clamp(1.0, 3.0);
        paths
            .entry(format!("{class} l{level}"))
            .or_default()
            .push((column, row));
    }
    let draw = |mut cells: Vec<(i32, i32)>| {
        cells.sort_unstable();
        let mut path = String::new();
        for (column, row) in cells {
            let (x, y) = (f64::from(column) * CELL, f64::from(row) * CELL);
            let _ = write!(path, "M{x} {y}h{CELL}v{CELL}h-{CELL}z");
        }
        path
    };
    paths
        .into_iter()
        .map(|(class, cells)| (class, draw(cells)))
        .collect()
}
