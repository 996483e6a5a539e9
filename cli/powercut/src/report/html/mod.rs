// SPDX-License-Identifier: GPL-2.0

//! The report as one page that needs nothing else: no network, no script.

mod axis;
mod cells;
mod facts;
mod gantt;
mod tables;
mod timeline;

use anyhow::{Context, Result};
use askama::Template;
use powercut_engine::recording::Recording;

use super::coverage::coverage;
use super::fate::Write;
use super::model::Report;
use super::register::groups;
use super::text::{first_found, replay_command};
use super::violation::Violation;
use crate::words::{floor_char_boundary, many};
use facts::{Fact, Part, Tile};
use gantt::Gantt;
use tables::{Epoch, Found, Kind, SortRow};
use timeline::{Timeline, Window};

/// Sorts of violations described; the others are in the table.
const SORTS: usize = 8;
/// Violations in the table of all, and marks.
const LISTED: usize = 300;
/// Writes listed as kept or as lost.
const WRITES: usize = 60;
/// Bytes of what a check printed.
const OUTPUT: usize = 16 << 10;
/// Entries drawn before and after a cut in a log that is too large to be drawn as it is; and how far
/// back a write that the culprit names may be.
const BEFORE: usize = 160;
const AFTER: usize = 16;
const FURTHEST: usize = 1000;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'r> {
    report: &'r Report,
    verdict: String,
    first: Option<String>,
    coverage: String,
    tiles: Vec<Tile>,
    parts: Vec<Part>,
    facts: Vec<Fact>,
    timeline: Timeline,
    sorts: Vec<SortRow<'r>>,
    nr_sorts: usize,
    violations: Vec<View<'r>>,
    examples: Vec<Found<'r>>,
    epochs: Vec<Epoch>,
    kinds: Vec<Kind>,
    other_kinds: u64,
    marks: Vec<(u64, String)>,
}

/// A violation, and those of its sort.
struct View<'r> {
    nr: usize,
    violation: &'r Violation,
    id: String,
    title: String,
    others: usize,
    marks: String,
    kept_writes: String,
    gantt: Gantt,
    /// What happened about the cut, if the picture of the log can't show it.
    around: Option<Around>,
    output: &'r str,
    output_left_out: u64,
    replay: String,
    minimize: String,
    hows: Vec<&'r str>,
    kept: &'r [Write],
    lost: &'r [Write],
    more_writes: u64,
}

struct Around {
    window: Window,
    timeline: Timeline,
}

/// The page. `dir` is where the report is, for the commands that show it again.
pub fn html(report: &Report, recording: &Recording, dir: &str) -> Result<String> {
    let groups = groups(&report.violations);
    let place = |v: &Violation| {
        let same = |other: &Violation| std::ptr::eq(other, v);
        report.violations.iter().position(same).unwrap_or(0)
    };
    // What minimize looked at comes first among those of a sort.
    let shown: Vec<(&Violation, usize)> = groups
        .iter()
        .take(SORTS)
        .map(|group| (group.shown(), group.others.len()))
        .collect();
    let pages: Vec<usize> = shown
        .iter()
        .map(|(violation, _)| place(violation))
        .collect();
    let timeline = timeline::timeline(report, recording, &pages);
    let views = shown.iter().enumerate().map(|(nr, (violation, others))| {
        let mut view = view(nr + 1, violation, *others, recording, dir);
        if timeline.aggregated {
            view.around = around(violation, recording);
        }
        view
    });
    let violations = views.collect();
    let (kinds, other_kinds) = tables::kinds(recording);
    let page = Page {
        report,
        verdict: facts::verdict(report, groups.len()),
        first: first_found(report),
        coverage: coverage(report),
        tiles: facts::tiles(report, groups.len()),
        parts: facts::parts(report),
        facts: facts::facts(report),
        timeline,
        sorts: tables::sorts(&groups, SORTS),
        nr_sorts: groups.len(),
        violations,
        examples: tables::examples(&groups, LISTED),
        epochs: tables::epochs(recording),
        kinds,
        other_kinds,
        marks: recording
            .marks()
            .iter()
            .take(LISTED)
            .map(|m| (m.event, tables::short(&m.text, 200)))
            .collect(),
    };
    page.render().context("cannot make the page")
}

/// The part of the log about a cut, with what the culprit names if that is not far away.
fn around(violation: &Violation, recording: &Recording) -> Option<Around> {
    let entries = recording.entries();
    let place = |event| entries.partition_point(|r| r.submit() < event);
    let at = place(violation.cut.saturating_add(1));
    let culprit = violation.culprit.iter();
    let suspects = culprit.flat_map(|c| c.must_be_stable.iter().chain(&c.before));
    let places = suspects.map(|suspect| place(suspect.write));
    let near = places.filter(|place| place.abs_diff(at) < FURTHEST);
    let (mut first, mut end) = (at.saturating_sub(BEFORE), at + AFTER);
    for place in near {
        first = first.min(place.saturating_sub(4));
        end = end.max(place + 4);
    }
    let window = Window {
        from: entries.get(first)?.submit(),
        to: match entries.get(end) {
            Some(recorded) => recorded.submit(),
            None => recording.header().newest_event,
        },
    };
    Some(Around {
        window,
        timeline: timeline::around(violation, recording, window),
    })
}

fn view<'r>(
    nr: usize,
    violation: &'r Violation,
    others: usize,
    recording: &Recording,
    dir: &str,
) -> View<'r> {
    let culprit = violation.culprit.iter();
    let suspects = culprit.flat_map(|c| c.must_be_stable.iter().chain(&c.before));
    let mut hows: Vec<&str> = suspects
        .filter_map(|s| s.belongs.as_ref())
        .map(|b| b.how.as_str())
        .collect();
    hows.sort_unstable();
    hows.dedup();
    let telling = violation.says();
    let output = violation.output.trim_end();
    let end = floor_char_boundary(output, OUTPUT);
    let listed = |writes: &'r Option<Vec<Write>>| {
        let writes = writes.as_deref().unwrap_or_default();
        &writes[..writes.len().min(WRITES)]
    };
    let (kept, lost) = (listed(&violation.kept), listed(&violation.lost));
    let all = violation.kept_writes.saturating_add(violation.lost_writes);
    View {
        nr,
        id: tables::short(&violation.id, 200),
        title: match telling {
            Some(line) if line.chars().count() <= 100 => line.to_string(),
            _ => format!("{}, {}", violation.kind, violation.how),
        },
        others,
        marks: many(violation.marks, "mark", "marks"),
        kept_writes: many(violation.kept_writes, "write", "writes"),
        gantt: gantt::gantt(violation, recording),
        around: None,
        output: &output[..end],
        output_left_out: violation
            .output_left_out
            .saturating_add((output.len() - end) as u64),
        replay: replay_command("replay", violation, dir),
        minimize: replay_command("minimize", violation, dir),
        hows,
        more_writes: all.saturating_sub((kept.len() + lost.len()) as u64),
        kept,
        lost,
        violation,
    }
}

#[cfg(test)]
mod tests;
