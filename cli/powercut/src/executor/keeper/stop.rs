// SPDX-License-Identifier: GPL-2.0

//! Stops all processes of a sandbox, so that nothing changes while what they hold is copied.

use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail, Result};
use rustix::process::{kill_process, Pid, Signal};

use super::super::children::Children;
use super::super::proc::Proc;
use crate::pause::Pause;

/// How long it may take.
const LIMIT: Duration = Duration::from_secs(10);
/// After so long they go on for a moment: a process that waits for one that it has just begun, and
/// that is stopped before it has become a program, can't be stopped itself.
const ATTEMPT: Duration = Duration::from_millis(200);

/// Processes that are stopped. Dropped, they go on.
#[derive(Debug)]
pub struct Stopped {
    pids: BTreeSet<i32>,
}

impl Stopped {
    /// Stops them. The thread `held` waits for this process, and changes nothing; `is_in_vain` tells
    /// that it is of no use to go on.
    pub fn all(
        children: &Children,
        held: Option<u32>,
        mut is_in_vain: impl FnMut() -> Result<bool>,
    ) -> Result<Self> {
        let end = Instant::now() + LIMIT;
        loop {
            let until = end.min(Instant::now() + ATTEMPT);
            let mut stopped = Self {
                pids: BTreeSet::new(),
            };
            let mut pause = Pause::default();
            let running = loop {
                // One that began meanwhile is there the next time.
                let has_new = stopped.more(children)?;
                let running = running(children, held)?;
                if running.is_none() && !has_new {
                    return Ok(stopped);
                }
                if is_in_vain()? {
                    bail!("two marks were written at a time");
                }
                if Instant::now() >= until {
                    break running;
                }
                pause.sleep();
            };
            drop(stopped);
            pause.sleep();
            if Instant::now() >= end {
                return Err(running.map_or_else(
                    || anyhow!("new processes began all the time"),
                    |name| anyhow!("{name} could not be stopped within {} s", LIMIT.as_secs()),
                ));
            }
        }
    }

    /// They do not go on.
    pub fn stay(mut self) {
        self.pids.clear();
    }

    /// Stops those that are not stopped yet; whether there were any.
    fn more(&mut self, children: &Children) -> io::Result<bool> {
        let proc = children.proc()?;
        let mut has_new = false;
        for pid in children.others()? {
            let number = pid.as_raw_nonzero().get();
            // Who is stopped already was so by another, and is not to go on by this.
            let is_stopped = || proc.stat(number).is_some_and(|stat| stat.is_stopped());
            if self.pids.contains(&number) || is_stopped() {
                continue;
            }
            // It may have ended by itself.
            if kill_process(pid, Signal::STOP).is_ok() {
                self.pids.insert(number);
                has_new = true;
            }
        }
        Ok(has_new)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        for pid in self.pids.iter().copied().filter_map(Pid::from_raw) {
            let _ = kill_process(pid, Signal::CONT);
        }
    }
}

/// The name of one that is not stopped, if there is one.
fn running(children: &Children, held: Option<u32>) -> io::Result<Option<String>> {
    let proc = children.proc()?;
    for pid in children.others()? {
        let pid = pid.as_raw_nonzero().get();
        for (thread, stat) in proc.threads(pid) {
            let is_held = u32::try_from(thread).ok() == held;
            if !is_held && !stat.is_stopped() && !stat.has_ended() {
                return Ok(Some(format!("process {pid} ({})", stat.name)));
            }
        }
    }
    Ok(None)
}

/// Tells marks of one worker, whose operations follow on each other, from those of several.
#[derive(Debug, Default)]
pub struct Writers {
    /// Processes, with the time at which they began.
    before: Vec<(i32, u64)>,
}

impl Writers {
    /// Why a mark of this thread is not of the worker whose marks came before, if it is not. What a
    /// process waits for may write marks, too; a process that lives beside it may not.
    pub fn other(&mut self, proc: &Proc, thread: u32) -> Option<String> {
        let number = proc.process_of(i32::try_from(thread).ok()?)?;
        let writer = proc.stat(number)?;
        let mut ancestors = BTreeSet::from([number]);
        let mut at = writer.parent;
        while at > 0 && ancestors.insert(at) {
            at = proc.stat(at).map_or(0, |stat| stat.parent);
        }
        self.before.retain(|(pid, began)| {
            let stat = proc.stat(*pid);
            stat.is_some_and(|stat| stat.began == *began && !stat.has_ended())
        });
        let mut others = self.before.iter().map(|(pid, _)| *pid);
        let other = others.find(|pid| !ancestors.contains(pid));
        if !self.before.contains(&(number, writer.began)) {
            self.before.push((number, writer.began));
        }
        let other = other?;
        let name = proc.stat(other).map_or_else(String::new, |stat| stat.name);
        Some(format!(
            "process {number} ({}) wrote a mark while process {other} ({name}), which had written one, was \
             at work as well",
            writer.name
        ))
    }
}
