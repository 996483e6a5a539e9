// SPDX-License-Identifier: GPL-2.0

//! What GitHub Actions shows of a report: annotations, which are workflow commands, and Markdown for the
//! summary of the job.
//!
//! The escapes are those of actions/toolkit's `command.ts`.

use std::fmt::Write as _;

use super::coverage::coverage;
use super::model::Report;
use super::register::{groups, Group};
use super::text::replay_command;
use crate::words::many;

/// GitHub shows ten annotations of a sort in a step.
const ANNOTATED: usize = 10;
/// Sorts of violations in the summary, and lines of output of each.
const SORTS: usize = 5;
const LINES: usize = 20;

/// Where in the repository something is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub file: String,
    pub line: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Error,
    Warning,
}

/// One annotation, as a line.
pub fn annotation(level: Level, place: Option<&Place>, title: &str, message: &str) -> String {
    let mut line = match level {
        Level::Error => String::from("::error "),
        Level::Warning => String::from("::warning "),
    };
    if let Some(Place { file, line: nr }) = place {
        let _ = write!(line, "file={},line={nr},", property(file));
    }
    let _ = writeln!(line, "title={}::{}", property(title), data(message));
    line
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// An annotation for each sort of violation; `dir` is where the report is.
pub fn annotations(report: &Report, place: Option<&Place>, dir: &str) -> String {
    let groups = groups(&report.violations);
    let told = groups.iter().take(ANNOTATED).map(|group| {
        let violation = group.shown();
        let title = format!("{}: {}, {}", report.case, violation.kind, violation.how);
        let states = many(group.count() as u64, "state", "states");
        let says = violation
            .output
            .lines()
            .find(|line| !line.trim().is_empty());
        let message = format!(
            "{}\n{states}; to see one: {}",
            says.unwrap_or(&violation.how),
            replay_command("replay", violation, dir)
        );
        annotation(Level::Error, place, &title, &message)
    });
    told.collect()
}

/// A section of the job's summary.
pub fn markdown(report: &Report, dir: &str) -> String {
    let mut text = format!("### powercut: {}\n\n", inline(&report.case));
    let _ = writeln!(text, "{}\n", block(&coverage(report)));
    let groups = groups(&report.violations);
    for group in groups.iter().take(SORTS) {
        sort(&mut text, group, dir);
    }
    if groups.len() > SORTS {
        let more = (groups.len() - SORTS) as u64;
        let more = many(more, "more sort of violations", "more sorts of violations");
        let _ = writeln!(text, "{more}\n");
    }
    text
}

fn sort(text: &mut String, group: &Group<'_>, dir: &str) {
    let violation = group.shown();
    let _ = writeln!(
        text,
        "**Violation {}: {}, {}** ({})\n",
        violation.number,
        violation.kind,
        inline(&violation.how),
        many(group.count() as u64, "state", "states")
    );
    let mut lines = violation.output.lines();
    let mut shown: Vec<String> = lines.by_ref().take(LINES).map(String::from).collect();
    match lines.count() {
        0 => {}
        n => {
            let more = many(n as u64, "more line", "more lines");
            shown.push(format!("... {more}, in report.json"));
        }
    }
    if let Some(culprit) = &violation.culprit {
        shown.push(format!("culprit: {}", culprit.verdict));
    }
    shown.push(replay_command("replay", violation, dir));
    let _ = writeln!(text, "{}\n", block(&shown.join("\n")));
}

/// Text in a line of Markdown, as it is.
fn inline(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// Text as it is, in a fence longer than any in it.
fn block(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{}\n{fence}", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{add, report, violation};
    use powercut_engine::recording::testing::History;

    #[test]
    fn what_a_check_prints_is_no_workflow_command() {
        let place = Place {
            file: "a,b:c.toml".into(),
            line: 7,
        };
        let line = annotation(
            Level::Warning,
            Some(&place),
            "100 %: a, b",
            "first\r\n::error::second % ",
        );
        assert_eq!(
            line,
            "::warning file=a%2Cb%3Ac.toml,line=7,title=100 %25%3A a%2C b::first%0D%0A::error::second %25 \n"
        );
    }

    #[test]
    fn each_sort_of_violation_is_annotated_once() {
        let recording = History::new().write(0, "a").write(1, "b").done();
        let mut report = report(&recording);
        assert_eq!(annotations(&report, None, "d"), "");
        for output in ["key 7 is gone\n", "key 8 is gone\n", "\ncorrupt\nmore\n"] {
            let mut found = violation(&recording, 4, |_| false);
            found.output = output.into();
            add(&mut report, found);
        }
        let text = annotations(&report, None, "d");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].starts_with(
            "::error title=a case%3A check failed%2C exit 1::key 7 is gone%0A2 states"
        ));
        assert!(lines[1].contains("::corrupt%0A1 state; to see one: powercut replay "));
    }

    #[test]
    fn the_summary_shows_output_as_it_is() {
        let recording = History::new().write(0, "a").done();
        let mut report = report(&recording);
        report.case = "a|b <i> *c*".into();
        let mut found = violation(&recording, 2, |_| false);
        found.output = "```\n<b>\n".repeat(15).into();
        add(&mut report, found);
        let text = markdown(&report, "d");
        assert!(
            text.starts_with("### powercut: a\\|b &lt;i> \\*c\\*\n"),
            "{text}"
        );
        assert!(text.contains("\n````text\n```\n<b>\n"), "{text}");
        assert!(text.contains("... 10 more lines, in report.json"), "{text}");
        assert!(text.contains("powercut replay "), "{text}");
    }
}
