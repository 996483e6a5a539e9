// SPDX-License-Identifier: GPL-2.0

//! One look at a state: the filesystem checker, the mount, the check, and what ends them.

use std::sync::Once;

use anyhow::{Context, Result};
use powercut_engine::oracle::{Finding, Kind, Verdict};
use powercut_engine::truths::Truths;

use super::commands::Commands;
use crate::child::{Ended, Finished, Line};
use crate::executor::{Heard, Sandbox};
use crate::fs::MountSpec;
use crate::kmsg::Kmsg;
use crate::observation::{self, Printed, SKIP};
use crate::output::say;

pub struct Look<'l> {
    pub commands: Commands<'l>,
    pub sandbox: Sandbox<'l>,
    /// How many marks there are.
    pub marks: u64,
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
        let Some(_slot) = self.commands.slot.take() else {
            return Ok(());
        };
        self.sandbox.kill()
    }

    /// The verdict. Mounts and processes are left.
    pub fn verdict(&mut self) -> Result<Verdict> {
        let steps = self.commands.steps;
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

    fn command(&mut self, line: &Line) -> Result<Finished> {
        let finished = self.start(line)?;
        self.output.push_str(&finished.output);
        Ok(finished)
    }

    fn start(&mut self, line: &Line) -> Result<Finished> {
        let program = self.commands.program(line);
        let finished = self.sandbox.run(program);
        finished.with_context(|| format!("cannot run {line}"))
    }

    /// Asks the check that lives from state to state; it is started if it is not there.
    fn ask(&mut self, line: &Line) -> Result<Verdict> {
        let program = self.commands.program(line);
        let told = self.sandbox.ask(program, self.commands.devices());
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
        let program = self.commands.observer(line);
        let finished = self.sandbox.run(program);
        let Finished { ended, output } = finished.with_context(|| format!("cannot run {line}"))?;
        let printed = || Printed::read(self.commands.observed);
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
        if !self.commands.are_known {
            self.kmsg.skip();
        }
        let place = self.commands.place();
        let finding = place.mount(spec, &mut self.sandbox, self.kmsg)?;
        if let Some(finding) = &finding {
            self.output.push_str(&finding.output);
        }
        Ok(finding)
    }
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
    if heard.is_ok() {
        return Verdict::Consistent;
    }
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
    use std::time::Duration;

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
