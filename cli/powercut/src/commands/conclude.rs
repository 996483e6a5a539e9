// SPDX-License-Identifier: GPL-2.0

//! What comes out at the end, whatever it is: from a report, with what went
//! wrong in it, to its files, to what is printed, and to the exit status. A
//! step that fails is one more error; the others are made all the same.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use powercut_engine::recording::Recording;

use crate::exit::Exit;
use crate::options::{Format, Wanted};
use crate::output::{print, say};
use crate::report::{self, doubts, Conclusion, Report, Saved, PAGE};
use crate::signals::Interrupted;

/// Keeps a report.
pub trait Store {
    /// Writes it; where, if there is something to write.
    fn save(&mut self, report: &Report) -> Result<Option<PathBuf>>;

    /// Where it is, if anywhere.
    fn dir(&self) -> Option<PathBuf>;
}

/// What is to be made of a report.
pub struct Conclude<'a> {
    pub recording: &'a Recording,
    pub store: &'a mut dyn Store,
    pub wanted: &'a Wanted,
    pub format: Format,
    /// What ended it, if that was a signal.
    pub signal: Option<Interrupted>,
}

impl Conclude<'_> {
    /// Makes all of it.
    pub fn of(self, report: &mut Report) -> Exit {
        self.by(report, &mut |text| print(format_args!("{text}")))
    }

    fn by(mut self, report: &mut Report, print: &mut dyn FnMut(&str) -> Result<()>) -> Exit {
        let errors = self.write(report);
        if !errors.is_empty() {
            told(report, errors);
            // Once more, with what went wrong the first time.
            self.write(report);
        }
        if let Err(error) = self.text(report).and_then(|text| print(&text)) {
            told(report, [error]);
            self.write(report);
        }
        self.beside(report);
        exit(report, self.signal)
    }

    /// Writes all files; what went wrong.
    fn write(&mut self, report: &Report) -> Vec<anyhow::Error> {
        let mut errors = Vec::new();
        errors.extend(self.store.save(report).err());
        let dir = self.store.dir();
        errors.extend(formats(report, self.recording, dir.as_deref(), self.wanted));
        errors
    }

    fn text(&self, report: &Report) -> Result<String> {
        if self.format == Format::Nothing {
            return Ok(String::new());
        }
        if self.format == Format::Json {
            let text = serde_json::to_string_pretty(report)?;
            return Ok(format!("{text}\n"));
        }
        let nothing = report.coverage.checked == 0 && report.violations.is_empty();
        if nothing && !report.errors.is_empty() {
            // It has been said why.
            return Ok(String::new());
        }
        let dir = self.store.dir().map(|dir| dir.display().to_string());
        let mut text = report::details(report, dir.as_deref());
        if let Some(dir) = dir {
            text.push_str(&format!("report: {dir}\n"));
        }
        if self.format == Format::Case {
            return Ok(text);
        }
        let summary = report::summary(report);
        Ok(format!("{text}\n{summary}"))
    }

    /// Says why it is undecided, and how to go on.
    fn beside(&self, report: &Report) {
        if Conclusion::of(report) == Conclusion::Undecided {
            for doubt in doubts(report).iter().skip(report.errors.len()) {
                say(format_args!("{doubt}"));
            }
        }
        let saved = self.store.dir().map(Saved::at);
        if let Some(how) = saved.and_then(|saved| saved.to_go_on(report)) {
            say(format_args!("{how}"));
        }
    }
}

/// Adds errors to a report, and says them.
pub fn told(report: &mut Report, errors: impl IntoIterator<Item = anyhow::Error>) {
    for error in errors {
        let text = format!("{error:#}");
        if !report.errors.contains(&text) {
            say(format_args!("{text}"));
            report.errors.push(text);
        }
    }
}

/// The exit status that a report comes to.
pub fn exit(report: &Report, signal: Option<Interrupted>) -> Exit {
    match (Conclusion::of(report), signal) {
        (Conclusion::Violation, _) => Exit::Violation,
        (_, Some(signal)) => Exit::Interrupted(signal),
        (Conclusion::Consistent, None) => Exit::NoViolation,
        (Conclusion::Undecided, None) => Exit::Undecided,
    }
}

/// Writes the page into the report's directory, and what else was asked for; what went wrong.
fn formats(
    report: &Report,
    recording: &Recording,
    dir: Option<&Path>,
    wanted: &Wanted,
) -> Vec<anyhow::Error> {
    let name = dir.map_or_else(|| "DIR".into(), |dir| dir.display().to_string());
    let page = dir.map(|dir| dir.join(PAGE));
    let pages: Vec<&Path> = page
        .iter()
        .chain(&wanted.html)
        .map(PathBuf::as_path)
        .collect();
    let units: Vec<&Path> = wanted.junit.iter().map(PathBuf::as_path).collect();
    let mut errors = write_to(&pages, || report::html(report, recording, &name));
    errors.extend(write_to(&units, || report::junit(report, recording, &name)));
    errors
}

fn write_to(paths: &[&Path], make: impl FnOnce() -> Result<String>) -> Vec<anyhow::Error> {
    if paths.is_empty() {
        return Vec::new();
    }
    match make() {
        Ok(text) => paths
            .iter()
            .filter_map(|path| write(path, &text).err())
            .collect(),
        Err(error) => vec![error],
    }
}

/// Writes a file.
pub fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests;
