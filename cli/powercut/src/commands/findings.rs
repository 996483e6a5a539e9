// SPDX-License-Identifier: GPL-2.0

//! Where it is kept what an exploration finds, while it goes on: in the report's
//! directory. If none was asked for there is one from the first violation on.

use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};
use powercut_engine::explore::{Header, Journal, JournalFile};

use super::conclude::Store;
use crate::output::say;
use crate::report::{copy_recoveries, copy_recovery, Found, Report, Saved, Violation, DEFAULT_DIR};
use crate::scratch::{scratch_dir, ScratchDir};

/// Writes the beginning of the report, with its recording, into a directory.
pub type Begin<'b> = dyn Fn(&Path) -> Result<()> + 'b;

enum Place {
    /// The report's directory; and the one of recoveries, if that is another.
    Report(PathBuf, Option<ScratchDir>),
    /// Nobody asked for a report, and there is nothing to be in it yet.
    Scratch(ScratchDir),
}

pub struct Findings<'b> {
    place: Place,
    journal: Option<JournalFile>,
    found: Option<Found>,
    begin: Box<Begin<'b>>,
    /// Why a violation could not be noted, if one could not.
    pub error: Option<anyhow::Error>,
}

impl<'b> Findings<'b> {
    /// Begins in the directory that was asked for, if one was.
    pub fn begin(
        dir: Option<&Path>,
        header: &Header,
        begin: Box<Begin<'b>>,
    ) -> Result<(Self, Journal)> {
        let place = match dir {
            Some(dir) => {
                begin(dir)?;
                Place::Report(dir.into(), None)
            }
            None => Place::Scratch(scratch_dir()?),
        };
        let findings = Self::new(place, begin);
        let journal = Journal::begin(findings.dir(), header)?;
        Ok((findings.with(&journal), journal))
    }

    /// Goes on in a report's directory.
    pub fn resume(dir: &Path, header: &Header, begin: Box<Begin<'b>>) -> Result<(Self, Journal)> {
        let journal = Journal::resume(dir, header)?;
        begin(dir)?;
        let findings = Self::new(Place::Report(dir.into(), None), begin);
        Ok((findings.with(&journal), journal))
    }

    fn new(place: Place, begin: Box<Begin<'b>>) -> Self {
        Self {
            place,
            journal: None,
            found: None,
            begin,
            error: None,
        }
    }

    fn with(mut self, journal: &Journal) -> Self {
        self.journal = journal.file();
        self
    }

    /// Where recoveries leave their reports.
    pub fn dir(&self) -> &Path {
        match &self.place {
            Place::Report(dir, None) => dir,
            Place::Report(_, Some(scratch)) | Place::Scratch(scratch) => scratch.path(),
        }
    }

    /// Findings a violation at once. That it is known does not hang on it: the first error is kept.
    pub fn violation(&mut self, violation: &Violation) {
        if let Err(error) = self.note(violation) {
            if self.error.is_none() {
                say(format_args!(
                    "warning: a violation was found, but {error:#}"
                ));
                self.error = Some(error);
            }
        }
    }

    fn note(&mut self, violation: &Violation) -> Result<()> {
        self.report_dir()?;
        let Place::Report(dir, scratch) = &self.place else {
            bail!("there is no directory for the report");
        };
        if let (Some(scratch), Some((first, _))) = (scratch, violation.id.split_once('/')) {
            copy_recovery(scratch.path(), dir, first)?;
        }
        let found = match &mut self.found {
            Some(found) => found,
            None => self.found.insert(Found::open(dir)?),
        };
        found.add(violation)
    }

    /// Makes the report's directory, if there is none: where reports go by default, or else
    /// where temporary files do.
    fn report_dir(&mut self) -> Result<()> {
        if let Place::Report(..) = self.place {
            return Ok(());
        }
        let default = PathBuf::from(DEFAULT_DIR);
        let dir = match self.move_to(&default) {
            Ok(()) => default,
            Err(error) => {
                let other = tempfile::Builder::new()
                    .prefix("powercut-report-")
                    .tempdir();
                let other = other.context("cannot make a directory for the report")?;
                self.move_to(other.path())?;
                let dir = other.keep();
                let at = dir.display();
                say(format_args!("warning: {error:#}; the report is in {at}"));
                dir
            }
        };
        let place = Place::Report(dir, None);
        if let Place::Scratch(scratch) = std::mem::replace(&mut self.place, place) {
            if let Place::Report(_, recoveries) = &mut self.place {
                *recoveries = Some(scratch);
            }
        }
        Ok(())
    }

    fn move_to(&self, dir: &Path) -> Result<()> {
        (self.begin)(dir)?;
        self.journal
            .as_ref()
            .map_or(Ok(()), |file| file.move_to(dir))
    }
}

impl Store for Findings<'_> {
    /// Writes the report where it was asked for, or if there is something in it.
    fn save(&mut self, report: &Report) -> Result<Option<PathBuf>> {
        let coverage = &report.coverage;
        let is_worth = coverage.ended.is_open() && coverage.checked > 0;
        if is_worth || !report.violations.is_empty() {
            self.report_dir()?;
        }
        let Place::Report(dir, scratch) = &self.place else {
            return Ok(None);
        };
        if let Some(scratch) = scratch {
            copy_recoveries(scratch.path(), dir)?;
        }
        Saved::at(dir).finish(report)?;
        Ok(Some(dir.clone()))
    }

    fn dir(&self) -> Option<PathBuf> {
        match &self.place {
            Place::Report(dir, _) => Some(dir.clone()),
            Place::Scratch(_) => None,
        }
    }
}
