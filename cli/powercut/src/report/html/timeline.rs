// SPDX-License-Identifier: GPL-2.0

//! The picture of the log, or of a part of it: events to the right, the disk downwards.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use askama::Template;
use powercut_engine::abi::Flags;
use powercut_engine::members::Members;
use powercut_engine::recording::{Recorded, Recording};
use powercut_model::Event;

use super::axis::{Across, Down};
use super::cells::{cells, class};
use super::tables::short;
use crate::report::{Report, Violation};

pub const WIDTH: f64 = 1100.0;
const LEFT: f64 = 92.0;
const TOP: f64 = 58.0;
const BOTTOM: f64 = 400.0;
/// Writes drawn one by one; more are drawn by cells.
const SINGLE: usize = 1500;
/// Characters of a disk's name at the edge.
const DISK: usize = 6;
/// The width of a character, on paper.
pub const CHARACTER: f64 = 8.5;
/// Room that a mark's name takes.
const NAME: f64 = 92.0;
/// Lines drawn from top to bottom; more are drawn as ticks above.
const LINES: usize = 150;
/// Writes ringed of each violation.
const RINGS: usize = 24;

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
    /// mid, or end: on which side of it the place is.
    pub anchor: &'static str,
}

impl Word {
    /// Below an axis, not over the right edge.
    pub fn below(x: f64, y: f64, text: String) -> Self {
        let half = text.chars().count() as f64 * CHARACTER / 2.0;
        let (x, anchor) = if x + half > WIDTH {
            (WIDTH - 2.0, "end")
        } else {
            (x, "mid")
        };
        Self {
            x: number(x),
            y: number(y),
            text,
            anchor,
        }
    }
}

/// Violations at one place, and where they are described.
#[derive(Debug)]
pub struct Pin {
    pub x: String,
    pub y: String,
    pub href: String,
    pub title: String,
}

/// Events from the first to the last, both in.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    pub from: Event,
    pub to: Event,
}

/// All that the template draws. Many lines are one path: a big log stays small.
#[derive(Debug, Template)]
#[template(path = "timeline.svg", escape = "html")]
pub struct Timeline {
    pub label: String,
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
    /// The line of one cut, instead of pins.
    pub cut: Option<String>,
    pub pins: Vec<Pin>,
    pub pin_row: String,
    /// Writes are drawn by cells.
    pub aggregated: bool,
}

pub fn number(n: f64) -> String {
    let text = format!("{n:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_string)
}

/// What is drawn of a log.
struct Canvas<'r> {
    recording: &'r Recording,
    window: Window,
    writes: Vec<&'r Recorded>,
    across: Across,
    down: Down,
}

impl<'r> Canvas<'r> {
    fn new(recording: &'r Recording, window: Window) -> Self {
        let entries = recording.entries();
        let first = entries.partition_point(|r| r.submit() < window.from);
        let end = entries.partition_point(|r| r.submit() <= window.to);
        let writes = entries[first..end].iter();
        let writes: Vec<&Recorded> = writes.filter(|r| r.is_write()).collect();
        let touched = writes.iter().map(|r| {
            let end = r.sector() + u64::from(r.nr_sectors());
            (r.sector(), end)
        });
        let down = Down::new(touched.collect(), TOP, BOTTOM);
        let across = Across {
            from: window.from,
            to: window.to,
            left: LEFT,
            right: WIDTH - 14.0,
        };
        Self {
            recording,
            window,
            writes,
            across,
            down,
        }
    }

    fn shows(&self, event: Event) -> bool {
        (self.window.from..=self.window.to).contains(&event)
    }

    fn draw(&self, label: String) -> Timeline {
        let bottom = self.down.bottom;
        let entries = self.recording.entries().iter();
        let flushes = entries.filter_map(|r| r.flush_complete());
        let marks = self.recording.marks().iter();
        let marks = marks.filter(|mark| self.shows(mark.event));
        let mut names: Vec<Word> = Vec::new();
        let mut free = LEFT;
        for mark in marks.clone() {
            let at = self.across.at(mark.event);
            if at >= free && at + NAME < WIDTH {
                free = at + NAME;
                names.push(Word {
                    x: number(at),
                    y: number(TOP - 30.0),
                    text: short(&mark.text, 9),
                    anchor: "start",
                });
            }
        }
        let aggregated = self.writes.len() > SINGLE;
        let mut timeline = Timeline {
            label,
            width: WIDTH,
            height: number(bottom + 28.0),
            bands: bands(&self.down),
            sectors: sectors(&self.down, self.recording.members()),
            events: events(&self.across, bottom),
            flushes: self.lines(flushes, (TOP - 6.0, TOP - 14.0)),
            marks: self.lines(marks.map(|mark| mark.event), (TOP - 16.0, TOP - 24.0)),
            names,
            writes: Vec::new(),
            cells: Vec::new(),
            rings: Vec::new(),
            cut: None,
            pins: Vec::new(),
            pin_row: number(bottom + 46.0),
            aggregated,
        };
        if aggregated {
            timeline.cells = cells(&self.writes, &self.across, &self.down);
        } else {
            let shapes = self.writes.iter().filter_map(|r| one(self, r));
            timeline.writes = shapes.collect();
        }
        timeline
    }

    /// Lines at events, from `top` to the bottom; if there are too many, ticks between the two,
    /// not more than one at a place.
    fn lines(
        &self,
        events: impl Iterator<Item = Event> + Clone,
        (top, tick): (f64, f64),
    ) -> String {
        let shown = events.filter(|event| self.shows(*event));
        let is_crowded = shown.clone().nth(LINES).is_some();
        let end = if is_crowded { tick } else { self.down.bottom };
        let mut path = String::new();
        let mut last = f64::MIN;
        for event in shown {
            let mut at = self.across.at(event);
            if is_crowded {
                at = at.round();
            }
            if at != last {
                let _ = write!(path, "M{} {top}V{}", number(at), number(end));
                last = at;
            }
        }
        path
    }
}

/// The whole log. `pages`: the violations described, by their place among all.
pub fn timeline(report: &Report, recording: &Recording, pages: &[usize]) -> Timeline {
    let window = Window {
        from: 0,
        to: recording.header().newest_event,
    };
    let canvas = Canvas::new(recording, window);
    let mut timeline = canvas.draw("Timeline of the log; the same is in the tables below".into());
    let described = pages.iter().map(|at| &report.violations[*at]);
    timeline.rings = described.flat_map(|v| rings(v, &canvas)).collect();
    if !report.violations.is_empty() {
        let bottom = canvas.down.bottom;
        timeline.pins = pins(report, pages, &canvas.across, bottom);
        timeline.height = number(bottom + 62.0);
    }
    timeline
}

/// The log around the cut of a violation.
pub fn around(violation: &Violation, recording: &Recording, window: Window) -> Timeline {
    let canvas = Canvas::new(recording, window);
    let Window { from, to } = window;
    let label = format!(
        "The log around cut {}, events {from} to {to}",
        violation.cut
    );
    let mut timeline = canvas.draw(label);
    timeline.rings = rings(violation, &canvas);
    let (x, bottom) = (canvas.across.at(violation.cut), canvas.down.bottom);
    timeline.cut = Some(format!("M{} {}V{}", number(x), TOP - 18.0, number(bottom)));
    timeline
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
        anchor: "end",
        text: match members.locate(region.first) {
            (Some(disk), sector) => format!("{}+{sector}", short(disk, DISK)),
            (None, sector) => sector.to_string(),
        },
    });
    words.collect()
}

fn events(across: &Across, bottom: f64) -> Vec<Word> {
    let step = [1, 2, 5, 10, 20, 50].into_iter();
    let mut steps = step.chain((2..12).flat_map(|e| [1, 2, 5].map(|n| n * 10u64.pow(e))));
    let step = steps
        .find(|step| (across.to - across.from) / step <= 11)
        .unwrap_or(u64::MAX);
    let events = (across.from.div_ceil(step)..=across.to / step).map(|nr| nr * step);
    let word = |event: Event| Word::below(across.at(event), bottom + 16.0, event.to_string());
    events.map(word).collect()
}

fn one(canvas: &Canvas<'_>, recorded: &Recorded) -> Option<Shape> {
    let Canvas {
        recording,
        across,
        down,
        ..
    } = canvas;
    let (top, height) = down.at(recorded.sector(), u64::from(recorded.nr_sectors()))?;
    let left = across.at(recorded.submit());
    let width = (across.at(recorded.complete()) - left).max(3.0);
    let fua = if recorded.flags().contains(Flags::FUA) {
        " fua"
    } else {
        ""
    };
    let flags: Vec<&str> = recorded.flags().names().collect();
    Some(Shape {
        class: format!("{}{fua}", class(recorded)),
        x: number(left),
        y: number(top),
        w: number(width),
        h: number(height.max(2.5)),
        title: format!(
            "W{} {} lba {} +{} {} by {}",
            recorded.submit(),
            recorded.op().name(),
            recording.members().place(recorded.sector()),
            recorded.nr_sectors(),
            flags.join(" "),
            recording.task(recorded)
        ),
    })
}

/// Around the writes that a culprit names.
fn rings(violation: &Violation, canvas: &Canvas<'_>) -> Vec<Shape> {
    let culprit = violation.culprit.iter();
    let suspects = culprit.flat_map(|culprit| {
        let lost = culprit.must_be_stable.iter().map(|s| ("lost", s));
        lost.chain(culprit.before.iter().map(|s| ("kept", s)))
    });
    let shown = suspects.filter(|(_, suspect)| canvas.shows(suspect.write));
    let ring = shown.take(RINGS).filter_map(|(class, suspect)| {
        let (top, height) = canvas.down.at(suspect.sector, suspect.sectors.into())?;
        Some(Shape {
            class: class.into(),
            x: number(canvas.across.at(suspect.write) - 4.0),
            y: number(top - 4.0),
            w: "11".into(),
            h: number(height.max(2.5) + 8.0),
            title: suspect.name(),
        })
    });
    ring.collect()
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
            title: match found[..] {
                [one] => format!("Violation {} at cut {cut}", report.violations[one].number),
                _ => format!("{} violations at and near cut {cut}", found.len()),
            },
        }
    };
    at.into_iter().map(pin).collect()
}
