// SPDX-License-Identifier: GPL-2.0

//! `powercut minimize`: the culprit of one violation.

use anyhow::{bail, Context, Result};
use powercut_engine::id::StateId;
use powercut_engine::oracle::{Finding, Verdict};
use powercut_engine::recording::Recording;
use serde::Serialize;

use super::backend::Backend;
use super::culprit::Bench;
use super::manage::load;
use crate::device::{DeviceError, Root, Selection};
use crate::examination::Examination;
use crate::examine::Examiner;
use crate::executor::Executor;
use crate::exit::Exit;
use crate::options::{Minimize, RecordSource};
use crate::output::{print, print_json, say};
use crate::report::{self, Culprit, Report, Saved};
use crate::server::{Module, Server};
use crate::signals::Signals;

/// What `minimize --json` prints.
#[derive(Debug, Serialize)]
struct Minimized<'m> {
    id: String,
    culprit: &'m Culprit,
}

pub fn minimize(options: &Minimize) -> Result<Exit> {
    let signals = Signals::install()?;
    let errors = match &options.replay.from {
        RecordSource::Disk(disk) => {
            Backend::choose(options.replay.backend, &options.replay.from, &[])?;
            let root = Root::open()?;
            let disk = root.disk(disk)?;
            let recording = load(&root, disk.name().as_str())?;
            let what = options.replay.examination(None)?;
            let module = Module {
                root: &root,
                disk: &disk,
            };
            let failed = fails(options, &what, &recording, &signals, &module)?;
            failed.shown(options, |_, _| Ok(()))
        }
        RecordSource::Report(dir) => {
            let saved = Saved::at(dir);
            let mut found = saved.report()?;
            if let Some(how) = saved.to_go_on(&found) {
                say(format_args!(
                    "the exploration did not come to its end; {how}"
                ));
            }
            let what = options
                .replay
                .examination(Some(found.examination.clone()))?;
            let recording = saved.recording()?;
            let (choices, keep) = options.replay.id.resolve(&recording)?;
            if !rustix::process::geteuid().is_root() {
                let id = StateId::of(&choices, &keep);
                return known(&found, &id, options.replay.json);
            }
            let from = &options.replay.from;
            let opened = Backend::choose(options.replay.backend, from, &[])?;
            let opened = opened.serve(&saved, &what)?;
            let failed = fails(options, &what, &recording, &signals, &*opened.server())?;
            failed.shown(options, |id, culprit| {
                let id = id.to_string();
                let Some(violation) = found.violations.iter_mut().find(|v| v.id == id) else {
                    return Ok(());
                };
                violation.culprit = Some(culprit.clone());
                let (choices, keep) = options.replay.id.resolve(&recording)?;
                let (kept, lost) = report::fates(&choices, &keep);
                (violation.kept, violation.lost) = (Some(kept), Some(lost));
                saved.finish(&found)
            })
        }
    };
    // It is a violation, whatever else went wrong.
    for error in errors {
        say(format_args!("{error:#}"));
    }
    Ok(Exit::Violation)
}

/// Without root no state can be examined: what the report has of it already.
fn known(found: &Report, id: &StateId, is_json: bool) -> Result<Exit> {
    let name = id.to_string();
    let violation = found.violations.iter().find(|v| v.id == name);
    let Some((violation, culprit)) = violation.and_then(|v| Some((v, v.culprit.as_ref()?))) else {
        let why = "minimize examines states, which it mounts and checks";
        return Err(DeviceError::NotRoot)
            .with_context(|| format!("{why}, and the report has no culprit of state {name} yet"));
    };
    say(format_args!(
        "note: this is the culprit that the report has; to look for it anew takes root"
    ));
    if is_json {
        print_json(&Minimized { id: name, culprit })?;
    } else {
        let lines = report::culprit_lines(culprit);
        print(format_args!(
            "VIOLATION: {}, {}\n  state   {name}\n{lines}",
            violation.kind, violation.how
        ))?;
    }
    Ok(Exit::Violation)
}

/// A state that fails, and what came of the search for its culprit.
struct Failed {
    id: StateId,
    finding: Finding,
    culprit: Result<Culprit>,
}

/// Examines the state, and looks for its culprit; an error unless it fails.
fn fails(
    options: &Minimize,
    what: &Examination,
    recording: &Recording,
    signals: &Signals,
    server: &dyn Server,
) -> Result<Failed> {
    let (choices, keep) = options.replay.id.resolve(recording)?;
    let id = StateId::of(&choices, &keep);
    options.replay.say_borrowed(what);
    let mut view = server.view()?;
    let mut executor = Executor::new(signals, what.mount_timeout());
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
    let culprit = bench.culprit(&choices, &keep, &finding);
    let culprit = culprit.and_then(|culprit| {
        culprit.with_context(|| {
            format!("state {id} failed at first, and then passed: is the check deterministic?")
        })
    });
    Ok(Failed {
        id,
        finding,
        culprit,
    })
}

impl Failed {
    /// Keeps and prints it; what went wrong.
    fn shown(
        self,
        options: &Minimize,
        keep: impl FnOnce(&StateId, &Culprit) -> Result<()>,
    ) -> Vec<anyhow::Error> {
        let Self {
            id,
            finding,
            culprit,
        } = self;
        let mut errors = Vec::new();
        let culprit = culprit.map_err(|e| errors.push(e)).ok();
        if let Some(culprit) = &culprit {
            errors.extend(keep(&id, culprit).err());
        }
        let printed = match (&culprit, options.replay.json) {
            (Some(culprit), true) => print_json(&Minimized {
                id: id.to_string(),
                culprit,
            }),
            (None, true) => Ok(()),
            (culprit, false) => print(format_args!(
                "VIOLATION: {}, {}\n  state   {id}\n{}",
                finding.kind,
                finding.how,
                culprit
                    .as_ref()
                    .map(report::culprit_lines)
                    .unwrap_or_default()
            )),
        };
        errors.extend(printed.err());
        errors
    }
}
