// SPDX-License-Identifier: GPL-2.0

//! Bad sectors: which they are, what fails there, and what makes them good again.
//!
//! The syntax, and `once`, are null_blk's.

use super::{
    rule::parse_range,
    Access,
    AccessOp, //
};
use kernel::{
    fmt,
    prelude::*, //
};

/// The most runs of bad sectors that there can be.
const RUNS_MAX: usize = 512;

/// What fails on a bad sector.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mode {
    /// Reads and writes.
    #[default]
    All,
    Read,
    Write,
    /// Reads, until it is written to: that makes it good.
    UntilRewritten,
}

impl Mode {
    const NAMES: [(Self, &'static [u8], &'static str); 4] = [
        (Self::All, b"all", "all"),
        (Self::Read, b"read", "read"),
        (Self::Write, b"write", "write"),
        (Self::UntilRewritten, b"until-rewritten", "until-rewritten"),
    ];

    pub(super) fn parse(word: &[u8]) -> Result<Self> {
        let found = Self::NAMES.iter().find(|(_, name, _)| *name == word);
        found.map(|(mode, ..)| *mode).ok_or(EINVAL)
    }

    pub(super) fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(mode, ..)| *mode == self);
        found.map_or("", |(_, _, name)| name)
    }
}

/// Sets of sectors as runs, ends included, that ascend and don't touch.
struct Runs(KVVec<(u64, u64)>);

impl Runs {
    fn new() -> Self {
        Self(KVVec::new())
    }

    fn has(&self, (first, last): (u64, u64)) -> bool {
        let at = self.0.partition_point(|run| run.1 < first);
        self.0.get(at).is_some_and(|run| run.0 <= last)
    }

    fn copy(&self) -> Result<Self> {
        let mut copy = KVVec::with_capacity(self.0.len(), GFP_KERNEL | __GFP_NOWARN)?;
        copy.extend_from_slice(&self.0, GFP_KERNEL | __GFP_NOWARN)?;
        Ok(Self(copy))
    }

    /// The same with the sectors of a run, or without them.
    fn changed(&self, (first, last): (u64, u64), with: bool) -> Result<Self> {
        let mut runs = KVVec::with_capacity(self.0.len() + 2, GFP_KERNEL | __GFP_NOWARN)?;
        let mut add = |run: (u64, u64)| {
            if run.0 <= run.1 {
                runs.push(run, GFP_KERNEL | __GFP_NOWARN)?;
            }
            Ok::<(), Error>(())
        };
        let mut new = (first, last);
        let mut is_in = !with;
        for run in self.0.iter().copied() {
            let is_before = run.1 < first && (!with || run.1 + 1 < first);
            let is_behind = run.0 > last && (!with || run.0 - 1 > last);
            if is_behind && !is_in {
                add(new)?;
                is_in = true;
            }
            if is_before || is_behind {
                add(run)?;
            } else if with {
                new = (new.0.min(run.0), new.1.max(run.1));
            } else {
                if let Some(end) = first.checked_sub(1) {
                    add((run.0, end.min(run.1)))?;
                }
                if let Some(begin) = last.checked_add(1) {
                    add((begin.max(run.0), run.1))?;
                }
            }
        }
        if !is_in {
            add(new)?;
        }
        if runs.len() <= RUNS_MAX {
            Ok(Self(runs))
        } else {
            Err(ENOSPC)
        }
    }
}

/// See the module's documentation.
pub(super) struct BadSectors {
    /// As they were set.
    set: Runs,
    /// Those that are still bad.
    now: Runs,
    pub(super) mode: Mode,
    /// A failure makes them good.
    pub(super) once: bool,
    /// I/O that failed.
    pub(super) hits: u64,
}

impl BadSectors {
    pub(super) fn new() -> Self {
        Self {
            set: Runs::new(),
            now: Runs::new(),
            mode: Mode::All,
            once: false,
            hits: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.now.0.is_empty()
    }

    /// `+A-B` makes sectors bad, `-A-B` makes them good.
    pub(super) fn change(&mut self, text: &[u8], disk: super::Extent) -> Result {
        let (sign, range) = text.split_first().ok_or(EINVAL)?;
        let with = match sign {
            b'+' => true,
            b'-' => false,
            _ => return Err(EINVAL),
        };
        // null_blk wants both ends.
        if !range.contains(&b'-') {
            return Err(EINVAL);
        }
        let run = parse_range(range)?;
        if run.1 >= disk.nr_sectors {
            return Err(ERANGE);
        }
        let now = self.now.changed(run, with)?;
        self.set = now.copy()?;
        self.now = now;
        Ok(())
    }

    /// They are as they were set.
    pub(super) fn rewind(&mut self) -> Result {
        self.now = self.set.copy()?;
        Ok(())
    }

    /// Whether an I/O fails. [`ENOMEM`] if there is no memory to keep what it changes.
    pub(super) fn fails(&mut self, access: &Access) -> Result<bool> {
        let Some(run) = access.run() else {
            return Ok(false);
        };
        if !self.now.has(run) {
            return Ok(false);
        }
        let (fails, heals) = match (access.op, self.mode) {
            (AccessOp::Read, Mode::All | Mode::Read)
            | (AccessOp::Write, Mode::All | Mode::Write) => (true, self.once),
            (AccessOp::Read, Mode::UntilRewritten) => (true, self.once),
            (AccessOp::Write, Mode::UntilRewritten) => (false, true),
            _ => (false, false),
        };
        if heals {
            self.now = self.now.changed(run, false)?;
        }
        if fails {
            self.hits = self.hits.saturating_add(1);
        }
        Ok(fails)
    }
}

/// As null_blk shows them: first sector and number, a run a line.
impl fmt::Display for BadSectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (first, last) in &self.now.0 {
            writeln!(f, "{first} {}", last - first + 1)?;
        }
        Ok(())
    }
}
