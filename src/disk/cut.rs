// SPDX-License-Identifier: GPL-2.0

//! The power of a disk in use: cut at a trigger, then restored.
//!
//! A cut takes effect under the disk's `state` lock, after the event that triggers it
//! and before the next: what is in flight then stays in flight in the record, which
//! ends there. [`RecordedDisk::restore`] makes a legal survivor of that cut the
//! content of the disk.

use super::{
    life::Life,
    trigger::{
        self,
        Armed,
        Mode,
        Trigger, //
    },
    RecordedDisk,
    State, //
};
use crate::{
    block::noio,
    crash::Selection, //
};
use kernel::{
    fmt,
    prelude::*,
    sync::Arc, //
};

impl State {
    /// Cuts the power if the entry of that index, just submitted, makes the trigger fire.
    pub(super) fn trigger(&mut self, index: u32, disk: &RecordedDisk) {
        let Life::Recording {
            record,
            trigger: Some(armed),
        } = &mut self.life
        else {
            return;
        };
        let Some(write) = record.log_entry(index as usize) else {
            return;
        };
        if armed.fires(&write, record.mark_text(&write)) {
            let mode = armed.mode;
            self.cut(mode, disk);
        }
    }

    /// Cuts the power if there is a trigger whose time has come.
    pub(super) fn trigger_by_time(&mut self, now_ns: u64, disk: &RecordedDisk) {
        if self.cut_ns().is_some_and(|cut_ns| cut_ns <= now_ns) {
            if let Ok(Some(armed)) = self.life.trigger() {
                let mode = armed.mode;
                self.cut(mode, disk);
            }
        }
    }

    /// When the power is to go, if there is a trigger that is a time.
    pub(super) fn cut_ns(&self) -> Option<u64> {
        match &self.life {
            Life::Recording {
                trigger: Some(armed),
                ..
            } => match armed.trigger {
                Trigger::Time(ns) => Some(ns),
                _ => None,
            },
            _ => None,
        }
    }

    fn cut(&mut self, mode: Mode, disk: &RecordedDisk) {
        self.life.cut(mode);
        self.update(disk);
    }
}

impl RecordedDisk {
    /// Cuts the power, or arms a trigger for that, or takes it back: `off`, or
    /// `eio|hang TRIGGER` (docs/abi.md). [`ENODATA`] if nothing is being recorded,
    /// [`EBUSY`] if the power is off already.
    pub(crate) fn set_cut(self: &Arc<Self>, text: &[u8]) -> Result {
        let (mode, trigger) = if let Some(trigger) = text.strip_prefix(b"eio ") {
            (Mode::Eio, trigger)
        } else if let Some(trigger) = text.strip_prefix(b"hang ") {
            (Mode::Hang, trigger)
        } else if text == b"off" {
            return self.disarm();
        } else {
            return Err(EINVAL);
        };
        let trigger = noio(|| trigger::parse(trigger, self.now_ns()))?;

        // What was armed before is freed after unlocking.
        let _old;
        let mut state = self.state.lock();
        let place = state.life.trigger()?;
        match trigger {
            Some(trigger) => {
                _old = place.replace(Armed { mode, trigger });
                if let Some(cut_ns) = state.cut_ns() {
                    self.ring_by(cut_ns);
                }
            }
            None => {
                _old = place.take();
                state.cut(mode, self);
            }
        }
        Ok(())
    }

    fn disarm(&self) -> Result {
        // Freed after unlocking.
        let _old;
        let mut state = self.state.lock();
        match state.life.trigger() {
            Ok(place) => _old = place.take(),
            Err(error) if error == EBUSY => return Err(EBUSY),
            // Nothing is armed without a record.
            Err(_) => (),
        }
        Ok(())
    }

    /// Has bios that wait for the power fail, and all later ones.
    pub(crate) fn stop_hanging(self: &Arc<Self>) {
        self.state.lock().life.stop_hanging();
        self.release_hanging();
    }

    /// The disk is going: all bios fail from now on, those that wait for anything first. No
    /// crash-state disk may come any more.
    pub(crate) fn die(self: &Arc<Self>) {
        let mut state = self.state.lock();
        state.life.die();
        state.update(self);
        drop(state);
        self.release_all();
    }

    /// Likewise, unless there is a crash-state disk on its record: [`EBUSY`].
    pub(crate) fn die_unless_viewed(self: &Arc<Self>) -> Result {
        let mut state = self.state.lock();
        if state.nr_views != 0 {
            return Err(EBUSY);
        }
        state.life.die();
        state.update(self);
        drop(state);
        self.release_all();
        Ok(())
    }

    /// Brings the power back, with the content that `text`, a state at the cut, has;
    /// the record ends. [`EINVAL`] if it is no such state, [`ENODATA`] if the power is
    /// on, [`EBUSY`] if there are views. Nobody may have the disk open.
    pub(crate) fn restore(&self, text: &[u8]) -> Result {
        // Freed after unlocking.
        let (_record, _content);
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let Life::Cut { record, event, .. } = &state.life else {
            return Err(ENODATA);
        };
        if state.nr_views != 0 {
            return Err(EBUSY);
        }
        let store = &mut state.store;
        _content = noio(|| {
            let selection = Selection::parse(text, record)?;
            if selection.event() != *event {
                return Err(EINVAL);
            }
            store.survive(&selection.over(record))
        })?;
        _record = state.life.restore()?;
        state.update(self);
        Ok(())
    }

    /// What the attribute `cut` reads as.
    pub(crate) fn show_cut<R>(&self, f: impl FnOnce(fmt::Arguments<'_>) -> R) -> R {
        let state = self.state.lock();
        f(fmt!("{}\n", state.life))
    }
}
