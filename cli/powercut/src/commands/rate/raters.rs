// SPDX-License-Identifier: GPL-2.0

//! Guarantees are rated side by side, each thread with a view and an executor of its own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use anyhow::{Context, Result};
use crossbeam_channel::{unbounded, Sender};
use powercut_engine::id::StateId;
use powercut_engine::oracle::{Finding, Verdict};
use powercut_engine::rate::{Forbidden, Guarantee, States};
use powercut_engine::recording::Recording;

use crate::device::{Selection, View};
use crate::examination::Examination;
use crate::examine::{Among, Examiner};
use crate::executor::Executor;
use crate::report::Watch;
use crate::signals::Signals;
use crate::slots::Slots;

/// What all of them work with.
#[derive(Clone, Copy)]
pub struct Work<'w> {
    pub log: &'w Recording,
    pub without: &'w Recording,
    pub guarantees: &'w [Guarantee],
    pub what: &'w Examination,
    pub signals: &'w Signals,
    /// States to look at for each.
    pub budget: u64,
}

/// What came of a guarantee.
#[derive(Debug)]
pub struct Told {
    pub outcome: Watch,
    pub states: u64,
    pub noticed: Option<(StateId, Finding)>,
}

/// Rates as many of the guarantees as it comes to, by their numbers; `tell` is told each as it is done. An error
/// ends it: what was told by then stands.
pub fn rate(work: Work<'_>, views: Vec<View>, mut tell: impl FnMut(usize, Told)) -> Result<()> {
    let next = AtomicUsize::new(0);
    let names: Vec<String> = views.iter().map(|view| view.name().to_string()).collect();
    let slots = Arc::new(Slots::new(views.len()));
    let (results, done) = unbounded();
    std::thread::scope(|scope| {
        for (lane, mut view) in views.into_iter().enumerate() {
            let mut others = names.clone();
            others.remove(lane);
            let among = Among {
                lane,
                others,
                slots: Arc::clone(&slots),
            };
            let (results, next) = (results.clone(), &next);
            scope.spawn(move || {
                let ended = work_through(work, &mut view, among, next, &results);
                if let Err(e) = ended {
                    // Nobody begins another one.
                    next.store(work.guarantees.len(), Ordering::SeqCst);
                    // It is waited for until all have ended.
                    let _ = results.send(Err(e));
                }
            });
        }
        drop(results);
        let mut error = None;
        for one in done {
            match one {
                Ok((number, told)) => tell(number, told),
                Err(e) => error = error.or(Some(e)),
            }
        }
        error.map_or(Ok(()), Err)
    })
}

type Results = Sender<Result<(usize, Told)>>;

fn work_through(
    work: Work<'_>,
    view: &mut View,
    among: Among,
    next: &AtomicUsize,
    results: &Results,
) -> Result<()> {
    let mut executor = Executor::new(work.signals, work.what.mount_timeout());
    let examiner = Examiner::new(view, work.what, &mut executor)?;
    let mut rater = Rater {
        work,
        examiner: examiner.among(among),
    };
    loop {
        let number = next.fetch_add(1, Ordering::SeqCst);
        let Some(guarantee) = work.guarantees.get(number) else {
            return Ok(());
        };
        let told = rater.rate(guarantee)?;
        if results.send(Ok((number, told))).is_err() {
            return Ok(());
        }
    }
}

struct Rater<'w> {
    work: Work<'w>,
    examiner: Examiner<'w>,
}

impl Rater<'_> {
    fn rate(&mut self, guarantee: &Guarantee) -> Result<Told> {
        let mut all = States::new(self.work.log, self.work.without, guarantee);
        let (mut states, mut skipped) = (0, 0);
        let (mut has_read, mut knows_reads) = (false, true);
        for forbidden in all.by_ref().take(usize::try_from(self.work.budget)?) {
            states += 1;
            match self.look(&forbidden, false)? {
                Verdict::Consistent => {}
                Verdict::Skipped => {
                    skipped += 1;
                    continue;
                }
                Verdict::Violation(finding) => return self.noticed(&forbidden, finding, states),
            }
            match self.has_read(&forbidden)? {
                Some(read) => has_read |= read,
                None => knows_reads = false,
            }
        }
        Ok(Told {
            outcome: if states == 0 && !all.leaves_out() {
                Watch::Idle
            } else if skipped == states {
                // Or there was none to look at.
                Watch::Untold
            } else if knows_reads && !has_read {
                Watch::Unread
            } else {
                Watch::Unwatched
            },
            states,
            noticed: None,
        })
    }

    /// A state in which the check fails, unless it also does with what the guarantee protects.
    fn noticed(
        &mut self,
        forbidden: &Forbidden<'_>,
        finding: Finding,
        states: u64,
    ) -> Result<Told> {
        let id = StateId::of(&forbidden.state.choices, &forbidden.state.keep);
        let (outcome, noticed) = match self.look(forbidden, true)? {
            Verdict::Violation(finding) => {
                let allowed = StateId::of(&forbidden.state.choices, &forbidden.allowed());
                (Watch::Broken, Some((allowed, finding)))
            }
            Verdict::Consistent => (Watch::Watched, Some((id, finding))),
            // It is not known whether the loss is what it fails for.
            Verdict::Skipped => (Watch::Untold, None),
        };
        Ok(Told {
            outcome,
            states,
            noticed,
        })
    }

    /// Examines the state, or what the guarantee makes of it.
    fn look(&mut self, forbidden: &Forbidden<'_>, is_allowed: bool) -> Result<Verdict> {
        let choices = &forbidden.state.choices;
        let allowed = is_allowed.then(|| forbidden.allowed());
        let keep = allowed.as_ref().unwrap_or(&forbidden.state.keep);
        let marks = self.work.log.marks_by(choices.event());
        let selection = Selection::of(choices, keep);
        self.examiner
            .look_at(&selection, marks)
            .with_context(|| format!("state {}", StateId::of(choices, keep)))
    }

    /// Whether the newest look read anything that was lost, if that is known.
    fn has_read(&self, forbidden: &Forbidden<'_>) -> Result<Option<bool>> {
        let Some(reads) = self.examiner.reads()? else {
            return Ok(None);
        };
        let places = reads.places(self.work.without);
        let choices = &forbidden.state.choices;
        let is_read = |piece: usize| {
            let place = self.work.without.place(choices.pieces()[piece].unit);
            place.is_some_and(|place| places.binary_search(&(place as u32)).is_ok())
        };
        Ok(Some(forbidden.lost.iter().any(is_read)))
    }
}
