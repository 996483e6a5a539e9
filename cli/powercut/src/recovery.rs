// SPDX-License-Identifier: GPL-2.0

//! The second power cut: what a state's recovery writes is recorded in its
//! turn, and explored as the first record is.
//!
//! A recovery that did not survive gets a report of its own, below that of the
//! first cut, from which its states can be shown again: mount and check may not
//! write the same twice.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use powercut_engine::choices::Choices;
use powercut_engine::explore::{
    explore, End, Journal, JournaledRunner, Outcome, Plan, Recoveries, Seen, Serial, Violation,
    Watch,
};
use powercut_engine::id::StateId;
use powercut_engine::oracle::{Finding, Oracle, Verdict};
use powercut_engine::reads::Reads;
use powercut_engine::recording::{Mark, Recording};
use powercut_engine::strategy::{Space, State};

use crate::device::Selection;
use crate::examination::Examination;
use crate::examine::{Among, Examiner};
use crate::executor::retried;
use crate::output::say;
use crate::report::{self, Coverage, Register, Report};
use crate::server::Origin;
use crate::signals::Signals;

/// How recoveries are explored.
#[derive(Clone, Copy)]
pub struct Job<'e> {
    pub what: &'e Examination,
    pub signals: &'e Signals,
    pub plan: Plan,
    /// The report of the first cut, and where it is.
    pub report: &'e Report,
    pub dir: &'e Path,
    pub kept: &'e Kept,
}

/// The directories of recoveries that were saved. A state that is examined once more is recovered
/// from once more, perhaps with other writes: the first report is the one that its violation names.
#[derive(Debug, Default)]
pub struct Kept(Mutex<HashSet<PathBuf>>);

impl Kept {
    /// Whether it is the first for this directory.
    fn is_first(&self, dir: &Path) -> bool {
        let mut dirs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        dirs.insert(dir.into())
    }
}

/// Examines states, and cuts the power again while they are recovered from.
pub struct Deep<'a> {
    examiner: Examiner<'a>,
    origin: Box<dyn Origin>,
    job: Job<'a>,
    among: Among,
    newest: Option<Seen>,
}

impl<'a> Deep<'a> {
    /// `origin` is the view that the examiner looks at, `among` what else is under examination.
    pub fn new(
        examiner: Examiner<'a>,
        origin: Box<dyn Origin>,
        job: Job<'a>,
        among: Among,
    ) -> Self {
        Self {
            examiner,
            origin,
            job,
            among,
            newest: None,
        }
    }

    /// Examines a state, then what its recovery may leave if that is cut.
    pub fn look_at(&mut self, selection: &Selection, marks: &[Mark], id: &str) -> Result<Seen> {
        retried(|| {
            self.examiner.show(selection, marks)?;
            self.origin.start()?;
            let looked = self.marked(marks);
            let stopped = self.origin.stop();
            let seen = looked.and_then(|verdict| {
                verdict.outlives(stopped)?;
                self.seen(verdict, id)
            });
            let dropped = self.origin.drop_record();
            let seen = seen?;
            seen.verdict.outlives(dropped)?;
            Ok(seen)
        })
    }

    fn seen(&mut self, verdict: Verdict, id: &str) -> Result<Seen> {
        let mut seen = Seen::new(verdict, None);
        if seen.verdict == Verdict::Consistent {
            self.cut(id, &mut seen)?;
        }
        // With what was read of it in cut recoveries.
        seen.reads = seen.verdict.outlives(self.examiner.reads())?.flatten();
        Ok(seen)
    }

    fn marked(&mut self, marks: &[Mark]) -> Result<Verdict> {
        // Given before the power went, they hold for the recovery as well.
        self.origin.mark(&mut marks.iter().map(|m| &*m.text))?;
        self.examiner.look()
    }

    /// Explores the record of a recovery.
    fn cut(&mut self, id: &str, seen: &mut Seen) -> Result<()> {
        let recording = Arc::new(Recording::read(self.origin.export()?)?);
        if recording.written().is_empty() {
            return Ok(());
        }
        let space = Space::of_recovery(&recording);
        let dir = report::directory(self.job.dir, id);
        let mut found = Found::default();
        let (outcome, error) = self.explore(&recording, &space, &dir, &mut found)?;
        let error = match outcome.end {
            End::Interrupted(signal) => Some(signal.into()),
            _ => error,
        };
        if let Some(error) = error {
            // What was found by then counts, whatever ended it.
            if found.violations.is_empty() {
                return Err(error);
            }
            say(format_args!(
                "warning: not all of the recovery of {id} was looked at: {error:#}"
            ));
        }
        seen.recoveries = Some(Recoveries::of(&outcome));
        if let Some(first) = found.violations.first() {
            seen.verdict = Verdict::Violation(Finding {
                kind: first.kind,
                how: if first.id.contains('/') {
                    first.how.clone()
                } else {
                    format!("{}, once its recovery was cut", first.how)
                },
                output: Arc::clone(&first.output),
                within: Some(first.id.clone()),
            });
            if !self.job.kept.is_first(&dir) {
                return Ok(());
            }
            let report = self.report(id, &space, &outcome, found.violations);
            let stream = self.origin.export();
            let saved = stream.and_then(|stream| report::Saved::at(&dir).write(&report, stream));
            if let Err(error) = saved {
                say(format_args!(
                    "warning: the recovery of {id} can't be shown again: {error:#}"
                ));
            }
        }
        Ok(())
    }

    fn explore(
        &mut self,
        recording: &Arc<Recording>,
        space: &Space<'_>,
        dir: &Path,
        found: &mut Found,
    ) -> Result<(Outcome, Option<anyhow::Error>)> {
        let Job {
            what,
            signals,
            plan,
            ..
        } = self.job;
        let mut view = self.origin.view(recording)?;
        view.read_no_more();
        let origin = view.origin();
        let cuts = self.examiner.cuts() + 1;
        let examiner = Examiner::new(&mut view, what, self.examiner.executor())?;
        let mut examiner = examiner.among(self.among.clone()).after(cuts);
        let mut deep;
        let oracle: &mut dyn Oracle = if plan.depth > 1 {
            let job = Job {
                plan: plan.of_recovery(),
                dir,
                ..self.job
            };
            deep = Deep::new(examiner, origin, job, self.among.clone());
            &mut deep
        } else {
            &mut examiner
        };
        let mut serial = Serial::new(oracle);
        let mut journal = Journal::none();
        let mut runner = JournaledRunner::new(&mut serial, &mut journal);
        Ok(explore(space, &plan, &mut runner, signals, found))
    }

    fn report(
        &self,
        id: &str,
        space: &Space<'_>,
        outcome: &Outcome,
        violations: Vec<report::Violation>,
    ) -> Report {
        let first = self.job.report;
        Report {
            case: format!("{}, recovery of {id}", first.case),
            plan: report::PlanFacts::of(&self.job.plan),
            record: report::Record::of(space.recording()),
            coverage: Coverage::new(outcome, space),
            violations,
            seconds: report::Seconds {
                record: 0.0,
                explore: outcome.elapsed.as_secs_f64(),
            },
            ..first.clone()
        }
    }
}

impl Oracle for Deep<'_> {
    fn examine(&mut self, state: &State<'_>) -> Result<Verdict> {
        let choices = &state.choices;
        let id = StateId::of(choices, &state.keep).to_string();
        let marks = choices.recording().marks_by(choices.event());
        let seen = self.look_at(&Selection::of(choices, &state.keep), marks, &id)?;
        let verdict = seen.verdict.clone();
        self.newest = Some(seen);
        Ok(verdict)
    }

    fn recoveries(&mut self) -> Option<Recoveries> {
        self.newest.as_ref()?.recoveries.clone()
    }

    fn reads(&mut self) -> Result<Option<Reads>> {
        Ok(self.newest.as_ref().and_then(|seen| seen.reads.clone()))
    }
}

/// The violations of an exploration that nobody watches.
#[derive(Default)]
struct Found {
    violations: Vec<report::Violation>,
    register: Register,
}

impl Watch for Found {
    fn progress(&mut self, _: powercut_engine::explore::Progress) {}

    fn violation(&mut self, choices: &Choices<'_>, violation: &Violation) {
        let mut violation = report::Violation::of(choices, violation);
        self.register.enter(&mut violation);
        self.violations.push(violation);
    }
}
