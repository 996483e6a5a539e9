// SPDX-License-Identifier: GPL-2.0

//! The report for people on a terminal.

use std::fmt::Write as _;
use std::path::Path;

use powercut_engine::explore::Again;
use powercut_engine::recording::Mark;
use powercut_model::Event;

use super::coverage::coverage;
use super::fate::Write;
use super::model::Report;
use super::recoveries::directory;
use super::register::groups;
use super::violation::Violation;
use crate::words::many;

/// Lines of a command's output shown; all are in report.json.
const OUTPUT_LINES: usize = 12;
/// Writes shown as kept and as lost.
const WRITES: usize = 12;
/// Different violations shown in full.
const GROUPS: usize = 8;
/// Numbers of others like one.
const ALIKE: usize = 5;
/// Characters shown of an id that has a number.
const ID: usize = 120;

/// What was found, in a line: how much, and what first.
fn headline(report: &Report) -> Option<String> {
    let first = first_found(report)?;
    let sorts = groups(&report.violations).len();
    let found = found(report.violations.len(), sorts);
    Some(match report.violations.len() {
        1 => format!("{found}: {first}"),
        _ => format!("{found}; the first found: {first}"),
    })
}

/// The violation that was found first, in a line.
pub fn first_found(report: &Report) -> Option<String> {
    let first = report.violations.first()?;
    let says = first.says().map(|line| format!(": {line}"));
    Some(format!(
        "{}, {}, after event {}{}",
        first.kind,
        first.how,
        first.cut,
        says.unwrap_or_default()
    ))
}

/// How much was found.
pub fn found(violations: usize, sorts: usize) -> String {
    match (violations, sorts) {
        (0, _) => "no violation".into(),
        (1, _) => "1 crash state fails".into(),
        (n, 1) => format!("{n} crash states fail, all in the same way"),
        (n, sorts) => format!("{n} crash states fail, in {sorts} different ways"),
    }
}

/// What was recorded, covered and found, one violation of each sort in full;
/// `dir` is where the report is.
pub fn details(report: &Report, dir: Option<&str>) -> String {
    let mut out = String::new();
    let groups = groups(&report.violations);
    if let Some(line) = headline(report) {
        let _ = writeln!(out, "\n{line}");
    }
    for (nr, group) in groups.iter().take(GROUPS).enumerate() {
        let sorts = match groups.len() {
            1 => String::new(),
            n => format!(" (sort {} of {n})", nr + 1),
        };
        let violation = group.shown();
        let _ = writeln!(
            out,
            "\nVIOLATION {}: {}, {}{sorts}",
            violation.number, violation.kind, violation.how
        );
        one(&mut out, violation, dir);
        let like_it = group.all().filter(|v| v.number != violation.number);
        let numbers: Vec<String> = like_it.take(ALIKE).map(|v| v.number.to_string()).collect();
        if !numbers.is_empty() {
            let such_as = if group.others.len() > numbers.len() {
                "such as"
            } else {
                "by number"
            };
            let _ = writeln!(
                out,
                "  like it {} more, {such_as} {}",
                group.others.len(),
                numbers.join(", ")
            );
        }
    }
    if groups.len() > GROUPS {
        let more = groups.len() - GROUPS;
        let _ = writeln!(
            out,
            "\n{}, in report.json and report.html",
            many(
                more as u64,
                "more sort of violations",
                "more sorts of violations"
            )
        );
    }
    let _ = writeln!(out, "\n{}", coverage(report));
    out
}

/// A state: where the power was cut, what was kept and what was lost.
pub fn state(id: &str, cut: Event, marks: &[Mark], kept: &[Write], lost: &[Write]) -> String {
    let mut out = String::new();
    let newest = marks.last().map(|m| &*m.text);
    head(&mut out, id, cut, marks.len() as u64, newest);
    writes(&mut out, "kept", kept);
    writes(&mut out, "lost", lost);
    judged(&mut out, id, legal(lost));
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
        "  cut     after event {cut}, {} acknowledged{newest}",
        many(marks, "mark", "marks")
    );
}

fn one(out: &mut String, violation: &Violation, dir: Option<&str>) {
    let newest = violation.last_mark.as_deref();
    let id = short(&violation.id);
    head(out, &id, violation.cut, violation.marks, newest);
    match (&violation.kept, &violation.lost) {
        (Some(kept), Some(lost)) => {
            writes(out, "kept", kept);
            writes(out, "lost", lost);
            judged(out, &violation.id, legal(lost));
        }
        _ => {
            let writes = |n| many(n, "write", "writes");
            let (kept, lost) = (writes(violation.kept_writes), writes(violation.lost_writes));
            let _ = writeln!(out, "  kept    {kept}\n  lost    {lost}");
        }
    }
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
            let more = many(n as u64, "more line", "more lines");
            let _ = writeln!(out, "          ... {more}, in report.json");
        }
    }
    if let Some(dir) = dir {
        let again = replay_command("replay", violation, dir);
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

/// The command that shows a violation again, for a shell.
pub fn replay_command(command: &str, violation: &Violation, dir: &str) -> String {
    let number = violation.number;
    format!("powercut {command} {number} --report {}", quoted(dir))
}

/// An id that is not needed in full: there is a number.
fn short(id: &str) -> String {
    match id.char_indices().nth(ID) {
        Some((at, _)) => format!("{}... ({} more, in report.json)", &id[..at], id.len() - at),
        None => id.into(),
    }
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
fn judged(out: &mut String, id: &str, rule: &str) {
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
    if lost.iter().any(|w| w.rule == "R7") {
        return "R7: a write of a part of a physical block may cost the rest of it; R3, R4";
    }
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
        "{}: {} ({}), {}, {} FUA, {} in {:.1} s; seed {}, strategy {}, budget {}",
        report.case,
        many(record.writes, "write", "writes"),
        crate::size::human(record.bytes),
        many(record.flushes, "flush", "flushes"),
        record.fua,
        many(record.marks, "mark", "marks"),
        report.seconds.record,
        report.plan.seed,
        report.plan.strategy,
        report.plan.budget,
    )
}
