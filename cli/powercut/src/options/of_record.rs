// SPDX-License-Identifier: GPL-2.0

//! A record that is there, and how its states are to be examined.

use std::path::PathBuf;

use anyhow::{bail, Context, Result};

use super::check::{examination, instead};
use super::{borrowed, name, Given, RecordSource};
use crate::args::CheckArgs;
use crate::baseline::Extent;
use crate::examination::Examination;
use crate::fs::MountSpec;
use crate::report::Saved;

/// What was typed of it.
pub struct Typed {
    pub name: Option<String>,
    pub recording: Option<PathBuf>,
    pub check: Option<String>,
    pub mount: Option<String>,
    pub examine: CheckArgs,
}

#[derive(Debug)]
pub struct OfRecord {
    pub from: RecordSource,
    /// What to call it.
    pub case: String,
    pub examination: Examination,
    pub baseline: Extent,
    /// What to say of commands that are the report's.
    pub borrowed: Vec<String>,
}

impl OfRecord {
    pub fn new(typed: Typed) -> Result<Self> {
        let mount = typed.mount.as_deref().map(MountSpec::parse);
        let mount = mount.transpose().context("--mount")?;
        let (from, case) = match (typed.name, typed.recording) {
            (Some(disk), _) => (RecordSource::Disk(name(&disk)?), disk),
            (None, Some(path)) => (
                RecordSource::Report(path.clone()),
                path.display().to_string(),
            ),
            (None, None) => bail!("give a disk, or --recording PATH"),
        };
        let has_check = typed.check.is_some() || typed.examine.resident.is_some();
        let reported = match &from {
            RecordSource::Report(path) if !has_check => Some(Saved::at(path).report()?.examination),
            _ => None,
        };
        if reported.as_ref().is_some_and(|what| what.check.is_empty()) {
            bail!("the report names no check: give --check, and --mount for a filesystem");
        }
        let given = Given {
            check: has_check,
            fsck: typed.examine.fsck.is_some(),
            cleanup: typed.examine.cleanup.is_some(),
        };
        let borrowed = match (&from, &reported) {
            (RecordSource::Report(path), Some(what)) => borrowed(path, what, given),
            _ => Vec::new(),
        };
        let no_baseline = typed.examine.no_baseline;
        let examination = match reported {
            Some(reported) => instead(reported, typed.examine, mount)?,
            None => examination(typed.check.as_deref(), typed.examine, mount.flatten())?,
        };
        Ok(Self {
            from,
            case,
            examination,
            baseline: if no_baseline {
                Extent::Nothing
            } else {
                Extent::Before
            },
            borrowed,
        })
    }
}
