// SPDX-License-Identifier: GPL-2.0

//! The report as one page that needs nothing else: no network, no script.

mod axis;
mod facts;
mod gantt;
mod tables;
mod timeline;

use anyhow::{Context, Result};
use askama::Template;
use powercut_engine::recording::Recording;

use super::coverage::coverage;
use super::model::{Report, Violation};
use super::text::{groups, replay_command};
use facts::{Fact, Part, Tile};
use gantt::Gantt;
use tables::{Epoch, Found};
use timeline::Timeline;

/// Sorts of violations described; the others are in the table.
const SORTS: usize = 8;
/// Violations in the table of all.
const LISTED: usize = 300;
/// Writes listed as kept or as lost.
const WRITES: usize = 60;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'r> {
    report: &'r Report,
    verdict: String,
    coverage: String,
    tiles: Vec<Tile>,
    parts: Vec<Part>,
    facts: Vec<Fact>,
    timeline: Timeline,
    violations: Vec<View<'r>>,
    more_sorts: usize,
    all: Vec<Found>,
    all_more: usize,
    epochs: Vec<Epoch>,
    marks: Vec<(u64, &'r str)>,
}

/// A violation, and those of its sort.
struct View<'r> {
    nr: usize,
    violation: &'r Violation,
    title: String,
    others: usize,
    gantt: Gantt,
    output: &'r str,
    replay: String,
    minimize: String,
    hows: Vec<&'r str>,
    kept_more: usize,
    lost_more: usize,
}

/// The page. `dir` is where the report is, for the commands that show it again.
pub fn html(report: &Report, recording: &Recording, dir: &str) -> Result<String> {
    let groups = groups(&report.violations);
    let place = |v: &Violation| {
        let same = |other: &Violation| std::ptr::eq(other, v);
        report.violations.iter().position(same).unwrap_or(0)
    };
    // What minimize looked at comes first among those of a sort.
    let sorts: Vec<(usize, usize)> = groups
        .iter()
        .take(SORTS)
        .map(|group| (place(group.shown()), group.others.len()))
        .collect();
    let pages: Vec<usize> = sorts.iter().map(|(nr, _)| *nr).collect();
    let views = sorts
        .iter()
        .enumerate()
        .map(|(nr, (at, others))| view(nr + 1, &report.violations[*at], *others, recording, dir));
    let page = Page {
        report,
        verdict: facts::verdict(report, groups.len()),
        coverage: coverage(report),
        tiles: facts::tiles(report),
        parts: facts::parts(report),
        facts: facts::facts(report),
        timeline: timeline::timeline(report, recording, &pages),
        violations: views.collect(),
        more_sorts: groups.len().saturating_sub(SORTS),
        all: tables::all(&report.violations, LISTED),
        all_more: report.violations.len().saturating_sub(LISTED),
        epochs: tables::epochs(recording),
        marks: recording
            .marks()
            .iter()
            .take(LISTED)
            .map(|m| (m.event, m.text.as_str()))
            .collect(),
    };
    page.render().context("cannot make the page")
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
    let telling = violation.output.trim().lines().last();
    View {
        nr,
        title: match telling {
            Some(line) if line.chars().count() <= 100 => line.to_string(),
            _ => format!("{}, {}", violation.kind, violation.how),
        },
        others,
        gantt: gantt::gantt(violation, recording),
        output: violation.output.trim_end(),
        replay: replay_command("replay", &violation.id, dir),
        minimize: replay_command("minimize", &violation.id, dir),
        hows,
        kept_more: violation.kept.len().saturating_sub(WRITES),
        lost_more: violation.lost.len().saturating_sub(WRITES),
        violation,
    }
}

#[cfg(test)]
mod tests;
