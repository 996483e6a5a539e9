// SPDX-License-Identifier: GPL-2.0

//! `powercut merge`: the reports of shards as one.

use anyhow::{Context, Result};

use super::finish;
use crate::args::MergeArgs;
use crate::exit::Exit;
use crate::options::Wanted;
use crate::output::{print, print_json};
use crate::recovery::copy_recoveries;
use crate::report::{self, merge as join, Report, Saved};

pub fn merge(args: &MergeArgs) -> Result<Exit> {
    let reports: Result<Vec<Report>> = args
        .reports
        .iter()
        .map(|dir| Saved::at(dir).report())
        .collect();
    let merged = join(&reports?)?;
    let first = args.reports.first().map(Saved::at);
    let first = first.context("no reports were given")?;
    Saved::at(&args.report).write_with(&merged, &first)?;
    for dir in &args.reports {
        copy_recoveries(dir, &args.report)?;
    }
    let recording = first.recording()?;
    finish::formats(&merged, &recording, Some(&args.report), &Wanted::default())?;
    if args.json {
        print_json(&merged)?;
    } else {
        let dir = args.report.display().to_string();
        let details = report::details(&merged, Some(&dir));
        let summary = report::summary(std::slice::from_ref(&merged));
        print(format_args!("{details}report: {dir}\n\n{summary}"))?;
    }
    Ok(match merged.violations.is_empty() {
        true => Exit::NoViolation,
        false => Exit::Violation,
    })
}
