// SPDX-License-Identifier: GPL-2.0

//! What comes after an exploration: the culprits of its first violations.

use anyhow::{Context, Result};
use powercut_engine::id::StateId;
use powercut_engine::oracle::Finding;
use powercut_engine::recording::Recording;

use super::culprit::Bench;
use crate::examination::Examination;
use crate::executor::Executor;
use crate::options::Wanted;
use crate::report::{self, Report};
use crate::server::Server;
use crate::signals::{Interrupted, Signals};

/// Sorts of violations whose culprit is looked for if that is asked for, and the
/// states examined for each.
const ASKED: (usize, u64) = (4, 400);
/// If it is not. Never more than a quarter of what was explored, each.
const CHEAP: (usize, u64) = (2, 40);
/// With less it is not begun.
const LEAST: u64 = 8;

/// Looks for the culprit of the first violation of each of the first sorts.
pub fn culprits(
    report: &mut Report,
    recording: &Recording,
    server: &dyn Server,
    examination: &Examination,
    signals: &Signals,
    wanted: &Wanted,
) -> Result<()> {
    let (sorts, budget) = if wanted.minimize {
        ASKED
    } else if report.plan.shard.is_some() {
        // All shards would do the same: it is left to `merge`.
        return Ok(());
    } else {
        (CHEAP.0, CHEAP.1.min(report.coverage.checked / 4))
    };
    if budget < LEAST {
        return Ok(());
    }
    let mut executor = Executor::new(signals, examination.mount_timeout());
    let firsts = report::first_of_sorts(&report.violations, sorts);
    for at in firsts {
        let violation = &mut report.violations[at];
        if violation.id.contains('/') {
            // Its recovery has a report of its own.
            continue;
        }
        let id: StateId = violation.id.parse()?;
        let (choices, keep) = id.resolve(recording)?;
        let finding = Finding::new(violation.kind, &*violation.how, &*violation.output);
        let mut view = server.view()?;
        let mut bench = Bench {
            view: &mut view,
            examination,
            executor: &mut executor,
            budget,
        };
        match bench.culprit(&choices, &keep, &finding) {
            Ok(culprit) => violation.culprit = culprit,
            // What was found before is worth reporting all the same.
            Err(e) if e.downcast_ref::<Interrupted>().is_some() => break,
            Err(e) => return Err(e).context("cannot look for the culprit"),
        }
    }
    Ok(())
}
