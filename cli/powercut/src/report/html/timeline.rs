// SPDX-License-Identifier: GPL-2.0

//! The picture of the whole log: events to the right, the disk downwards.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use powercut_engine::abi::{EntryOp, Flags};
use powercut_engine::members::Members;
use powercut_engine::recording::{Recorded, Recording};
use powercut_model::Event;

use super::axis::{Across, Down};
use crate::report::Report;

pub const WIDTH: f64 = 1100.0;
const LEFT: f64 = 92.0;
const TOP: f64 = 58.0;
const BOTTOM: f64 = 400.0;
/// Writes drawn one by one; more are drawn by cells.
const SINGLE: usize = 1500;
/// The side of a cell.
const CELL: f64 = 5.0;
/// Characters of a disk's name at the edge.
const DISK: usize = 6;
/// Room that a mark's name takes.
const NAME: f64 = 64.0;

/// A rectangle with what it is.
#[derive(Debug)]
pub struct Shape {
    pub class: String,
    pub x: String,
    pub y: String,
    pub w: String,
    pub h: String,
    pub title: String,
}

/// A word at a place.
#[derive(Debug)]
pub struct Word {
    pub x: String,
    pub y: String,
    pub text: String,
}

/// Violations at one place, and where they are described.
#[derive(Debug)]
pub struct Pin {
    pub x: String,
    pub y: String,
    pub href: String,
    pub title: String,
}

/// All that the template draws. Many lines are one path: a big log stays small.
#[derive(Debug)]
pub struct Timeline {
    pub width: f64,
    pub height: String,
    pub bands: Vec<Shape>,
    pub sectors: Vec<Word>,
    pub events: Vec<Word>,
    pub flushes: String,
    pub marks: String,
    pub names: Vec<Word>,
    pub writes: Vec<Shape>,
    pub cells: Vec<(String, String)>,
    pub rings: Vec<Shape>,
    pub pins: Vec<Pin>,
    pub pin_row: String,
    /// Writes are drawn by cells.
    pub aggregated: bool,
}

pub fn number(n: f64) -> String {
    let text = format!("{n:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_string)
}

/// Data, metadata, or what is written as zeroes.
pub fn class(recorded: &Recorded) -> &'static str {
    match recorded.raw.op {
        EntryOp::WriteZeroes | EntryOp::Discard => "zero",
        _ if recorded.raw.flags.contains(Flags::META) => "meta",
        _ => "data",
    }
}

/// `pages`: the violations described, by their place among all.
pub fn timeline(report: &Report, recording: &Recording, pages: &[usize]) -> Timeline {
    let entries = recording.entries();
    let writes: Vec<&Recorded> = entries.iter().filter(|r| r.entry.is_write()).collect();
    let touched = writes.iter().map(|r| {
        let raw = &r.raw;
        (raw.sector, raw.sector + u64::from(raw.nr_sectors))
    });
    let down = Down::new(touched.collect(), TOP, BOTTOM);
    let across = Across {
        from: 0,
        to: recording.header().newest_event,
        left: LEFT,
        right: WIDTH - 14.0,
    };
    let (x, bottom) = (|event: Event| number(across.at(event)), down.bottom);
    let mut flushes = String::new();
    for done in entries.iter().filter_map(|r| r.entry.flush_complete()) {
        let _ = write!(flushes, "M{} {}V{}", x(done), TOP - 6.0, number(bottom));
    }
    let mut marks = String::new();
    let mut names: Vec<Word> = Vec::new();
    let mut free = LEFT;
    for mark in recording.marks() {
        let _ = write!(
            marks,
            "M{} {}V{}",
            x(mark.event),
            TOP - 16.0,
            number(bottom)
        );
        let at = across.at(mark.event);
        if at >= free && at + NAME < WIDTH {
            free = at + NAME;
            names.push(Word {
                x: number(at),
                y: number(TOP - 20.0),
                text: beginning(&mark.text, 9),
            });
        }
    }
    let aggregated = writes.len() > SINGLE;
    Timeline {
        width: WIDTH,
        height: number(bottom + 62.0),
        bands: bands(&down),
        sectors: sectors(&down, recording.members()),
        events: events(&across, bottom),
        flushes,
        marks,
        names,
        writes: if aggregated {
            Vec::new()
        } else {
            writes
                .iter()
                .filter_map(|r| one(r, recording.members(), &across, &down))
                .collect()
        },
        cells: if aggregated {
            cells(&writes, &across, &down)
        } else {
            Vec::new()
        },
        rings: rings(report, pages, &across, &down),
        pins: pins(report, pages, &across, bottom),
        pin_row: number(bottom + 46.0),
        aggregated,
    }
}

fn bands(down: &Down) -> Vec<Shape> {
    let band = down.regions.iter().map(|region| Shape {
        class: "band".into(),
        x: number(LEFT),
        y: number(region.top),
        w: number(WIDTH - 14.0 - LEFT),
        h: number(region.height),
        title: String::new(),
    });
    band.collect()
}

fn sectors(down: &Down, members: &Members) -> Vec<Word> {
    let words = down.regions.iter().map(|region| Word {
        x: number(LEFT - 8.0),
        y: number(region.top + 9.0),
        text: match members.locate(region.first) {
            (Some(disk), sector) => format!("{}+{sector}", beginning(disk, DISK)),
            (None, sector) => sector.to_string(),
        },
    });
    words.collect()
}

/// No more than so many characters of a text.
fn beginning(text: &str, length: usize) -> String {
    match text.char_indices().nth(length) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.into(),
    }
}

fn events(across: &Across, bottom: f64) -> Vec<Word> {
    let step = [1, 2, 5, 10, 20, 50].into_iter();
    let mut steps = step.chain((2..12).flat_map(|e| [1, 2, 5].map(|n| n * 10u64.pow(e))));
    let step = steps
        .find(|step| across.to / step <= 12)
        .unwrap_or(u64::MAX);
    let words = (0..=across.to / step).map(|nr| Word {
        x: number(across.at(nr * step)),
        y: number(bottom + 16.0),
        text: (nr * step).to_string(),
    });
    words.collect()
}

fn one(recorded: &Recorded, members: &Members, across: &Across, down: &Down) -> Option<Shape> {
    let raw = &recorded.raw;
    let (top, height) = down.at(raw.sector, u64::from(raw.nr_sectors))?;
    let left = across.at(raw.submit);
    let width = (across.at(raw.complete) - left).max(3.0);
    let fua = if raw.flags.contains(Flags::FUA) {
        " fua"
    } else {
        ""
    };
    let flags: Vec<&str> = raw.flags.names().collect();
    Some(Shape {
        class: format!("{}{fua}", class(recorded)),
        x: number(left),
        y: number(top),
        w: number(width),
        h: number(height.max(2.5)),
        title: format!(
            "W{} {} lba {} +{} {} by {}",
            raw.submit,
            raw.op.name(),
            members.place(raw.sector),
            raw.nr_sectors,
            flags.join(" "),
            raw.task
        ),
    })
}

/// Writes by cells: of each class a path for cells with few, with more and with
/// many.
fn cells(writes: &[&Recorded], across: &Across, down: &Down) -> Vec<(String, String)> {
    let mut counts: HashMap<(i32, i32, &str), u64> = HashMap::new();
    for recorded in writes {
        let raw = &recorded.raw;
        let place = down.at(raw.sector, u64::from(raw.nr_sectors));
        let Some((top, height)) = place else {
            continue;
        };
        let column = (across.at(raw.submit) / CELL) as i32;
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

/// Around the writes that a culprit names, in the first of each sort.
fn rings(report: &Report, pages: &[usize], across: &Across, down: &Down) -> Vec<Shape> {
    let mut rings = Vec::new();
    for violation in pages.iter().map(|at| &report.violations[*at]) {
        let Some(culprit) = &violation.culprit else {
            continue;
        };
        let lost = culprit.must_be_stable.iter().map(|s| ("lost", s));
        let kept = culprit.before.iter().map(|s| ("kept", s));
        for (class, suspect) in lost.chain(kept).take(24) {
            let Some((top, height)) = down.at(suspect.sector, suspect.sectors.into()) else {
                continue;
            };
            rings.push(Shape {
                class: class.into(),
                x: number(across.at(suspect.write) - 4.0),
                y: number(top - 4.0),
                w: "11".into(),
                h: number(height.max(2.5) + 8.0),
                title: suspect.name(),
            });
        }
    }
    rings
}

fn pins(report: &Report, pages: &[usize], across: &Across, bottom: f64) -> Vec<Pin> {
    // By the place they are drawn at.
    let mut at: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (nr, violation) in report.violations.iter().enumerate() {
        let place = (across.at(violation.cut) / 8.0).round() as i64;
        at.entry(place).or_default().push(nr);
    }
    let pin = |(place, found): (i64, Vec<usize>)| {
        let cut = report.violations[found[0]].cut;
        let described = found
            .iter()
            .find_map(|nr| pages.iter().position(|p| p == nr));
        Pin {
            x: number(place as f64 * 8.0),
            y: number(bottom + 26.0),
            href: match described {
                Some(page) => format!("#v{}", page + 1),
                None => "#all".into(),
            },
            title: match found.len() {
                1 => format!("Violation at cut {cut}"),
                n => format!("{n} violations at and near cut {cut}"),
            },
        }
    };
    at.into_iter().map(pin).collect()
}
