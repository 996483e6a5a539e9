// SPDX-License-Identifier: GPL-2.0

//! `powercut minimize`: the culprit of one violation.

use anyhow::{bail, Context, Result};
use serde::Serialize;

use super::culprit::Bench;
use super::manage::load;
use super::transfer::import_as_new;
use crate::device::{Disk, Root, Selection};
use crate::examine::{Examination, Examiner};
use crate::executor::Executor;
use crate::exit::Exit;
use crate::id::StateId;
use crate::options::{Minimize, RecordSource};
use crate::oracle::Verdict;
use crate::output::{print, print_json};
use crate::recording::Recording;
use crate::report::{self, Culprit, Saved};
use crate::signals::Signals;

/// What `minimize --json` prints.
#[derive(Debug, Serialize)]
struct Minimized<'m> {
    id: String,
    culprit: &'m Culprit,
}

pub fn minimize(options: &Minimize) -> Result<Exit> {
    let signals = Signals::install()?;
    match &options.replay.from {
        RecordSource::Disk(disk) => {
            let root = Root::open()?;
            let disk = root.disk(disk)?;
            let recording = load(&root, disk.name().as_str())?;
            let what = options.replay.examination(None)?;
            find(options, &what, &recording, &signals, &disk)?;
        }
        RecordSource::Report(dir) => {
            let saved = Saved::at(dir);
            let mut report = saved.report()?;
            let what = options
                .replay
                .examination(Some(report.examination.clone()))?;
            let recording = saved.recording()?;
            options.replay.id.resolve(&recording)?;
            let disk = import_as_new(&Root::open()?, &saved)?;
            let (id, culprit) = find(options, &what, &recording, &signals, &disk)?;
            let id = id.to_string();
            if let Some(violation) = report.violations.iter_mut().find(|v| v.id == id) {
                violation.culprit = Some(culprit);
                saved.write_report(&report)?;
            }
        }
    }
    Ok(Exit::Violation)
}

/// Finds the culprit and prints it.
fn find(
    options: &Minimize,
    what: &Examination,
    recording: &Recording,
    signals: &Signals,
    disk: &Disk,
) -> Result<(StateId, Culprit)> {
    let (choices, keep) = options.replay.id.resolve(recording)?;
    let id = StateId::of(&choices, &keep);
    let mut view = disk.create_some_view()?;
    let mut executor = Executor::new(0, signals);
    let verdict = {
        let mut examiner = Examiner::new(&mut view, what, &mut executor)?;
        let marks = recording.marks_by(choices.event());
        examiner.look_at(&Selection::of(&choices, &keep), marks)?
    };
    let finding = match verdict {
        Verdict::Violation(finding) => finding,
        Verdict::Consistent => bail!("state {id} passes: there is nothing to minimize"),
        Verdict::Skipped => bail!("of state {id} the check can't tell (exit 125)"),
    };
    let mut bench = Bench {
        view: &mut view,
        examination: what,
        executor: &mut executor,
        budget: options.budget,
    };
    let culprit = bench.culprit(&choices, &keep, &finding)?.with_context(|| {
        format!("state {id} failed at first, and then passed: is the check deterministic?")
    })?;
    if options.replay.json {
        print_json(&Minimized {
            id: id.to_string(),
            culprit: &culprit,
        })?;
    } else {
        print(format_args!(
            "VIOLATION: {}, {}\n",
            finding.kind, finding.how
        ))?;
        print(format_args!("  state   {id}\n"))?;
        print(format_args!("{}", report::culprit_lines(&culprit)))?;
    }
    Ok((id, culprit))
}
