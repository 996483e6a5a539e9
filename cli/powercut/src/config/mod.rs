// SPDX-License-Identifier: GPL-2.0

//! `powercut.toml`: several cases of `powercut run` in a file.
//!
//! A key is the long name of an option of `run`, and a value is what that option takes: each case
//! becomes the words of a command line, and is read as one. There is no second definition of an
//! option, nor of what is a good value for it.

mod file;
mod outcome;
mod words;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{bail, Result};
use serde::Serialize;

use crate::options::{Format, Run};
use file::{Entry, File, Section};

pub use outcome::{exit, Outcome};

/// Looked for in the working directory.
pub const FILE: &str = "powercut.toml";
/// The longest name of a case.
const MAX_NAME: usize = 64;

/// What the author of a case says will be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    Clean,
    /// A control: a case whose bug is known, and has to be found.
    Violations,
}

#[derive(Debug)]
pub struct Case {
    pub name: String,
    pub expect: Expect,
    pub run: Run,
    report: PathBuf,
    /// Where it is in the file.
    pub line: usize,
}

impl Case {
    /// The directory of its report.
    pub fn report(&self) -> &Path {
        &self.report
    }
}

/// What holds for all cases of a file.
#[derive(Debug, Clone, Copy)]
pub struct Common<'a> {
    /// Options of cases that were given on the command line: they go before those of the file.
    pub given: &'a [OsString],
    /// The directory of the reports.
    pub report: &'a Path,
    /// The cases are to print nothing: there is one object for all.
    pub json: bool,
}

/// Reads the cases of a file, all of them checked.
pub fn load(path: &Path, common: Common<'_>) -> Result<Vec<Case>> {
    let file = File::read(path)?;
    for entry in &file.defaults().entries {
        words::of(entry).map_err(|e| file.error(e.at, e.says))?;
    }
    let mut cases: Vec<Case> = Vec::new();
    for section in file.cases() {
        let case = case(&file, section, common)?;
        if cases.iter().any(|other| other.name == case.name) {
            let at = section.get("name").map_or(section.at, |name| name.value_at);
            return Err(file.error(at, format!("there are two cases {:?}", case.name)));
        }
        cases.push(case);
    }
    if cases.is_empty() {
        bail!("{}: there is no [[case]] in it", path.display());
    }
    Ok(cases)
}

/// Those of the cases that were asked for: all, if none was.
pub fn select(mut cases: Vec<Case>, only: &[String]) -> Result<Vec<Case>> {
    for name in only {
        if !cases.iter().any(|case| case.name == *name) {
            let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
            bail!(
                "--only {name}: there is no such case, but {}",
                names.join(", ")
            );
        }
    }
    if !only.is_empty() {
        cases.retain(|case| only.contains(&case.name));
    }
    Ok(cases)
}

fn case(file: &File, section: &Section, common: Common<'_>) -> Result<Case> {
    let Some(name) = section.get("name") else {
        return Err(file.error(section.at, "a case needs a name".into()));
    };
    let name = text(file, name)?;
    check_name(&name).map_err(|e| {
        let at = section.get("name").map_or(section.at, |name| name.value_at);
        file.error(at, e)
    })?;
    let expect = match section.get("expect") {
        None => Expect::Clean,
        Some(entry) => match text(file, entry)?.as_str() {
            "clean" => Expect::Clean,
            "violations" => Expect::Violations,
            other => {
                let says = format!("expect = {other:?}: give \"clean\" or \"violations\"");
                return Err(file.error(entry.value_at, says));
            }
        },
    };
    let mut all: Vec<OsString> = Vec::new();
    let options = || {
        let own = section.entries.iter();
        let defaults = file.defaults().entries.iter();
        own.filter(|entry| !words::OF_A_CASE.contains(&entry.key.as_str()))
            .chain(defaults.filter(|entry| section.get(&entry.key).is_none()))
    };
    for entry in options() {
        let words = words::of(entry).map_err(|e| file.error(e.at, e.says))?;
        all.extend(words);
    }
    all.extend(common.given.iter().cloned());
    let report = common.report.join(&name);
    all.push(words::option("case", name.as_ref()));
    all.push(words::option("report", report.as_ref()));
    let failed = |says: String| {
        // The option that is at fault is named in what is said of it.
        let named = |entry: &&Entry| words::names(&says, &entry.key);
        let at = options().find(named).map(|entry| entry.value_at);
        file.error(at.unwrap_or(section.at), format!("case {name:?}: {says}"))
    };
    let args = words::parse(&all).map_err(failed)?;
    let mut run = Run::new(args).map_err(|e| failed(format!("{e:#}")))?;
    run.reporting.format = if common.json {
        Format::Nothing
    } else {
        Format::Case
    };
    Ok(Case {
        run,
        expect,
        report,
        line: file.line(section.at),
        name,
    })
}

fn text(file: &File, entry: &Entry) -> Result<String> {
    match &entry.value {
        toml::Value::String(text) => Ok(text.clone()),
        other => {
            let says = format!("{} is {}: give a string", entry.key, words::sort(other));
            Err(file.error(entry.value_at, says))
        }
    }
}

/// A name is that of a directory, too.
fn check_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        return Err(format!(
            "name = {name:?}: give letters, digits, '-', '_' and '.', and no '.' first"
        ));
    }
    if name.len() > MAX_NAME {
        return Err(format!(
            "name = {name:?}: give {MAX_NAME} characters at most"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
