// SPDX-License-Identifier: GPL-2.0

//! The picture of one violation: a row for each write that matters, from the
//! last flush to the cut.

use std::collections::HashSet;

use powercut_engine::abi::IN_FLIGHT;
use powercut_engine::recording::{Recorded, Recording};
use powercut_model::Event;

use super::axis::Across;
use super::tables::short;
use super::timeline::{number, Word, WIDTH};
use crate::report::culprit::Sort;
use crate::report::Violation;

const LEFT: f64 = 330.0;
const RIGHT: f64 = WIDTH - 40.0;
const ROW: f64 = 24.0;
const TOP: f64 = 34.0;
/// Rows drawn; the others are in the lists.
const ROWS: usize = 16;
/// Characters of a row's name, and of a mark's, and the room that this takes.
const NAME: usize = 46;
const MARK: usize = 20;
const ROOM: f64 = 150.0;
/// Beside the cut's name, to the middle of another.
const CUT_ROOM: f64 = 120.0;
/// Flushes drawn at most: more tell nothing.
const FLUSHES: usize = 40;

/// A row.
#[derive(Debug)]
pub struct Bar {
    /// kept, lost or later
    pub class: &'static str,
    /// As much of it as there is room for.
    pub name: String,
    pub whole_name: String,
    /// What became of it, in a word.
    pub word: &'static str,
    pub y: String,
    pub middle: String,
    pub x: String,
    pub w: String,
    /// Where the word goes: beside the bar, to its left if `flip`.
    pub word_x: String,
    pub flip: bool,
    /// The culprit names it.
    pub named: bool,
}

#[derive(Debug)]
pub struct Line {
    pub x: String,
    pub text: String,
    /// The text stands to the left.
    pub flip: bool,
}

#[derive(Debug)]
pub struct Gantt {
    pub width: f64,
    pub height: String,
    pub foot: String,
    pub bars: Vec<Bar>,
    /// None: there are too many to draw.
    pub flushes: Option<Vec<Line>>,
    pub marks: Vec<Line>,
    pub cut: Line,
    pub events: Vec<Word>,
    /// It is the smallest state that fails like the violation.
    pub smallest: bool,
    /// Writes that have no row.
    pub more: usize,
}

/// What a row is about.
struct Row<'v> {
    write: Event,
    class: &'static str,
    name: String,
    named: bool,
    units: Option<&'v Vec<(u64, u64)>>,
}

pub fn gantt(violation: &Violation, recording: &Recording) -> Gantt {
    let mut rows = rows(violation);
    let more = rows.len().saturating_sub(ROWS);
    // What the culprit says had to be stable, what else it names, the newest.
    rows.sort_by_key(|row| {
        let kept = row.class == "kept";
        (!row.named, row.named && kept, std::cmp::Reverse(row.write))
    });
    rows.truncate(ROWS);
    rows.sort_by_key(|row| row.write);
    let entry = |write: Event| {
        let entries = recording.entries();
        let at = entries.binary_search_by_key(&write, |r| r.submit()).ok();
        at.map(|at| &entries[at])
    };
    let done = |write: Event| match entry(write).map_or(write, Recorded::complete) {
        IN_FLIGHT => write.saturating_add(2),
        complete => complete,
    };
    let broken = violation.culprit.as_ref().and_then(|c| c.broken.as_ref());
    let shown = rows.iter().map(|row| row.write);
    let from = shown
        .chain([violation.cut])
        .chain(broken.map(|mark| mark.event))
        .min()
        .unwrap_or(0)
        .saturating_sub(1);
    let to = rows.iter().map(|row| done(row.write)).max().unwrap_or(0);
    let across = Across {
        from,
        to: to.max(violation.cut).saturating_add(1),
        left: LEFT,
        right: RIGHT,
    };
    let bars = rows.iter().enumerate().map(|(nr, row)| {
        let y = TOP + nr as f64 * ROW;
        let x = across.at(row.write);
        let width = (across.at(done(row.write)) - x).max(9.0);
        let flip = x + width > RIGHT - 120.0;
        let name = match row.units {
            Some(units) => format!("{} units {}", row.name, crate::report::culprit::list(units)),
            None => row.name.clone(),
        };
        Bar {
            class: row.class,
            name: short(&name, NAME),
            whole_name: name,
            word: match row.class {
                "later" => "not yet written",
                class => class,
            },
            y: number(y),
            middle: number(y + ROW / 2.0),
            x: number(x),
            w: number(width),
            word_x: number(if flip { x - 6.0 } else { x + width + 6.0 }),
            flip,
            named: row.named,
        }
    });
    let foot = TOP + rows.len().max(1) as f64 * ROW + 6.0;
    Gantt {
        width: WIDTH,
        height: number(foot + 26.0),
        foot: number(foot),
        bars: bars.collect(),
        flushes: flushes(recording, &across),
        marks: marks(recording, &across, broken.map(|mark| mark.event)),
        cut: Line {
            x: number(
                across.at(violation.cut) + (RIGHT - LEFT) / (2.0 * (across.to - from) as f64),
            ),
            text: format!("cut {}", violation.cut),
            flip: false,
        },
        // Unless the cut's own name is there.
        events: [from, across.to]
            .into_iter()
            .filter(|event| (across.at(*event) - across.at(violation.cut)).abs() > CUT_ROOM)
            .map(|event| Word::below(across.at(event), foot + 18.0, event.to_string()))
            .collect(),
        smallest: rows.iter().any(|row| row.named && row.class != "later"),
        more,
    }
}

/// What the culprit names, as it is in the smallest state that fails; else all
/// that was pending, and what came too late.
fn rows(violation: &Violation) -> Vec<Row<'_>> {
    let culprit = violation.culprit.as_ref();
    let too_late = culprit.is_some_and(|c| matches!(c.sort, Sort::TooLate | Sort::Unexplained));
    let missing = if too_late { "later" } else { "lost" };
    let needed = culprit.into_iter().flat_map(|c| &c.must_be_stable);
    let before = culprit.into_iter().flat_map(|c| &c.before);
    let needed = needed.map(|suspect| (missing, suspect));
    let suspects = needed.chain(before.map(|suspect| ("kept", suspect)));
    let mut rows: Vec<Row<'_>> = suspects
        .map(|(class, suspect)| Row {
            write: suspect.write,
            class,
            name: name(suspect.write, &suspect.at(), &suspect.flags, &suspect.task),
            named: true,
            units: suspect.units.as_ref(),
        })
        .collect();
    if rows.is_empty() || too_late {
        let known: HashSet<Event> = rows.iter().map(|row| row.write).collect();
        let kept = violation.kept.iter().flatten().map(|w| ("kept", w));
        let lost = violation.lost.iter().flatten().map(|w| ("lost", w));
        let others = kept.chain(lost).filter(|(_, w)| !known.contains(&w.write));
        rows.extend(others.map(|(class, write)| Row {
            write: write.write,
            class,
            name: name(write.write, &write.at(), &write.flags, &write.task),
            named: false,
            units: write.units.as_ref(),
        }));
    }
    rows
}

fn name(write: Event, place: &str, flags: &[String], task: &str) -> String {
    let flags: Vec<&str> = flags
        .iter()
        .map(String::as_str)
        .filter(|f| *f != "SYNC")
        .collect();
    let task = task.split('/').next().unwrap_or(task);
    let mut name = format!("W{write} · lba {place}");
    if !flags.is_empty() {
        name.push_str(&format!(" · {}", flags.join(" ")));
    }
    format!("{name} · {task}")
}

/// None if there are too many.
fn flushes(recording: &Recording, across: &Across) -> Option<Vec<Line>> {
    let entries = recording.entries();
    let first = entries.partition_point(|r| r.submit() < across.from);
    let done = entries[first..].iter();
    let done = done.filter_map(|r| r.flush_complete());
    let inside = done.filter(|event| (across.from..=across.to).contains(event));
    let lines: Vec<Line> = inside
        .map(|event| Line {
            x: number(across.at(event)),
            text: "flush".into(),
            flip: false,
        })
        .take(FLUSHES + 1)
        .collect();
    if lines.len() > FLUSHES {
        return None;
    }
    Some(lines)
}

fn marks(recording: &Recording, across: &Across, broken: Option<Event>) -> Vec<Line> {
    let inside = |event: Event| (across.from..=across.to).contains(&event);
    let marks = recording.marks().iter().filter(|m| inside(m.event));
    // The broken one has its name in any case, so none is near it.
    let broken_at = broken.map(|event| across.at(event));
    let mut free = 0.0;
    let mut lines = Vec::new();
    for mark in marks {
        let x = across.at(mark.event);
        let is_broken = broken == Some(mark.event);
        let is_near = broken_at.is_some_and(|at| (at - x).abs() < ROOM);
        if is_broken || (x >= free && !is_near) {
            free = x + ROOM;
            lines.push(Line {
                x: number(x),
                text: short(&mark.text, MARK),
                flip: x > RIGHT - ROOM,
            });
        }
    }
    lines
}
