// SPDX-License-Identifier: GPL-2.0

//! Tells GitHub Actions, if that is where this runs.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

use crate::report::github::{annotation, annotations, markdown, Level, Place};
use crate::report::{doubts, Report};

/// A case to tell of.
pub struct Told<'t> {
    pub name: &'t str,
    pub place: Option<Place>,
    pub report: Option<&'t Report>,
    /// Where that is.
    pub dir: String,
    pub sort: Sort,
    /// What else there is to say of it, if there is no report that says it.
    pub why: Option<String>,
}

/// Whether, and how, a case is annotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// All is as it should be.
    Good,
    /// Each sort of violation is an error.
    Violations,
    /// There is one error: what was to be found was not.
    NothingFound,
    /// What could not be found out is a warning.
    Undecided,
}

/// Annotates, and appends to the summary of the job.
pub fn tell(cases: &[Told<'_>], table: &str) -> Result<()> {
    if std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
        let lines: String = cases.iter().map(lines).collect();
        // Workflow commands are taken from both streams; standard output may be JSON.
        let _ = std::io::stderr().lock().write_all(lines.as_bytes());
    }
    match std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) {
        Some(path) => append(Path::new(&path), &page(cases, table)),
        None => Ok(()),
    }
}

/// The annotations of a case.
fn lines(case: &Told<'_>) -> String {
    let place = case.place.as_ref();
    let title = format!("powercut: {}", case.name);
    match (case.sort, case.report) {
        (Sort::Good, _) => String::new(),
        (Sort::Violations, Some(report)) => annotations(report, place, &case.dir),
        (Sort::NothingFound, _) => {
            let says = "violations were expected, and none was found";
            annotation(Level::Error, place, &title, says)
        }
        (Sort::Violations | Sort::Undecided, report) => {
            let mut why = report.map(doubts).unwrap_or_default();
            why.extend(case.why.clone());
            let says = format!("it could not be found out: {}", why.join("; "));
            annotation(Level::Warning, place, &title, &says)
        }
    }
}

fn page(cases: &[Told<'_>], table: &str) -> String {
    let mut text = format!("```text\n{table}```\n\n");
    for case in cases.iter().filter(|case| case.sort != Sort::Good) {
        if let Some(report) = case.report {
            text.push_str(&markdown(report, &case.dir));
        }
    }
    text
}

fn append(path: &Path, text: &str) -> Result<()> {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write the summary to {}", path.display()))
}
