// SPDX-License-Identifier: GPL-2.0

//! Bios that are complete later, and those that wait for a power that was cut.
//!
//! A bio that is delayed takes effect at its submit and waits here until it is due: a timer
//! ([`HrTimer`]) then has the module's workqueue complete it, which takes the disk's lock and so
//! may sleep. A bio that hangs waits until it is released. Room for a bio is made before the bio
//! takes effect, so that there is nothing to fail once it did ([`Room`]).
//!
//! A bio is put here under the disk's lock, and only if it still has to wait: what it waits for
//! changes under that lock, too.

use super::{
    life::Life,
    trigger::Mode,
    RecordedDisk, //
};
use crate::block::{
    noio,
    workqueue,
    Bio, //
};
use kernel::{
    impl_has_hr_timer,
    prelude::*,
    rbtree::{
        RBTree,
        RBTreeNodeReservation, //
    },
    sync::{
        Arc,
        ArcBorrow, //
    },
    time::{
        hrtimer::{
            ArcHrTimerHandle,
            HrTimerCallback,
            HrTimerCallbackContext,
            HrTimerPointer,
            HrTimerRestart,
            RelativeMode, //
        },
        Delta,
        Monotonic, //
    },
    workqueue::{
        impl_has_work,
        WorkItem, //
    }, //
};

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
    /// The power is off: it waits until it is released.
    Hangs,
    /// It took no effect: a record began or ended, or it may have to wait and has no room for that.
    /// It is to be served anew.
    Again,
}

pub(super) struct Waiting {
    bio: Bio,
    ticket: Option<Ticket>,
}

/// When a bio is due, in ns since the disk was made, and a number that no other has.
type Key = (u64, u64);

/// Bios that wait, in the order in which they are due.
type Queue = RBTree<Key, Option<Waiting>>;

/// Room for a bio that waits.
pub(super) type Room = RBTreeNodeReservation<Key, Option<Waiting>>;

/// The timer, as long as it may go off.
struct Alarm {
    at_ns: u64,
    // Stops it when dropped.
    _handle: ArcHrTimerHandle<RecordedDisk>,
}

/// See the module's documentation.
pub(super) struct InFlight {
    delayed: Queue,
    hanging: Queue,
    nr_bios: u64,
    /// It keeps the disk alive: once nothing is due, there is none.
    alarm: Option<Alarm>,
}

fn insert(queue: &mut Queue, key: Key, room: Room, waiting: Waiting) {
    // No other has that key.
    let _none = queue.insert(room.into_node(key, Some(waiting)));
}

/// Takes the first bio of a queue, with the room that it had.
fn pop(queue: &mut Queue) -> Option<(Room, Waiting)> {
    let mut first = queue.cursor_front_mut()?;
    let waiting = first.current_mut().1.take();
    let (_, node) = first.remove_current();
    Some((node.into_reservation(), waiting?))
}

impl InFlight {
    pub(super) fn new() -> Self {
        Self {
            delayed: RBTree::new(),
            hanging: RBTree::new(),
            nr_bios: 0,
            alarm: None,
        }
    }

    /// When the first delayed bio is due.
    fn first_due_ns(&self) -> Option<u64> {
        let first = self.delayed.cursor_front()?;
        Some(first.current().0 .0)
    }

    /// Has the disk's work be done by then.
    fn ring_by(&mut self, at_ns: u64, disk: &Arc<RecordedDisk>) {
        if self
            .alarm
            .as_ref()
            .is_some_and(|alarm| alarm.at_ns <= at_ns)
        {
            return;
        }
        // First, as it would stop the new one, too.
        self.alarm = None;
        let after_ns = at_ns.saturating_sub(disk.now_ns());
        let after = Delta::from_nanos(i64::try_from(after_ns).unwrap_or(i64::MAX));
        self.alarm = Some(Alarm {
            at_ns,
            _handle: disk.clone().start(after),
        });
    }
}

impl RecordedDisk {
    /// Has [`Self::work`] be done by then, in ns since the disk was made.
    pub(super) fn ring_by(self: &Arc<Self>, at_ns: u64) {
        self.in_flight.lock().ring_by(at_ns, self);
    }

    /// Completes a bio later, and so much later than others.
    pub(super) fn delay(
        self: &Arc<Self>,
        room: Room,
        bio: Bio,
        ticket: Option<Ticket>,
        delay_us: u64,
    ) {
        let state = self.state.lock();
        if matches!(state.life, Life::Dying { .. }) {
            drop(state);
            return bio.end(Err(EIO));
        }
        let mut in_flight = self.in_flight.lock();
        let n = in_flight.nr_bios;
        in_flight.nr_bios += 1;
        let due_ns = self
            .now_ns()
            .saturating_add(self.completion.delay_ns(n))
            .saturating_add(delay_us.saturating_mul(1000));
        let waiting = Waiting { bio, ticket };
        insert(&mut in_flight.delayed, (due_ns, n), room, waiting);
        in_flight.ring_by(due_ns, self);
    }

    /// Keeps a bio until it is released.
    pub(super) fn hang(&self, room: Room, bio: Bio) {
        let state = self.state.lock();
        if state.life.off() != Some(Mode::Hang) {
            drop(state);
            return bio.end(Err(EIO));
        }
        let mut in_flight = self.in_flight.lock();
        let n = in_flight.nr_bios;
        in_flight.nr_bios += 1;
        let waiting = Waiting { bio, ticket: None };
        insert(&mut in_flight.hanging, (0, n), room, waiting);
    }

    /// Does what is due, and has the rest be done when that is.
    fn work(self: &Arc<Self>) {
        // Dropped under the lock, as it would stop a timer that is set anew, too.
        self.in_flight.lock().alarm = None;
        while self.work_next() {}
    }

    /// Does the next thing that is due. Whether there was one.
    fn work_next(self: &Arc<Self>) -> bool {
        let now_ns = self.now_ns();
        let mut state = self.state.lock();
        state.trigger_by_time(now_ns, self);
        if state.life.off() == Some(Mode::Hang) {
            // Nothing happens to any of them until they are released.
            return false;
        }
        let mut in_flight = self.in_flight.lock();
        let first_due_ns = in_flight.first_due_ns();
        let is_due = first_due_ns.is_some_and(|due_ns| due_ns <= now_ns);
        let due = if is_due {
            pop(&mut in_flight.delayed)
        } else {
            None
        };
        let Some((room, waiting)) = due else {
            let next_ns = [first_due_ns, state.cut_ns()].into_iter().flatten().min();
            if let Some(next_ns) = next_ns {
                in_flight.ring_by(next_ns, self);
            }
            return false;
        };
        drop(in_flight);

        let advanced = match state.life.off() {
            Some(_) => Err(EIO),
            None => state.advance(waiting.ticket),
        };
        drop(state);
        match advanced {
            Ok(true) => waiting.bio.end(Ok(())),
            Ok(false) => self.delay(room, waiting.bio, waiting.ticket, 0),
            Err(error) => waiting.bio.end(Err(error)),
        }
        true
    }

    /// Fails all bios that hang. Those that are delayed go on.
    pub(super) fn release_hanging(self: &Arc<Self>) {
        self.fail_all(|in_flight| &mut in_flight.hanging);
        let mut in_flight = self.in_flight.lock();
        if let Some(due_ns) = in_flight.first_due_ns() {
            in_flight.ring_by(due_ns, self);
        }
    }

    /// Fails all bios that wait.
    pub(super) fn release_all(&self) {
        self.fail_all(|in_flight| &mut in_flight.hanging);
        self.fail_all(|in_flight| &mut in_flight.delayed);
    }

    fn fail_all(&self, queue: fn(&mut InFlight) -> &mut Queue) {
        loop {
            let first = pop(queue(&mut self.in_flight.lock()));
            let Some((_room, waiting)) = first else {
                return;
            };
            waiting.bio.end(Err(EIO));
        }
    }

    /// Returns when nothing is under way any more, for good. To be called of a disk that is dying,
    /// once its block devices are gone: then nothing comes any more.
    pub(crate) fn drain(&self) {
        // What is being done may set the timer once more.
        workqueue::flush(&self.work);
        // Waits for it, if it is just going off.
        self.in_flight.lock().alarm = None;
        workqueue::flush(&self.work);
    }
}

impl_has_hr_timer! {
    impl HasHrTimer<Self> for RecordedDisk {
        mode: RelativeMode<Monotonic>, field: self.timer
    }
}

impl_has_work! {
    impl HasWork<Self> for RecordedDisk { self.work }
}

impl HrTimerCallback for RecordedDisk {
    type Pointer<'a> = Arc<Self>;

    fn run(this: ArcBorrow<'_, Self>, _: HrTimerCallbackContext<'_, Self>) -> HrTimerRestart {
        workqueue::enqueue(this.into());
        HrTimerRestart::NoRestart
    }
}

impl WorkItem for RecordedDisk {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        // Bios wait for this.
        noio(|| this.work());
    }
}
