// SPDX-License-Identifier: GPL-2.0

//! One look at a state: the filesystem checker, the mount, the check, and what ends them.

use std::path::Path;
use std::sync::{Arc, Once};
use std::time::Duration;

use anyhow::{Context, Result};
use powercut_engine::oracle::{Finding, Kind, Verdict};
use powercut_engine::truths::Truths;

use super::mount::MountPlace;
use crate::child::{Ended, Env, Finished, Line, Program};
use crate::device::Nodes;
use crate::examination::Examination;
use crate::executor::{Heard, Sandbox};
use crate::fs::MountSpec;
use crate::fsck::Statuses;
use crate::kmsg::Kmsg;
use crate::observation::{self, Printed, SKIP};
use crate::output::say;
use crate::slots::{Slot, Slots};

/// What is done to a state.
pub struct Steps {
    fsck: Option<(Line, Statuses)>,
    /// Of this view.
    pub mount: Option<MountSpec>,
    check: Line,
    /// The check lives from state to state.
    is_resident: bool,
    /// What the check printed at the moments of the workload, if it observes.
    truths: Option<Arc<Truths>>,
    cleanup: Option<Line>,
    /// How long each may take.
    limit: Duration,
}

impl Steps {
    pub fn new(what: &Examination, nodes: &Nodes) -> Self {
        let fsck = what.fsck.as_deref();
        Self {
            fsck: fsck.map(|fsck| (Line::new(fsck), Statuses::of(fsck))),
            mount: what.mount.as_ref().map(|spec| spec.fill(nodes)),
            check: Line::new(&what.check),
            is_resident: what.resident,
            truths: what.truths.clone(),
            cleanup: what.cleanup.as_deref().map(Line::new),
            limit: what.timeout(),
        }
    }
}

/// What is shared with looks at other states at the same time.
pub struct Company<'l> {
    pub slots: &'l Slots,
    /// No other check may run meanwhile.
    pub alone: bool,
    /// The number of a check that lives from state to state; others have that of their slot.
    pub lane: usize,
    /// There are other views of the same disk.
    pub has_twins: bool,
}

pub struct Look<'l> {
    pub steps: &'l Steps,
    pub sandbox: Sandbox<'l>,
    pub nodes: &'l Nodes,
    pub mnt: &'l Path,
    /// Variables of all commands, but for POWERCUT_SLOT.
    pub env: Env,
    /// How many marks there are.
    pub marks: u64,
    /// A file for what is observed.
    pub observed: &'l Path,
    pub company: Company<'l>,
    /// As long as commands may run.
    pub slot: Option<Slot<'l>>,
    pub kmsg: &'l mut Kmsg,
    pub output: &'l mut String,
    /// Whether the check ended without an answer that lives from state to state.
    pub has_died: bool,
}

/// Whether it was told that --cleanup fails.
static CLEANUP_FAILED: Once = Once::new();

impl Look<'_> {
    /// Kills what commands left, and gives the slot back.
    pub fn release(&mut self) -> Result<()> {
        let Some(_slot) = self.slot.take() else {
            return Ok(());
        };
        self.sandbox.kill()
    }

    /// The verdict. Mounts and processes are left.
    pub fn verdict(&mut self) -> Result<Verdict> {
        let steps = self.steps;
        if let Some((fsck, statuses)) = &steps.fsck {
            let finished = self.command(fsck)?;
            let is_sound =
                matches!(finished.ended, Ended::Exited(status) if statuses.is_sound(status));
            if !is_sound {
                let how = finished.ended.to_string();
                let finding = Finding::new(Kind::Fsck, how, finished.output);
                return Ok(Verdict::Violation(finding));
            }
            self.sandbox.kill()?;
        }
        if let Some(spec) = &steps.mount {
            if let Some(finding) = self.mount(spec)? {
                return Ok(Verdict::Violation(finding));
            }
        }
        let verdict = match &steps.truths {
            Some(truths) => self.observe(&steps.check, truths)?,
            None if steps.is_resident => self.ask(&steps.check)?,
            None => of_check(self.command(&steps.check)?),
        };
        if let Some(cleanup) = &steps.cleanup {
            self.clean_up(cleanup)?;
        }
        Ok(verdict)
    }

    /// Takes a slot, if it has none; the number for POWERCUT_SLOT.
    fn slot(&mut self) -> usize {
        let Company {
            slots, alone, lane, ..
        } = self.company;
        let take = || {
            if alone {
                slots.take_all()
            } else {
                slots.take()
            }
        };
        let number = self.slot.get_or_insert_with(take).number();
        if self.steps.is_resident {
            lane
        } else {
            number
        }
    }

    fn command(&mut self, line: &Line) -> Result<Finished> {
        let finished = self.start(line)?;
        self.output.push_str(&finished.output);
        Ok(finished)
    }

    fn start(&mut self, line: &Line) -> Result<Finished> {
        let program = self.program(line);
        let finished = self.sandbox.run(program);
        finished.with_context(|| format!("cannot run {line}"))
    }

    fn program(&mut self, line: &Line) -> Program {
        let slot = self.slot();
        let mut env = self.env.clone();
        env.push(("POWERCUT_SLOT".into(), slot.to_string().into()));
        line.program().env(env).limit(Some(self.steps.limit))
    }

    /// Asks the check that lives from state to state; it is started if it is not there.
    fn ask(&mut self, line: &Line) -> Result<Verdict> {
        let program = self.program(line);
        let nodes = self.nodes.all().map(Into::into).collect();
        let told = self.sandbox.ask(program, nodes);
        let told = told.with_context(|| format!("cannot run {line}"))?;
        self.output.push_str(&told.output);
        if let Heard::Answer(answer) = &told.heard {
            self.output.push_str(answer);
            self.output.push('\n');
        }
        self.has_died =
            matches!(&told.heard, Heard::End(end) if !matches!(end, Ended::TimedOut(_)));
        Ok(of_resident(&told.heard, told.output))
    }

    /// Has what the software holds printed, and holds it against what it held before.
    fn observe(&mut self, line: &Line, truths: &Truths) -> Result<Verdict> {
        let mut program = self.program(line).stdout(self.observed.into());
        program.env.retain(|(name, _)| is_for_observers(name));
        let finished = self.sandbox.run(program);
        let Finished { ended, output } = finished.with_context(|| format!("cannot run {line}"))?;
        let printed = || Printed::read(self.observed);
        let verdict = observation::verdict(truths, self.marks, ended, printed, output.clone())?;
        self.output.push_str(match &verdict {
            Verdict::Violation(finding) => &finding.output,
            _ => &output,
        });
        Ok(verdict)
    }

    fn clean_up(&mut self, line: &Line) -> Result<()> {
        let finished = self.start(line)?;
        if !finished.ended.ok() {
            CLEANUP_FAILED.call_once(|| {
                let (how, tail) = (finished.ended, finished.tail());
                say(format_args!(
                    "warning: --cleanup {line} failed ({how}); it printed:\n{tail}"
                ));
            });
        }
        Ok(())
    }

    /// Mounts; the finding if it can't be.
    fn mount(&mut self, spec: &MountSpec) -> Result<Option<Finding>> {
        let place = MountPlace {
            nodes: self.nodes,
            dir: self.mnt,
            has_twins: self.company.has_twins,
            limit: self.steps.limit,
        };
        let finding = place.mount(spec, &mut self.sandbox, self.kmsg)?;
        if let Some(finding) = &finding {
            self.output.push_str(&finding.output);
        }
        Ok(finding)
    }
}

/// Whether a command that observes gets this variable: what it prints is to follow from the files alone,
/// not from the marks, and at the moments of the workload there is no device.
fn is_for_observers(name: &str) -> bool {
    matches!(name, "POWERCUT_MNT" | "POWERCUT_SLOT" | "TMPDIR")
}

/// What a check says that was run for this state.
fn of_check(checked: Finished) -> Verdict {
    let kind = match checked.ended {
        Ended::Exited(0) => return Verdict::Consistent,
        Ended::Exited(SKIP) => return Verdict::Skipped,
        Ended::TimedOut(_) => Kind::Timeout,
        _ => Kind::Check,
    };
    let how = checked.ended.to_string();
    Verdict::Violation(Finding::new(kind, how, checked.output))
}

/// What a check says that lives from state to state; `output` is what it printed on standard error.
fn of_resident(heard: &Heard, output: String) -> Verdict {
    let answer = match heard {
        Heard::Answer(answer) => answer.trim_end(),
        Heard::End(ended @ Ended::TimedOut(_)) => {
            return Verdict::Violation(Finding::new(Kind::Timeout, ended.to_string(), output));
        }
        Heard::End(ended) => {
            let how = format!("{ended}, before it answered");
            return Verdict::Violation(Finding::new(Kind::Check, how, output));
        }
    };
    let (word, text) = answer.split_once(' ').unwrap_or((answer, ""));
    let (how, text) = match word {
        "ok" if text.is_empty() => return Verdict::Consistent,
        "skip" if text.is_empty() => return Verdict::Skipped,
        "violation" => ("answered violation", text),
        _ => ("answered neither ok, skip nor violation", answer),
    };
    let output = match text {
        "" => output,
        text => format!("{text}\n{output}"),
    };
    Verdict::Violation(Finding::new(Kind::Check, how, output))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_said_to_be_consistent_is() {
        let consistent = "consistent".to_string();
        let told = |heard: Heard| match of_resident(&heard, "words\n".into()) {
            Verdict::Consistent => consistent.clone(),
            Verdict::Skipped => "skipped".into(),
            Verdict::Violation(f) => format!("{}, {}: {}", f.kind, f.how, f.output),
        };
        let answers = [
            ("ok", "consistent"),
            ("ok\r", "consistent"),
            ("skip", "skipped"),
            ("violation", "check failed, answered violation: words\n"),
            (
                "violation a is gone",
                "check failed, answered violation: a is gone\nwords\n",
            ),
            (
                "ok not",
                "check failed, answered neither ok, skip nor violation: ok not\nwords\n",
            ),
            (
                "",
                "check failed, answered neither ok, skip nor violation: words\n",
            ),
            (
                "violations",
                "check failed, answered neither ok, skip nor violation: violations\nwords\n",
            ),
        ];
        for (answer, says) in answers {
            assert_eq!(told(Heard::Answer(answer.into())), says, "{answer:?}");
        }
        for (ended, says) in [
            (
                Ended::Exited(0),
                "check failed, exit 0, before it answered: words\n",
            ),
            (
                Ended::Killed(11),
                "check failed, killed by signal 11, before it answered: words\n",
            ),
            (
                Ended::TimedOut(Duration::from_secs(1)),
                "check did not end, no end within 1 s: words\n",
            ),
        ] {
            assert_eq!(told(Heard::End(ended)), says);
        }
    }
}
