// SPDX-License-Identifier: GPL-2.0

//! Examiners side by side, each in a thread of its own, with a view and a
//! mount point of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Scope;

use anyhow::{anyhow, Result};

use crate::device::{Selection, View};
use crate::examine::{Examination, Examiner};
use crate::explore::{Key, Runner, Seen};
use crate::id::StateId;
use crate::recording::Recording;
use crate::recovery::{Deep, Job};
use crate::signals::Signals;
use crate::strategy::State;

/// A state to examine.
struct Task {
    key: Key,
    selection: Selection,
    /// The number of marks acknowledged.
    marks: usize,
    /// The state's id, if recoveries are cut.
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
    /// Whether, and how, recoveries are cut.
    pub deep: Option<Job<'e>>,
}

/// Tasks that nobody has taken yet.
#[derive(Clone)]
struct Queue {
    tasks: Arc<Mutex<Receiver<Task>>>,
    closed: Arc<AtomicBool>,
}

impl Queue {
    /// The next task; none once the pool is gone.
    fn take(&self) -> Option<Task> {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let task = tasks.recv().ok();
        task.filter(|_| !self.closed.load(Ordering::SeqCst))
    }
}

/// Examines with as many examiners as there are views.
pub struct Pool {
    slots: usize,
    deep: bool,
    tasks: Sender<Task>,
    done: Receiver<Done>,
    closed: Arc<AtomicBool>,
}

impl Pool {
    /// Starts the examiners. They end once the pool is dropped.
    pub fn start<'scope, 'e: 'scope>(
        scope: &'scope Scope<'scope, '_>,
        views: Vec<View>,
        work: Work<'e>,
    ) -> Self {
        let (tasks, receiver) = channel();
        let (results, done) = channel();
        let closed = Arc::new(AtomicBool::new(false));
        let queue = Queue {
            tasks: Arc::new(Mutex::new(receiver)),
            closed: Arc::clone(&closed),
        };
        let names: Vec<String> = views.iter().map(|v| v.name().to_string()).collect();
        let slots = views.len();
        for (nr, view) in views.into_iter().enumerate() {
            let mut others = names.clone();
            others.remove(nr);
            let (queue, results) = (queue.clone(), results.clone());
            scope.spawn(move || examine_all(view, others, work, &queue, &results));
        }
        Self {
            slots,
            deep: work.deep.is_some(),
            tasks,
            done,
            closed,
        }
    }
}

fn examine_all(
    mut view: View,
    others: Vec<String>,
    work: Work<'_>,
    queue: &Queue,
    results: &Sender<Done>,
) {
    let origin = view.as_origin();
    let examiner = Examiner::new(&mut view, work.what, work.signals);
    let mut examiner = examiner.map(|examiner| {
        let examiner = examiner.among(others.clone());
        match work.deep {
            Some(job) => Eye::Deep(Box::new(Deep::new(examiner, origin, job, others))),
            None => Eye::Plain(Box::new(examiner)),
        }
    });
    while let Some(task) = queue.take() {
        let seen = match &mut examiner {
            Ok(examiner) => examine(examiner, &task, work.recording),
            Err(e) => Err(anyhow!("{e:#}")),
        };
        if results.send((task.key, seen)).is_err() {
            break;
        }
    }
}

/// Who examines.
enum Eye<'a> {
    Plain(Box<Examiner<'a>>),
    Deep(Box<Deep<'a>>),
}

fn examine(eye: &mut Eye<'_>, task: &Task, recording: &Recording) -> Result<Seen> {
    let marks = &recording.marks()[..task.marks];
    match eye {
        Eye::Plain(examiner) => {
            let verdict = examiner.look_at(&task.selection, marks)?;
            Ok(Seen::new(verdict, examiner.reads()?))
        }
        Eye::Deep(deep) => deep.look_at(&task.selection, marks, &task.id),
    }
}

impl Runner for Pool {
    fn slots(&self) -> usize {
        self.slots
    }

    fn begin(&mut self, key: Key, state: &State<'_>) -> Result<()> {
        let choices = &state.choices;
        let task = Task {
            key,
            selection: Selection::of(choices, &state.keep),
            marks: choices.recording().marks_by(choices.event()).len(),
            id: match self.deep {
                true => StateId::of(choices, &state.keep).to_string(),
                false => String::new(),
            },
        };
        let sent = self.tasks.send(task);
        sent.map_err(|_| anyhow!("the examiners are gone"))
    }

    fn next(&mut self) -> Result<(Key, Seen)> {
        let (key, seen) = self.done.recv()?;
        Ok((key, seen?))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
    }
}
