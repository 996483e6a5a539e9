// SPDX-License-Identifier: GPL-2.0

//! Bios that are complete later, and those that never are.
//!
//! With a delay, a bio takes effect at its submit, waits here, and is completed by
//! [`RecordedDisk::work`] on the module's workqueue, which runs as long as there is
//! anything to wait for. A disk whose power was cut in the mode `hang` keeps its bios
//! here, too, until they are released.
//!
//! Lock order: `state`, then `in_flight`.

use super::{
    power::Off,
    Completion,
    RecordedDisk, //
};
use crate::block::{
    workqueue,
    Bio,
    NoIo, //
};
use kernel::{
    prelude::*,
    rbtree::{
        RBTree,
        RBTreeNodeReservation, //
    },
    sync::Arc,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

/// Never.
const NEVER: u64 = u64::MAX;
/// The worker sleeps no longer than this at a time, in ns.
const SLEEP_MAX_NS: u64 = 10_000_000;
/// Nor shorter.
const SLEEP_MIN_NS: u64 = 20_000;

/// What is still to be logged of a bio.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Ticket {
    /// The record that it is in.
    pub(super) generation: u64,
    /// The index of its entry.
    pub(super) index: u32,
}

/// What became of a bio.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Served {
    /// It is complete.
    Done,
    /// It took effect; it is complete later.
    Later(Option<Ticket>),
    /// The power is off: it is never complete.
    Never,
}

struct Waiting {
    bio: Bio,
    ticket: Option<Ticket>,
}

/// See the module's documentation.
pub(super) struct InFlight {
    /// By when they are due, ns since the disk was made, and a number.
    waiting: RBTree<(u64, u64), Waiting>,
    completion: Completion,
    nr_bios: u64,
    /// When the power is to be cut.
    cut_ns: Option<u64>,
    is_working: bool,
    /// Nothing waits any more.
    is_draining: bool,
}

/// What the worker does next.
enum Next {
    Advance(Waiting),
    Cut,
    Sleep(u64),
    Stop,
}

impl InFlight {
    pub(super) fn new(completion: Completion) -> Self {
        Self {
            waiting: RBTree::new(),
            completion,
            nr_bios: 0,
            cut_ns: None,
            is_working: false,
            is_draining: false,
        }
    }

    /// Keeps a bio until `due_ns`. If there is no memory for that, it comes back.
    fn keep(&mut self, due_ns: u64, waiting: Waiting) -> Result<(), Waiting> {
        let Ok(room) = RBTreeNodeReservation::new(GFP_KERNEL | __GFP_NOWARN) else {
            return Err(waiting);
        };
        self.nr_bios += 1;
        // No other has that number.
        let _none = self
            .waiting
            .insert(room.into_node((due_ns, self.nr_bios), waiting));
        Ok(())
    }

    /// When a bio that is submitted now is due.
    fn due_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_add(self.completion.delay_ns(self.nr_bios))
    }

    fn next(&mut self, now_ns: u64) -> Next {
        if self.cut_ns.is_some_and(|cut_ns| cut_ns <= now_ns) {
            self.cut_ns = None;
            return Next::Cut;
        }
        let cut_ns = self.cut_ns.unwrap_or(NEVER);
        let first = self.waiting.cursor_front_mut();
        let first_ns = first.as_ref().map_or(NEVER, |first| first.current().0 .0);
        match first {
            Some(first) if first_ns <= now_ns || self.is_draining => {
                Next::Advance(first.remove_current().1.to_key_value().1)
            }
            _ if first_ns.min(cut_ns) == NEVER => {
                self.is_working = false;
                Next::Stop
            }
            _ => {
                // Nothing that comes meanwhile is due before the shortest delay is over.
                let longest = match self.completion.delay_min_ns() {
                    0 => SLEEP_MIN_NS,
                    ns => ns.clamp(SLEEP_MIN_NS, SLEEP_MAX_NS),
                };
                Next::Sleep((first_ns.min(cut_ns) - now_ns).clamp(SLEEP_MIN_NS, longest))
            }
        }
    }
}

impl RecordedDisk {
    /// Completes a bio later, so much later than others, or never.
    pub(super) fn keep(self: &Arc<Self>, bio: Bio, served: Served, delay_us: u64) {
        let ticket = match served {
            Served::Done => return bio.end(Ok(())),
            Served::Later(ticket) => ticket,
            Served::Never => None,
        };
        let waiting = Waiting { bio, ticket };
        let now_ns = self.now_ns();
        let mut in_flight = self.in_flight.lock();
        let due_ns = match served {
            Served::Never if in_flight.is_draining => now_ns,
            Served::Never => NEVER,
            _ => in_flight
                .due_ns(now_ns)
                .saturating_add(delay_us.saturating_mul(1000)),
        };
        match in_flight.keep(due_ns, waiting) {
            Ok(()) => self.start_work(in_flight),
            Err(waiting) => {
                // At once is as good a time as any.
                drop(in_flight);
                self.advance(waiting);
            }
        }
    }

    /// Has the worker cut the power in so many ms.
    pub(super) fn cut_later(self: &Arc<Self>, ms: u64) {
        let cut_ns = self.now_ns().saturating_add(ms.saturating_mul(1_000_000));
        let mut in_flight = self.in_flight.lock();
        in_flight.cut_ns = Some(cut_ns);
        self.start_work(in_flight);
    }

    /// Has it not.
    pub(super) fn do_not_cut_later(&self) {
        self.in_flight.lock().cut_ns = None;
    }

    fn start_work(self: &Arc<Self>, mut in_flight: super::InFlightGuard<'_>) {
        if in_flight.is_working {
            return;
        }
        in_flight.is_working = true;
        drop(in_flight);
        let this = self.clone();
        if workqueue::spawn(move || this.work()).is_err() {
            // Without a worker, nothing can wait.
            self.work_now();
        }
    }

    fn work(self: Arc<Self>) {
        // Bios wait for this.
        let _noio = NoIo::enter();
        loop {
            let now_ns = self.now_ns();
            let next = self.in_flight.lock().next(now_ns);
            match next {
                Next::Advance(waiting) => self.advance(waiting),
                Next::Cut => self.cut_now(),
                // At most `SLEEP_MAX_NS`.
                Next::Sleep(ns) => fsleep(Delta::from_nanos(ns as i64)),
                Next::Stop => return,
            }
        }
    }

    /// Does all that waits, at once.
    fn work_now(self: &Arc<Self>) {
        loop {
            let next = self.in_flight.lock().next(NEVER - 1);
            match next {
                Next::Advance(waiting) => self.advance(waiting),
                Next::Cut => self.cut_now(),
                Next::Sleep(_) | Next::Stop => break,
            }
        }
        self.in_flight.lock().is_working = false;
    }

    /// The next thing that happens to a bio: its own data starts, or it is complete.
    fn advance(self: &Arc<Self>, waiting: Waiting) {
        let mut state = self.state.lock();
        let result = match state.supply.off() {
            Some(Off::Eio) => Err(EIO),
            Some(Off::Hang) => {
                drop(state);
                return self.keep(waiting.bio, Served::Never, 0);
            }
            None => match state.advance(waiting.ticket) {
                Ok(true) => Ok(()),
                Ok(false) => {
                    drop(state);
                    return self.keep(waiting.bio, Served::Later(waiting.ticket), 0);
                }
                Err(error) => Err(error),
            },
        };
        drop(state);
        waiting.bio.end(result);
    }

    /// Fails all bios that wait for a power that was cut.
    pub(super) fn release_hung(self: &Arc<Self>) {
        loop {
            let mut in_flight = self.in_flight.lock();
            let Some(first) = in_flight.waiting.cursor_front_mut() else {
                break;
            };
            let waiting = first.remove_current().1.to_key_value().1;
            drop(in_flight);
            waiting.bio.end(Err(EIO));
        }
    }

    /// Completes all that waits and returns when there is nothing left, for good: the
    /// block device is gone.
    pub(crate) fn drain(&self) {
        loop {
            let mut in_flight = self.in_flight.lock();
            in_flight.is_draining = true;
            in_flight.cut_ns = None;
            if !in_flight.is_working {
                break;
            }
            drop(in_flight);
            fsleep(Delta::from_millis(1));
        }
    }
}
