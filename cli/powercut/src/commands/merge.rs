// SPDX-License-Identifier: GPL-2.0

//! `powercut merge`: the reports of shards as one.

use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};

use super::conclude::{Conclude, Store};
use crate::args::MergeArgs;
use crate::exit::Exit;
use crate::options::{Format, Wanted};
use crate::output::say;
use crate::report::{copy_recoveries, merge as join, Report, Saved};

/// The merged report, which has the recording of the first and the recoveries of all.
struct Merged<'m> {
    dir: &'m Path,
    parts: &'m [PathBuf],
    is_begun: bool,
}

impl Store for Merged<'_> {
    fn save(&mut self, report: &Report) -> Result<Option<PathBuf>> {
        let saved = Saved::at(self.dir);
        if !self.is_begun {
            let first = self.parts.first().map(Saved::at);
            saved.begin_with(report, &first.context("no reports were given")?)?;
            self.is_begun = true;
            for part in self.parts {
                copy_recoveries(part, self.dir)?;
            }
        }
        saved.finish(report)?;
        Ok(self.dir())
    }

    fn dir(&self) -> Option<PathBuf> {
        self.is_begun.then(|| self.dir.into())
    }
}

pub fn merge(args: &MergeArgs) -> Result<Exit> {
    let mut parts = Vec::new();
    for dir in &args.reports {
        if dir.canonicalize().ok() == args.report.canonicalize().ok() && dir.exists() {
            let dir = dir.display();
            bail!("{dir} is the report of a shard: give the merged one another --report DIR");
        }
        parts.push((dir.display().to_string(), Saved::at(dir).report()?));
    }
    let mut merged = join(&parts)?;
    for error in &merged.errors {
        say(format_args!("{error}"));
    }
    let first = args.reports.first().map(Saved::at);
    let recording = first.context("no reports were given")?.recording()?;
    let conclude = Conclude {
        recording: &recording,
        store: &mut Merged {
            dir: &args.report,
            parts: &args.reports,
            is_begun: false,
        },
        wanted: &Wanted::default(),
        format: Format::new(args.json),
        signal: None,
    };
    Ok(conclude.of(&mut merged))
}
