// SPDX-License-Identifier: GPL-2.0

//! A rating for people.

use std::fmt::Write;

use crate::options::Rate;
use crate::report::{Rated, Rating, Watch};
use crate::size;
use crate::table::Table;
use crate::words::many;

/// Rows that are listed of each outcome.
const ROWS: usize = 20;

pub fn text(rating: &Rating, options: &Rate) -> String {
    let mut text = String::new();
    let all = &rating.guarantees;
    if all.is_empty() {
        return "the record has no flush and no FUA write that promised anything: nothing to rate\n".into();
    }
    let needed = all.iter().filter(|one| is_needed(one.outcome)).count() as u64;
    let _ = writeln!(
        text,
        "the check watches over {} of {}, in {}",
        rating.counts.watched,
        many(
            needed,
            "flush or FUA",
            "flushes and FUAs that keep something"
        ),
        many(all.iter().map(|one| one.states).sum(), "state", "states"),
    );
    for outcome in Watch::ALL {
        let rows: Vec<&Rated> = all.iter().filter(|one| one.outcome == outcome).collect();
        if rows.is_empty() {
            continue;
        }
        let _ = writeln!(
            text,
            "\n{} {}: {}",
            rows.len(),
            outcome.name(),
            meaning(outcome)
        );
        if outcome == Watch::Idle {
            let _ = writeln!(text, "{}", share(rows.len(), all.len()));
        }
        if outcome == Watch::NotRated || (outcome == Watch::Watched && !options.all) {
            continue;
        }
        let shown = if options.all { rows.len() } else { ROWS };
        let _ = write!(text, "{}", table(&rows[..rows.len().min(shown)], outcome));
        if rows.len() > shown {
            let _ = writeln!(text, "... {} more: --all lists them", rows.len() - shown);
        }
    }
    if let (Some(dir), true) = (
        &options.report,
        rating.counts.watched + rating.counts.broken > 0,
    ) {
        let _ = writeln!(
            text,
            "\nto see a state in which the check fails: powercut replay 1 --report {}",
            dir.display()
        );
    }
    text
}

/// Whether something would be lost without it.
fn is_needed(outcome: Watch) -> bool {
    !matches!(outcome, Watch::Idle | Watch::NotRated)
}

fn meaning(outcome: Watch) -> &'static str {
    match outcome {
        Watch::Watched => "the check fails in a state that this alone forbids",
        Watch::Unwatched => {
            "the check passes in the states looked at, though it reads what is lost there"
        }
        Watch::Unread => "the check reads nothing of what is lost without it",
        Watch::Idle => "nothing would be lost without it that is not lost with it",
        Watch::Broken => "the check fails in a legal state as well: use powercut explore first",
        Watch::Untold => {
            "the check could not tell (exit 125), or it is not known what the disk would hold"
        }
        Watch::NotRated => "not looked at: --most, or it was interrupted",
    }
}

/// Which part of all flushes could be saved.
fn share(idle: usize, all: usize) -> String {
    format!(
        "that is {:.0} % of all; each could be saved by itself (not all together), if it is so in other runs, too",
        100.0 * idle as f64 / all as f64
    )
}

fn table(rows: &[&Rated], outcome: Watch) -> Table {
    let last = match outcome {
        Watch::Watched | Watch::Broken => "FAILS",
        _ => "STATES",
    };
    let mut table = Table::new(["EVENT", "WHAT", "BY", last, "KEEPS"]);
    for one in rows {
        let keeps = match one.writes {
            0 => "nothing".into(),
            writes => format!(
                "{}, {}",
                many(writes, "write", "writes"),
                size::human(one.bytes)
            ),
        };
        let owners = match one.owners.as_slice() {
            [] => String::new(),
            owners => format!(": {}", owners.join("; ")),
        };
        table.row([
            one.event.to_string(),
            one.what.name().into(),
            one.task.clone(),
            match &one.noticed {
                Some(noticed) => format!("{}, {}", noticed.kind, noticed.how),
                None => one.states.to_string(),
            },
            format!("{keeps}{owners}"),
        ]);
    }
    table
}
