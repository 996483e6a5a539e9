// SPDX-License-Identifier: GPL-2.0

//! A lint for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use powercut_engine::lint::Lint;

use crate::size;
use crate::table::Table;

/// Acknowledgements listed; all are in the JSON.
const ROWS: usize = 20;

pub fn text(lint: &Lint) -> String {
    let mut out = String::new();
    at_risk(&mut out, lint);
    let flushes = &lint.idle_flushes;
    if flushes.idle > 0 {
        let _ = writeln!(
            out,
            "{} of {} flushes made nothing stable: {}; the first at {}",
            flushes.idle,
            flushes.flushes,
            tasks(&flushes.tasks),
            events(&flushes.first),
        );
    } else {
        let _ = writeln!(out, "{} flushes, each for something", flushes.flushes);
    }
    let gone = &lint.overwritten;
    if gone.writes > 0 {
        let places = gone.places.iter().enumerate();
        let places: Vec<String> = places
            .map(|(nr, (lba, n))| match gone.names.get(nr) {
                Some(name) => format!("{name} ({n})"),
                None => format!("{lba} ({n})"),
            })
            .collect();
        let _ = writeln!(
            out,
            "{} writes ({}) were overwritten before they were stable: {}; most at lba {}",
            gone.writes,
            size::human(gone.bytes),
            tasks(&gone.tasks),
            places.join(", "),
        );
    } else {
        out.push_str("no write was overwritten before it was stable\n");
    }
    out
}

fn at_risk(out: &mut String, lint: &Lint) {
    let (marks, risky) = (lint.marks, lint.at_risk.len());
    if marks == 0 {
        out.push_str("no acknowledgement in the log: `powercut mark`, or $POWERCUT_MARK in run\n");
        return;
    }
    if risky > 0 {
        let _ = writeln!(
            out,
            "{risky} of {marks} acknowledgements came before the writes that precede them were stable:"
        );
        let titles = [
            "event",
            "writes",
            "of its own",
            "bytes",
            "safe after ms",
            "by",
            "mark",
        ];
        let mut table = Table::new(titles);
        for risk in lint.at_risk.iter().take(ROWS) {
            let ms = match risk.safe_at {
                Some(_) => format!("{:.3}", risk.ms),
                None => "never".into(),
            };
            table.row([
                risk.mark.event.to_string(),
                risk.writes.to_string(),
                risk.own_writes.to_string(),
                risk.bytes.to_string(),
                ms,
                risk.tasks.join(" "),
                format!("{:?}", risk.mark.text),
            ]);
        }
        let _ = write!(out, "{table}");
        if risky > ROWS {
            let _ = writeln!(out, "... {} more", risky - ROWS);
        }
    } else {
        let _ = writeln!(
            out,
            "{marks} acknowledgements: all that was written before each was stable by then"
        );
    }
    if !lint.silent.is_empty() {
        let _ = writeln!(
            out,
            "{} of {marks} acknowledgements had no write since the one before: {:?} is the first",
            lint.silent.len(),
            lint.silent[0].text
        );
    }
    out.push_str(
        "(what was not written yet when it was acknowledged is not in a log: `powercut explore` finds that)\n",
    );
}

fn tasks(tasks: &BTreeMap<String, u64>) -> String {
    let mut tasks: Vec<_> = tasks.iter().collect();
    tasks.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    let tasks = tasks.iter().map(|(task, n)| format!("{n} by {task}"));
    tasks.collect::<Vec<_>>().join(", ")
}

fn events(events: &[u64]) -> String {
    let events: Vec<String> = events.iter().map(u64::to_string).collect();
    format!("events {}", events.join(", "))
}
