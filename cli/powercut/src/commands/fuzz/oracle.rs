// SPDX-License-Identifier: GPL-2.0

//! Looks at a state after a program: mounts it, and judges what is there.

use std::time::Duration;

use anyhow::{bail, Context, Result};
use powercut_engine::id::StateId;
use powercut_engine::oracle::{Finding, Kind, Oracle, Verdict};
use powercut_engine::reads::Reads;
use powercut_engine::strategy::State;
use powercut_programs::judge::judge;
use powercut_programs::problem::{Problem, Rule};
use powercut_programs::trace::Trace;
use powercut_programs::tree::Tree;
use xxhash_rust::xxh3::xxh3_64;

use crate::child::{Ended, Line};
use crate::device::{Root, Selection, Show, View};
use crate::examine::MountPlace;
use crate::executor::{retried, Executor, FileReply, FileRequest, Sandbox, Scratch, Step};
use crate::fs::MountSpec;
use crate::fsck::Statuses;
use crate::kmsg::Kmsg;
use crate::signals::Signals;

/// What is done to each state.
pub struct Steps {
    pub mount: MountSpec,
    /// Before it is mounted.
    pub fsck: Option<Line>,
    /// How its exit status is read.
    pub statuses: Statuses,
    /// Of one of so many states more is looked at; 0: of none.
    pub thorough: u64,
    /// How long a checker may take.
    pub limit: Duration,
}

pub struct StateOracle<'o> {
    pub root: &'o Root,
    pub signals: &'o Signals,
    pub steps: &'o Steps,
    pub view: &'o mut View,
    pub executor: &'o mut Executor,
    pub scratch: &'o Scratch,
    pub kmsg: &'o mut Kmsg,
    pub trace: &'o Trace,
    /// Which of them have their recovery cut.
    pub cuts: Cuts,
    /// How many operations had returned, if that is no matter of the state.
    pub returned: Option<usize>,
}

/// Which states have the power cut again while they are recovered from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cuts {
    /// No recovery is cut, and no state is looked at thoroughly.
    None,
    /// No recovery is cut.
    Spared,
    /// All, if all are looked at thoroughly.
    IfThorough,
    /// A sample: one of so many as are looked at thoroughly.
    Sample,
    All,
}

/// What is done to a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sample {
    is_thorough: bool,
    is_cut: bool,
}

impl Sample {
    /// By the state's name: the same each time.
    fn of(id: &str, thorough: u64, cuts: Cuts) -> Self {
        let draw = xxh3_64(id.as_bytes());
        // Others than those that are cut, if not all are both.
        let is_one = |draw: u64| draw.checked_rem(thorough) == Some(0);
        Self {
            is_thorough: is_one(draw) && cuts != Cuts::None,
            is_cut: match cuts {
                Cuts::None | Cuts::Spared => false,
                Cuts::IfThorough => thorough == 1,
                Cuts::Sample => is_one(draw >> 32),
                Cuts::All => true,
            },
        }
    }
}

impl Oracle for StateOracle<'_> {
    fn examine(&mut self, state: &State<'_>) -> Result<Verdict> {
        let choices = &state.choices;
        let marks = || choices.recording().marks_by(choices.event()).len();
        let returned = self.returned.unwrap_or_else(marks);
        let id = StateId::of(choices, &state.keep).to_string();
        let sample = Sample::of(&id, self.steps.thorough, self.cuts);
        let selection = Selection::of(choices, &state.keep);
        retried(|| {
            if sample.is_cut {
                let verdict = self.cut(&selection, returned)?;
                if verdict != Verdict::Consistent || !sample.is_thorough {
                    return Ok(verdict);
                }
            }
            self.view.show(&selection)?;
            self.look(returned, sample.is_thorough)
        })
        .with_context(|| format!("state {id}"))
    }

    fn reads(&mut self) -> Result<Option<Reads>> {
        Ok(self.view.reads()?)
    }
}

impl StateOracle<'_> {
    pub(super) fn look(&mut self, returned: usize, is_thorough: bool) -> Result<Verdict> {
        let mnt = self.scratch.mnt();
        let place = MountPlace {
            nodes: self.view.nodes(),
            dir: &mnt,
            has_twins: false,
            limit: self.steps.limit,
        };
        let spec = self.steps.mount.fill(place.nodes);
        // All that is done to most states is known before any of it is done.
        let are_known = self.steps.fsck.is_none() && !is_thorough && !spec.is_known_by_id();
        let walk = || Step::with_files(FileRequest::Walk { dir: mnt.clone() });
        let known = are_known.then(|| vec![place.step(&spec), walk()]);
        self.kmsg.skip();
        let sandbox = self
            .executor
            .sandbox_for(self.scratch, 1, known.unwrap_or_default());
        let mut look = Look {
            steps: self.steps,
            sandbox: sandbox?,
            place,
            spec,
            are_known,
            kmsg: self.kmsg,
        };
        let found = look.finding(self.trace, returned, is_thorough)?;
        look.sandbox.end()?;
        Ok(found.map_or(Verdict::Consistent, Verdict::Violation))
    }
}

struct Look<'l> {
    steps: &'l Steps,
    sandbox: Sandbox<'l>,
    place: MountPlace<'l>,
    spec: MountSpec,
    /// The executor was told of the mount, and of all after it, ahead.
    are_known: bool,
    kmsg: &'l mut Kmsg,
}

impl Look<'_> {
    fn finding(
        &mut self,
        trace: &Trace,
        returned: usize,
        is_thorough: bool,
    ) -> Result<Option<Finding>> {
        if let Some(fsck) = &self.steps.fsck {
            if let Some(finding) = self.check(fsck, self.steps.statuses)? {
                return Ok(Some(finding));
            }
            self.sandbox.kill()?;
        }
        if let Some(finding) = self.mount()? {
            return Ok(Some(finding));
        }
        let tree = match self.walk()? {
            Ok(tree) => tree,
            Err(problem) => return Ok(Some(of_problems(&[problem]))),
        };
        let problems = judge(trace, returned, &tree);
        if !problems.is_empty() {
            return Ok(Some(of_problems(&problems)));
        }
        if is_thorough {
            return self.further(tree);
        }
        Ok(None)
    }

    fn mount(&mut self) -> Result<Option<Finding>> {
        if !self.are_known {
            self.kmsg.skip();
        }
        self.place.mount(&self.spec, &mut self.sandbox, self.kmsg)
    }

    fn walk(&mut self) -> Result<std::result::Result<Tree, Problem>> {
        let dir = self.place.dir.to_path_buf();
        match self.sandbox.with_files(FileRequest::Walk { dir })? {
            FileReply::Tree(tree) => Ok(Ok(tree)),
            FileReply::Problem(text) => Ok(Err(Problem::new(Rule::Readable, text))),
            other => bail!("an executor answered {other:?}"),
        }
    }

    /// Unmounts, runs the checker on what recovered, mounts again, and uses what is there.
    fn further(&mut self, before: Tree) -> Result<Option<Finding>> {
        self.sandbox.unmount(self.place.dir)?;
        // A checker is given one device.
        let is_whole = self.place.nodes.all().count() == 1;
        if let Some(checker) = self.steps.mount.checked_by().filter(|_| is_whole) {
            let line = Line::new(&format!("{checker} {}", self.place.nodes.first().display()));
            if let Some(finding) = self.check(&line, Statuses::Zero)? {
                return Ok(Some(finding));
            }
            self.sandbox.kill()?;
        }
        if let Some(finding) = self.mount()? {
            return Ok(Some(finding));
        }
        let after = match self.walk()? {
            Ok(after) => after,
            Err(problem) => return Ok(Some(of_problems(&[problem]))),
        };
        if let Some(difference) = before.difference(&after) {
            let text = format!("{difference}, in the second mount after the crash");
            return Ok(Some(of_problems(&[Problem::new(Rule::Remount, text)])));
        }
        let dir = self.place.dir.to_path_buf();
        match self
            .sandbox
            .with_files(FileRequest::Use { dir, tree: after })?
        {
            FileReply::Used(problem) => Ok(problem.map(|problem| of_problems(&[problem]))),
            other => bail!("an executor answered {other:?}"),
        }
    }

    fn check(&mut self, line: &Line, statuses: Statuses) -> Result<Option<Finding>> {
        let program = line.program().env(self.place.nodes.env());
        let done = self.sandbox.run(program.limit(Some(self.steps.limit)));
        let done = done.with_context(|| format!("cannot run {line}"))?;
        let is_sound = matches!(done.ended, Ended::Exited(status) if statuses.is_sound(status));
        if is_sound {
            return Ok(None);
        }
        let how = format!("{line}: {}", done.ended);
        Ok(Some(Finding::new(Kind::Fsck, how, done.output)))
    }
}

/// The finding of broken rules: named by the first.
fn of_problems(problems: &[Problem]) -> Finding {
    let rule = problems.first().map_or("", |problem| problem.rule.name());
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let text: String = lines
        .iter()
        .flat_map(|line| [line.as_str(), "\n"])
        .collect();
    Finding::new(Kind::Check, format!("rule {rule}"), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_of_the_states_is_looked_at_further() {
        let ids: Vec<String> = (0..4000).map(|nr| format!("state {nr}")).collect();
        let count = |thorough, cuts| {
            let samples = ids.iter().map(|id| Sample::of(id, thorough, cuts));
            samples.fold((0, 0), |(t, c), sample| {
                (
                    t + u32::from(sample.is_thorough),
                    c + u32::from(sample.is_cut),
                )
            })
        };
        assert_eq!(count(8, Cuts::IfThorough).1, 0);
        assert_eq!(count(1, Cuts::IfThorough), (4000, 4000));
        assert_eq!(count(0, Cuts::Sample), (0, 0));
        assert_eq!(count(1, Cuts::Sample), (4000, 4000));
        assert_eq!(count(8, Cuts::None), (0, 0));
        assert_eq!(count(1, Cuts::Spared), (4000, 0));
        assert_eq!(count(0, Cuts::All), (0, 4000));
        let (thorough, cut) = count(8, Cuts::Sample);
        assert!((400..600).contains(&thorough) && (400..600).contains(&cut));
    }
}
