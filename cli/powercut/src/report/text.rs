// SPDX-License-Identifier: GPL-2.0

//! The report for people on a terminal.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use powercut_engine::explore::Again;
use powercut_engine::failure::Failure;
use powercut_engine::recording::Mark;
use powercut_model::Event;

use super::coverage::coverage;
use super::fate::Write;
use super::model::{Report, Violation};
use super::recoveries::directory;

/// Lines of a command's output shown; all are in report.json.
const OUTPUT_LINES: usize = 12;
/// Writes shown as kept and as lost.
const WRITES: usize = 12;
/// Different violations shown in full.
const GROUPS: usize = 8;

/// Violations that fail in the same way.
pub struct Group<'r> {
    pub first: &'r Violation,
    pub others: Vec<&'r Violation>,
}

impl<'r> Group<'r> {
    /// The one to show for all: the first of those whose culprit is known, if any.
    pub fn shown(&self) -> &'r Violation {
        let all = || std::iter::once(self.first).chain(self.others.iter().copied());
        let known = all().find(|v| v.culprit.is_some());
        known.unwrap_or(self.first)
    }
}

/// By their sort.
pub fn groups(violations: &[Violation]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut known: HashMap<Failure, usize> = HashMap::new();
    for violation in violations {
        let key = Failure::new(violation.kind, &violation.how, &violation.output);
        match known.get(&key) {
            Some(at) => groups[*at].others.push(violation),
            None => {
                known.insert(key, groups.len());
                groups.push(Group {
                    first: violation,
                    others: Vec::new(),
                });
            }
        }
    }
    groups
}

/// The places of the first violation of each of the first sorts.
pub fn first_of_sorts(violations: &[Violation], sorts: usize) -> Vec<usize> {
    let groups = groups(violations);
    let place = |first: &Violation| violations.iter().position(|v| std::ptr::eq(v, first));
    groups
        .iter()
        .take(sorts)
        .filter_map(|g| place(g.first))
        .collect()
}

/// What was recorded, covered and found, one violation of each sort in full;
/// `dir` is where the report is.
pub fn details(report: &Report, dir: Option<&str>) -> String {
    let mut out = String::new();
    let groups = groups(&report.violations);
    for (nr, group) in groups.iter().take(GROUPS).enumerate() {
        let sorts = match groups.len() {
            1 => String::new(),
            n => format!(" (sort {} of {n})", nr + 1),
        };
        let violation = group.shown();
        let _ = writeln!(
            out,
            "\nVIOLATION: {}, {}{sorts}",
            violation.kind, violation.how
        );
        one(&mut out, violation, dir);
        let all = || std::iter::once(group.first).chain(group.others.iter().copied());
        if let Some(other) = all().find(|v| v.id != violation.id) {
            let n = group.others.len();
            let _ = writeln!(out, "  like it {n} more, such as {}", other.id);
        }
    }
    if groups.len() > GROUPS {
        let _ = writeln!(out, "\n{} more sorts of violations", groups.len() - GROUPS);
    }
    let _ = writeln!(out, "\n{}", coverage(report));
    out
}

/// A state: where the power was cut, what was kept and what was lost.
pub fn state(id: &str, cut: Event, marks: &[Mark], kept: &[Write], lost: &[Write]) -> String {
    let mut out = String::new();
    let newest = marks.last().map(|m| m.text.as_str());
    head(&mut out, id, cut, marks.len() as u64, newest);
    writes(&mut out, "kept", kept);
    writes(&mut out, "lost", lost);
    judged(&mut out, id, lost);
    out
}

fn head(out: &mut String, id: &str, cut: Event, marks: u64, newest: Option<&str>) {
    let newest = match newest {
        Some(text) => format!(", the newest {text:?}"),
        None => String::new(),
    };
    let _ = writeln!(out, "  state   {id}");
    let _ = writeln!(
        out,
        "  cut     after event {cut}, {marks} marks acknowledged{newest}"
    );
}

fn one(out: &mut String, violation: &Violation, dir: Option<&str>) {
    let newest = violation.last_mark.as_deref();
    head(out, &violation.id, violation.cut, violation.marks, newest);
    writes(out, "kept", &violation.kept);
    writes(out, "lost", &violation.lost);
    judged(out, &violation.id, &violation.lost);
    if let Some((first, within)) = violation.id.split_once('/') {
        let dir = directory(Path::new(dir.unwrap_or("DIR")), first);
        let _ = writeln!(
            out,
            "  then    cut again while that was recovered from: {within}, of {}",
            dir.display()
        );
    }
    if let Some(again) = violation.again {
        let _ = writeln!(out, "  again   {}", when_run_again(again));
    }
    if let Some(culprit) = &violation.culprit {
        let _ = writeln!(out, "  culprit {}", culprit.verdict);
    }
    let mut lines = violation.output.lines();
    for line in lines.by_ref().take(OUTPUT_LINES) {
        let _ = writeln!(out, "  says    {line}");
    }
    match lines.count() {
        0 => {}
        n => {
            let _ = writeln!(out, "          ... {n} more lines, in report.json");
        }
    }
    if let Some(dir) = dir {
        let again = replay_command("replay", &violation.id, dir);
        let _ = writeln!(out, "  replay  {again}");
    }
}

/// What a second examination of a violation showed.
pub fn when_run_again(again: Again) -> &'static str {
    match again {
        Again::Failed => "failed again in the same way",
        Again::FailedOtherwise => "failed again, in another way",
        Again::Passed => "passed when run again: the check is not deterministic",
        Again::Skipped => "could not tell when run again: the check is not deterministic",
    }
}

/// The command that shows a state again, for a shell.
pub fn replay_command(command: &str, id: &str, dir: &str) -> String {
    format!("powercut {command} {id} --report {}", quoted(dir))
}

/// A path as a shell takes it.
pub fn quoted(dir: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,=:@%".contains(c);
    if !dir.is_empty() && dir.chars().all(plain) {
        dir.to_string()
    } else {
        format!("'{}'", dir.replace('\'', r"'\''"))
    }
}

fn writes(out: &mut String, title: &str, writes: &[Write]) {
    if writes.is_empty() {
        let _ = writeln!(out, "  {title}    nothing that was pending");
    }
    for (nr, write) in writes.iter().take(WRITES).enumerate() {
        let title = if nr == 0 { title } else { "" };
        let _ = writeln!(out, "  {title:<7} {}", line(write));
    }
    if writes.len() > WRITES {
        let _ = writeln!(out, "          ... {} more", writes.len() - WRITES);
    }
}

/// W812 lba 2064 +8 META by jbd2/x-8
fn line(write: &Write) -> String {
    let mut line = format!("W{} lba {} +{}", write.write, write.at(), write.sectors);
    if write.op != "WRITE" {
        let _ = write!(line, " {}", write.op);
    }
    for flag in &write.flags {
        let _ = write!(line, " {flag}");
    }
    if let Some(units) = &write.units {
        let units: Vec<String> = units
            .iter()
            .map(|(first, last)| {
                if first == last {
                    first.to_string()
                } else {
                    format!("{first}-{last}")
                }
            })
            .collect();
        let _ = write!(line, " (only units {})", units.join(","));
    }
    let _ = write!(line, " by {}: {}", write.task, write.why);
    line
}

/// Which rules make it legal, if it is.
fn judged(out: &mut String, id: &str, lost: &[Write]) {
    let rule = legal(lost);
    let first = id.split('/').next().unwrap_or(id);
    let _ = match first.split_once(":faults=") {
        None => writeln!(out, "  legal   {rule}"),
        Some((_, faults)) => writeln!(
            out,
            "  OUTSIDE OF THE CONTRACT: faults {faults}; of what was done with them, {rule}"
        ),
    };
}

/// Which rules make it legal.
fn legal(lost: &[Write]) -> &'static str {
    let in_flight = |w: &Write| w.why.starts_with("in flight");
    let cache_off = lost.iter().any(|w| w.rule == "R6");
    let volatile = lost.iter().any(|w| w.rule == "R3" && !in_flight(w));
    match (lost.is_empty(), cache_off, volatile) {
        (true, ..) => "R3: all that was pending survived: a crash without any reordering",
        (_, true, _) => "R6: without a write cache, what is in flight may be lost",
        (_, _, true) => "R3: what no flush or FUA covers may be lost; R4: in any combination",
        _ => "R3: what is in flight may be lost; R4: in any combination",
    }
}

/// What was recorded, in a line.
pub fn commands_line(report: &Report) -> String {
    let record = &report.record;
    format!(
        "{}: {} writes ({}), {} flushes, {} FUA, {} marks in {:.1} s; seed {}, strategy {}, budget {}",
        report.case,
        record.writes,
        crate::size::human(record.bytes),
        record.flushes,
        record.fua,
        record.marks,
        report.seconds.record,
        report.plan.seed,
        report.plan.strategy,
        report.plan.budget,
    )
}
