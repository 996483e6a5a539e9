// SPDX-License-Identifier: GPL-2.0

//! A lint for people: what was found by its kind, with how often, and examples of each.

use std::collections::BTreeMap;
use std::fmt::Write;

use powercut_engine::lint::{AtRisk, Lint, Risk};

use crate::size;
use crate::table::Table;

/// Acknowledgements listed of each kind, and tasks and events of a line.
const ROWS: usize = 5;
const TASKS: usize = 6;
const EVENTS: usize = 8;

/// How much of each kind is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    Examples,
    All,
}

impl Listed {
    fn of(self, examples: usize) -> usize {
        match self {
            Self::Examples => examples,
            Self::All => usize::MAX,
        }
    }
}

pub fn text(lint: &Lint, listed: Listed) -> String {
    let mut out = String::new();
    acknowledgements(&mut out, lint, listed);
    let flushes = &lint.idle_flushes;
    if flushes.idle > 0 {
        let _ = writeln!(
            out,
            "{} of {} flushes made nothing stable: {}; {}",
            flushes.idle,
            flushes.flushes,
            tasks(&flushes.tasks),
            events(&flushes.events, listed),
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
            "{} writes ({}) were overwritten before they were stable: {}; most at lba {}; {}",
            gone.writes,
            size::human(gone.bytes),
            tasks(&gone.tasks),
            places.join(", "),
            events(&gone.events, listed),
        );
    } else {
        out.push_str("no write was overwritten before it was stable\n");
    }
    out
}

fn acknowledgements(out: &mut String, lint: &Lint, listed: Listed) {
    let marks = lint.marks;
    if marks == 0 {
        out.push_str("no acknowledgement in the log: `powercut mark`, or $POWERCUT_MARK in run\n");
        return;
    }
    if lint.at_risk.is_empty() {
        let _ = writeln!(
            out,
            "{marks} acknowledgements: all that was written before each was stable by then"
        );
    } else {
        let _ = writeln!(
            out,
            "{} of {marks} acknowledgements came before the writes that precede them were stable:",
            lint.at_risk.len()
        );
    }
    for risk in [Risk::Never, Risk::Late, Risk::Older] {
        let of_kind: Vec<&AtRisk> = lint.at_risk.iter().filter(|r| r.risk == risk).collect();
        at_risk(out, risk, &of_kind, listed);
    }
    if let Some(first) = lint.silent.first() {
        let _ = writeln!(
            out,
            "{} of {marks} acknowledgements had no write since the one before: {:?} at event {} is the first",
            lint.silent.len(),
            first.text,
            first.event
        );
        if listed == Listed::All {
            let silent: Vec<u64> = lint.silent.iter().map(|mark| mark.event).collect();
            let _ = writeln!(out, "  {}", events(&silent, listed));
        }
    }
    out.push_str(
        "(what was not written yet when it was acknowledged is not in a log: `powercut explore` finds that)\n",
    );
}

/// Those of one kind.
fn at_risk(out: &mut String, risk: Risk, of_kind: &[&AtRisk], listed: Listed) {
    if of_kind.is_empty() {
        return;
    }
    let what = match risk {
        Risk::Never => "before writes of their own that were never stable in this log",
        Risk::Late => "before writes of their own that were stable only later",
        Risk::Older => "only before writes that are older than the mark before",
    };
    let _ = writeln!(out, "\n{} {what}", of_kind.len());
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
    let rows = listed.of(ROWS);
    for risk in of_kind.iter().take(rows) {
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
    if of_kind.len() > rows {
        let _ = writeln!(out, "... {} more: --all lists them", of_kind.len() - rows);
    }
    out.push('\n');
}

fn tasks(tasks: &BTreeMap<String, u64>) -> String {
    let mut tasks: Vec<_> = tasks.iter().collect();
    tasks.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    let mut words: Vec<String> = tasks
        .iter()
        .take(TASKS)
        .map(|(task, n)| format!("{n} by {task}"))
        .collect();
    if tasks.len() > TASKS {
        let others: u64 = tasks.iter().skip(TASKS).map(|(_, n)| **n).sum();
        words.push(format!("{others} by {} others", tasks.len() - TASKS));
    }
    words.join(", ")
}

fn events(events: &[u64], listed: Listed) -> String {
    let shown: Vec<String> = events
        .iter()
        .take(listed.of(EVENTS))
        .map(u64::to_string)
        .collect();
    let first = if shown.len() < events.len() {
        "the first at"
    } else {
        "at"
    };
    format!("{first} events {}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use powercut_engine::lint::lint;
    use powercut_engine::recording::testing::History;

    #[test]
    fn each_kind_has_its_number_and_examples() {
        let mut log = History::new();
        for n in 0..20 {
            log = log.write(n, "a").mark(&format!("late {n}"));
        }
        log = log
            .flush()
            .flush()
            .write(1, "b")
            .write(1, "c")
            .mark("never");
        let found = lint(&log.done());
        let told = text(&found, Listed::Examples);
        assert!(told.starts_with("21 of 21 acknowledgements came"), "{told}");
        assert!(told.contains("\n20 before writes of their own that were stable only"));
        assert!(told.contains("\n... 15 more: --all lists them\n"), "{told}");
        assert!(told.contains("\n1 before writes of their own that were never"));
        assert!(told.contains("1 of 2 flushes made nothing stable: 1 by test; at events 63\n"));
        assert!(told.contains("1 writes (4 KiB) were overwritten"), "{told}");
        let all = text(&found, Listed::All);
        assert!(!told.contains("\"late 19\"") && all.contains("\"late 19\""));
        assert!(!all.contains("more: --all"), "{all}");
    }
}
