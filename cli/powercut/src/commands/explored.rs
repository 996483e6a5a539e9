// SPDX-License-Identifier: GPL-2.0

//! Tells what came out of an exploration: reports, summary, exit status.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use powercut_engine::recording::Recording;

use super::github::{tell, Sort, Told};
use crate::exit::Exit;
use crate::output::say;
use crate::report::{summary, Report};

/// What came out of an exploration.
pub struct Explored {
    pub exit: Exit,
    pub report: Report,
    pub recording: Arc<Recording>,
    /// Where the report is, if it was worth one.
    pub dir: Option<PathBuf>,
}

impl Explored {
    /// The exit status, once GitHub Actions was told, if that is where this runs.
    pub fn told(&self) -> Result<Exit> {
        match (one(self), self.exit) {
            (Ok(()), exit) => Ok(exit),
            (Err(error), Exit::NoViolation) => Err(error),
            (Err(error), exit) => {
                say(format_args!("{error:#}"));
                Ok(exit)
            }
        }
    }
}

/// Tells what came of one exploration.
fn one(explored: &Explored) -> Result<()> {
    let report = &explored.report;
    let dir = explored.dir.as_deref().unwrap_or(Path::new("DIR"));
    let told = Told {
        name: &report.case,
        place: None,
        report: Some(report),
        dir: dir.display().to_string(),
        sort: match explored.exit {
            Exit::NoViolation => Sort::Good,
            Exit::Violation => Sort::Violations,
            Exit::Undecided | Exit::Interrupted(_) => Sort::Undecided,
        },
        why: None,
    };
    tell(&[told], &summary(report))
}
