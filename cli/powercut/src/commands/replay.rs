// SPDX-License-Identifier: GPL-2.0

//! `powercut replay`: one state again, from a report or a disk.

use std::cell::OnceCell;
use std::rc::Rc;

use anyhow::{bail, Context, Result};
use powercut_engine::explore;
use powercut_engine::id::StateId;
use powercut_engine::oracle::{Finding, Oracle, Verdict};
use powercut_engine::recording::Recording;
use powercut_engine::strategy::State;
use serde::Serialize;

use super::backend::{asked, Backend};
use super::manage::load;
use super::postmortem;
use crate::device::{Root, Selection, Show};
use crate::examination::Examination;
use crate::examine::Examiner;
use crate::executor::Executor;
use crate::exit::Exit;
use crate::options::{RecordSource, ShowState};
use crate::output::{print, print_json, say};
use crate::report::{self, Saved, Violation, Write};
use crate::server::{Module, Server};
use crate::signals::Signals;

/// What `replay --json` prints.
#[derive(Debug, Serialize)]
struct Replayed {
    id: String,
    /// consistent, skipped or violation
    verdict: &'static str,
    output: String,
    kept: Vec<Write>,
    lost: Vec<Write>,
    /// As in a report.
    #[serde(skip_serializing_if = "Option::is_none")]
    violation: Option<Violation>,
}

pub fn replay(options: &ShowState) -> Result<Exit> {
    let signals = Signals::install()?;
    match &options.replay.from {
        RecordSource::Disk(disk) => {
            Backend::choose(options.replay.backend, &options.replay.from, &[])?;
            let what = options.replay.examination(None)?;
            let root = Root::open()?;
            let disk = root.disk(disk)?;
            let recording = load(&root, disk.name().as_str())?;
            let module = Module {
                root: &root,
                disk: &disk,
            };
            show(options, &what, &recording, &signals, || {
                Ok(Box::new(module))
            })
        }
        RecordSource::Report(dir) => {
            let saved = Saved::at(dir);
            let report = saved.report()?;
            if let Some(how) = saved.to_go_on(&report) {
                say(format_args!(
                    "the exploration did not come to its end; {how}"
                ));
            }
            let what = options
                .replay
                .examination(Some(report.examination.clone()))?;
            let needs = asked(&[("--keep", options.keep)]);
            let recording = saved.recording()?;
            let kept = OnceCell::new();
            let exit = show(options, &what, &recording, &signals, || {
                let from = &options.replay.from;
                let backend = Backend::choose(options.replay.backend, from, &needs)?;
                let opened = backend.serve(&saved, &report.examination)?;
                Ok(kept.get_or_init(|| opened).server())
            })?;
            if let Some(opened) = kept.into_inner().filter(|_| options.keep) {
                opened.leave();
            }
            Ok(exit)
        }
    }
}

/// Examines the state; the server is asked for once the id is known to be good.
fn show<'d>(
    options: &ShowState,
    what: &Examination,
    recording: &Recording,
    signals: &Signals,
    server: impl FnOnce() -> Result<Box<dyn Server + 'd>>,
) -> Result<Exit> {
    let (choices, keep) = options.replay.id.resolve(recording)?;
    let id = StateId::of(&choices, &keep);
    let state = State {
        choices: Rc::new(choices),
        keep,
    };
    let (kept, lost) = report::fates(&state.choices, &state.keep);
    // That it can't be printed is told once it is judged.
    let mut printed = Ok(());
    if !options.replay.json {
        let marks = recording.marks_by(state.choices.event());
        let text = report::state(&id.to_string(), state.choices.event(), marks, &kept, &lost);
        printed = print(format_args!("{text}"));
    }
    let server = server()?;
    let mut view = server.view()?;
    let selection = Selection::of(&state.choices, &state.keep);
    if let Some(file) = &options.image {
        view.show(&selection)?;
        postmortem::images(view.nodes(), file)?;
    }
    let looked = match (options.shell, what.check.is_empty()) {
        (true, _) => {
            view.show(&selection)?;
            let marks = recording.marks_by(state.choices.event());
            postmortem::shell(view.nodes(), what.mount.as_ref(), marks)?;
            None
        }
        (false, true) => None,
        (false, false) => {
            options.replay.say_borrowed(what);
            let mut executor = Executor::new(signals, what.mount_timeout());
            let mut examiner = Examiner::new(&mut view, what, &mut executor)?;
            let verdict = examiner.examine(&state)?;
            Some((verdict, std::mem::take(&mut examiner.output)))
        }
    };
    if options.keep {
        view.show(&selection)?;
        let node = view.nodes().whole().display();
        let remove = match options.replay.from {
            RecordSource::Disk(_) => view.name().to_string(),
            RecordSource::Report(_) => {
                let (_, disk) = server.driver().context("no disk to keep")?;
                disk.name().to_string()
            }
        };
        say(format_args!(
            "kept {node}; `powercut remove {remove}` removes it"
        ));
        view.leave();
    } else {
        drop(view);
    }
    let Some((verdict, output)) = looked else {
        return printed.map(|()| Exit::NoViolation);
    };
    let shown = if options.replay.json {
        let violation = match &verdict {
            Verdict::Violation(finding) => Some(violation(&id, &state, finding)),
            _ => None,
        };
        print_json(&Replayed {
            id: id.to_string(),
            verdict: word(&verdict),
            output,
            kept,
            lost,
            violation,
        })
    } else {
        print(format_args!("{}", said(&verdict, &output)))
    };
    let printed = printed.and(shown);
    match (verdict, printed) {
        (Verdict::Violation(_), printed) => {
            if let Err(error) = printed {
                say(format_args!("{error:#}"));
            }
            Ok(Exit::Violation)
        }
        (_, Err(error)) => Err(error),
        (Verdict::Skipped, Ok(())) => bail!("{UNTOLD}"),
        (Verdict::Consistent, Ok(())) => Ok(Exit::NoViolation),
    }
}

const UNTOLD: &str = "the check could not tell (exit 125)";

/// What the check said, and what that is.
fn said(verdict: &Verdict, output: &str) -> String {
    let mut text: String = output
        .lines()
        .flat_map(|line| ["  says    ", line, "\n"])
        .collect();
    text.push_str(&match verdict {
        Verdict::Consistent => "consistent\n".to_string(),
        Verdict::Skipped => format!("{UNTOLD}\n"),
        Verdict::Violation(f) => format!("VIOLATION: {}, {}\n", f.kind, f.how),
    });
    text
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Consistent => "consistent",
        Verdict::Skipped => "skipped",
        Verdict::Violation(_) => "violation",
    }
}

fn violation(id: &StateId, state: &State<'_>, finding: &Finding) -> Violation {
    let found = explore::Violation {
        id: id.clone(),
        keep: state.keep.clone(),
        finding: finding.clone(),
        image: state.choices.image(&state.keep),
        again: None,
        rank: Default::default(),
    };
    Violation::of(&state.choices, &found)
}
