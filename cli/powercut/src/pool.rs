// SPDX-License-Identifier: GPL-2.0

//! Examiners side by side, each in a thread of its own, with a view and an executor of its own.
//!
//! There may be more of them than checks may run at the same time: one mounts its state while
//! another checks and a third unmounts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::Scope;

use anyhow::{anyhow, Context, Result};
use crossbeam_channel::{unbounded, Receiver, Sender};
use powercut_engine::explore::{Key, Runner, Seen};
use powercut_engine::id::StateId;
use powercut_engine::recording::Recording;
use powercut_engine::strategy::State;
use powercut_model::Event;

use crate::device::Selection;
use crate::examination::Examination;
use crate::examine::{Among, Examiner};
use crate::executor::Executor;
use crate::panics::caught;
use crate::recovery::{Deep, Job};
use crate::server::ServedView;
use crate::signals::Signals;
use crate::slots::Slots;
use crate::times::Times;

/// A state to examine.
struct Task {
    key: Key,
    cut: Event,
    selection: Selection,
    /// The number of marks acknowledged.
    marks: usize,
    /// The state's.
    id: String,
}

/// What came of it.
type Done = (Key, Result<Seen>);

/// What every examiner needs.
#[derive(Clone, Copy)]
pub struct Work<'e> {
    pub what: &'e Examination,
    pub recording: &'e Recording,
    pub signals: &'e Signals,
    pub times: &'e Times,
    /// Whether, and how, recoveries are cut.
    pub deep: Option<Job<'e>>,
}

/// Examines with as many examiners as there are views.
pub struct Pool {
    jobs: usize,
    tasks: Sender<Task>,
    done: Receiver<Done>,
    closed: Arc<AtomicBool>,
}

impl Pool {
    /// Starts the examiners. They end once the pool is dropped. No more than `jobs` checks run at
    /// the same time.
    pub fn start<'scope, 'e: 'scope>(
        scope: &'scope Scope<'scope, '_>,
        views: Vec<ServedView>,
        jobs: usize,
        work: Work<'e>,
    ) -> Self {
        let (tasks, queue) = unbounded();
        let (results, done) = unbounded();
        let closed = Arc::new(AtomicBool::new(false));
        let names: Vec<Vec<String>> = views.iter().map(ServedView::kernel_names).collect();
        let slots = Arc::new(Slots::new(jobs));
        for (lane, view) in views.into_iter().enumerate() {
            let mut others = names.clone();
            others.remove(lane);
            let worker = Worker {
                among: Among {
                    lane,
                    others: others.concat(),
                    slots: Arc::clone(&slots),
                },
                work,
                queue: queue.clone(),
                closed: Arc::clone(&closed),
                results: results.clone(),
            };
            scope.spawn(move || worker.work(view));
        }
        Self {
            jobs,
            tasks,
            done,
            closed,
        }
    }
}

/// One of those side by side.
struct Worker<'e> {
    among: Among,
    work: Work<'e>,
    queue: Receiver<Task>,
    /// The pool is gone.
    closed: Arc<AtomicBool>,
    results: Sender<Done>,
}

impl Worker<'_> {
    /// Takes tasks until the pool is gone.
    fn work(&self, mut view: ServedView) {
        let work = self.work;
        let deep = work.deep.map(|job| (job, view.origin()));
        let mut executor = Executor::new(work.signals, work.what.mount_timeout());
        let mut examiner = Examiner::new(&mut view, work.what, &mut executor).map(|examiner| {
            let examiner = examiner.among(self.among.clone());
            match deep {
                Some((job, origin)) => {
                    let deep = Deep::new(examiner, origin, job, self.among.clone());
                    AnyExaminer::Deep(Box::new(deep))
                }
                None => AnyExaminer::Plain(Box::new(examiner)),
            }
        });
        while let Some(task) = self.take() {
            let seen = answer(|| match &mut examiner {
                Ok(examiner) => work
                    .times
                    .measure(task.cut, || examine(examiner, &task, work.recording)),
                Err(e) => Err(anyhow!("{e:#}")),
            });
            let seen = seen.with_context(|| format!("state {}", task.id));
            if self.results.send((task.key, seen)).is_err() {
                break;
            }
        }
    }

    fn take(&self) -> Option<Task> {
        let task = self.queue.recv().ok();
        task.filter(|_| !self.closed.load(Ordering::SeqCst))
    }
}

/// What a task gives, even if it panics: somebody waits for it.
fn answer<T>(task: impl FnOnce() -> Result<T>) -> Result<T> {
    caught(task).unwrap_or_else(|why| Err(anyhow!("the examiner panicked: {why}")))
}

/// An examiner of states, or one that cuts their recoveries, too.
enum AnyExaminer<'a> {
    Plain(Box<Examiner<'a>>),
    Deep(Box<Deep<'a>>),
}

fn examine(examiner: &mut AnyExaminer<'_>, task: &Task, recording: &Recording) -> Result<Seen> {
    let marks = &recording.marks()[..task.marks];
    match examiner {
        AnyExaminer::Plain(examiner) => {
            // Alone when it is examined again: a check that others disturb is to be noticed.
            let alone = task.key.1 > 0;
            let verdict = examiner.look_at_in(&task.selection, marks, alone)?;
            let reads = verdict.outlives(examiner.reads())?.flatten();
            Ok(Seen::new(verdict, reads))
        }
        AnyExaminer::Deep(deep) => deep.look_at(&task.selection, marks, &task.id),
    }
}

impl Runner for Pool {
    fn slots(&self) -> usize {
        self.jobs
    }

    fn begin(&mut self, key: Key, state: &State<'_>) -> Result<()> {
        let choices = &state.choices;
        let task = Task {
            key,
            cut: choices.event(),
            selection: Selection::of(choices, &state.keep),
            marks: choices.recording().marks_by(choices.event()).len(),
            id: StateId::of(choices, &state.keep).to_string(),
        };
        let sent = self.tasks.send(task);
        sent.map_err(|_| anyhow!("the examiners are gone"))
    }

    fn next(&mut self) -> Result<(Key, Seen)> {
        let done = self.done.recv();
        let (key, seen) = done.context("all examiners are gone")?;
        Ok((key, seen?))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_answer() {
        assert_eq!(answer(|| Ok(1)).unwrap(), 1);
        let told = |task: fn() -> Result<()>| answer(task).unwrap_err().to_string();
        let says = told(|| panic!("oh"));
        assert_eq!(says, "the examiner panicked: oh");
        let says = told(|| panic!("oh {}", std::process::id()));
        assert!(says.contains("panicked: oh "), "{says}");
        assert_eq!(told(|| Err(anyhow!("bad"))), "bad");
    }
}
