// SPDX-License-Identifier: GPL-2.0

//! One state again: for a check, for people, to find its culprit.

use std::path::{Path, PathBuf};

use anyhow::{bail, Context, Result};
use powercut_engine::id::StateId;

use super::check::{command, examination_of_none, given_ms};
use super::{borrowed, name, say_borrowed, Given, RecordSource};
use crate::args::{self, BackendArg};
use crate::examination::Examination;
use crate::fs::MountSpec;
use crate::report::{directory, Saved};

#[derive(Debug)]
pub struct Replay {
    pub id: StateId,
    pub from: RecordSource,
    pub backend: BackendArg,
    pub check: Option<String>,
    /// `Some(None)`: without a mount.
    pub mount: Option<Option<MountSpec>>,
    pub fsck: Option<String>,
    pub check_timeout_ms: Option<u64>,
    pub mount_timeout_ms: Option<u64>,
    pub read_only: bool,
    pub json: bool,
}

/// A state to show again, and what is to be left of it.
#[derive(Debug)]
pub struct ShowState {
    pub replay: Replay,
    pub shell: bool,
    pub image: Option<PathBuf>,
    pub keep: bool,
}

impl ShowState {
    pub fn new(args: args::ShowArgs) -> Result<Self> {
        let to_hand = args.shell || args.keep || args.keep_image.is_some();
        if args.replay.disk.is_some() && args.replay.check.is_none() && !to_hand {
            bail!("--disk needs --check, or --shell, --keep or --keep-image: there is no report that names a check");
        }
        Ok(Self {
            replay: Replay::new(args.replay)?,
            shell: args.shell,
            image: args.keep_image,
            keep: args.keep,
        })
    }
}

/// A replay of states around one, to find its culprit.
#[derive(Debug)]
pub struct Minimize {
    pub replay: Replay,
    pub budget: u64,
}

impl Minimize {
    pub fn new(args: args::MinimizeArgs) -> Result<Self> {
        if args.budget < 3 {
            bail!("--budget {}: less than 3 states tell nothing", args.budget);
        }
        if args.replay.disk.is_some() && args.replay.check.is_none() {
            bail!("--disk needs --check: there is no report that names one");
        }
        Ok(Self {
            replay: Replay::new(args.replay)?,
            budget: args.budget,
        })
    }
}

impl Replay {
    /// Says which commands of the report are about to be run.
    pub fn say_borrowed(&self, what: &Examination) {
        if let RecordSource::Report(dir) = &self.from {
            let given = Given {
                check: self.check.is_some(),
                fsck: self.fsck.is_some(),
                cleanup: false,
            };
            say_borrowed(&borrowed(dir, what, given));
        }
    }

    /// The examination of a report, with what was given instead.
    pub fn examination(&self, reported: Option<Examination>) -> Result<Examination> {
        let mut what = reported.unwrap_or_else(examination_of_none);
        if let Some(check) = &self.check {
            what.check.clone_from(check);
            what.resident = false;
            what.truths = None;
        }
        if let Some(mount) = &self.mount {
            what.mount.clone_from(mount);
        }
        if self.fsck.is_some() {
            what.fsck.clone_from(&self.fsck);
        }
        what.timeout_ms = self.check_timeout_ms.unwrap_or(what.timeout_ms);
        what.mount_timeout_ms = self.mount_timeout_ms.unwrap_or(what.mount_timeout_ms);
        if self.read_only {
            what.mount = what.mount.as_ref().map(MountSpec::read_only);
        }
        Ok(what)
    }
}

/// The id that was given, or that of the violation of that number in the report.
fn id_of(args: &args::ReplayArgs, report: &Path) -> Result<String> {
    let Ok(number) = args.id.parse::<u64>() else {
        return Ok(args.id.clone());
    };
    if args.disk.is_some() {
        bail!(
            "{number} is the number of a violation in a report: give --report DIR, or with --disk \
             the id of a state"
        );
    }
    let saved = Saved::at(report).report()?;
    let violation = saved.violation(number);
    let violation = violation.with_context(|| report.display().to_string())?;
    Ok(violation.id.clone())
}

/// The report of the recovery that a state is of, and the state's id in that.
fn within(report: PathBuf, id: &str) -> Result<(PathBuf, &str)> {
    let Some((first, rest)) = id.split_once('/') else {
        return Ok((report, id));
    };
    let _: StateId = first.parse()?;
    within(directory(&report, first), rest)
}

impl Replay {
    pub fn new(args: args::ReplayArgs) -> Result<Self> {
        let mount = match &args.mount {
            Some(text) => Some(MountSpec::parse(text).context("--mount")?),
            None => None,
        };
        if let Some(check) = &args.check {
            command("--check", check)?;
        }
        let report = args.report.clone();
        let report = report.unwrap_or(crate::report::DEFAULT_DIR.into());
        let given = id_of(&args, &report)?;
        let (report, id) = within(report, &given)?;
        Ok(Self {
            id: id.parse()?,
            from: match args.disk {
                Some(_) if id != given => bail!(
                    "{given}: a recovery does not write the same twice; a state within one is shown \
                     from its report: --report DIR"
                ),
                Some(disk) => RecordSource::Disk(name(&disk)?),
                None => RecordSource::Report(report),
            },
            backend: args.backend,
            check: args.check,
            mount,
            fsck: args.fsck,
            check_timeout_ms: given_ms("--check-timeout", args.check_timeout.as_deref())?,
            mount_timeout_ms: given_ms("--mount-timeout", args.mount_timeout.as_deref())?,
            read_only: args.read_only,
            json: args.json,
        })
    }
}
