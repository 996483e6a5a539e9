// SPDX-License-Identifier: GPL-2.0

//! What was found and covered, in words and figures.

use powercut_engine::oracle::Kind;
use powercut_engine::tear::Tear;

use super::timeline::number;
use crate::report::text::found;
use crate::report::{doubts, Conclusion, Report};
use crate::size;
use crate::words::{about_text, many};

/// A figure.
pub struct Tile {
    pub label: &'static str,
    pub value: String,
    pub note: String,
}

/// A part of the states examined, as a part of a bar of 1000.
pub struct Part {
    pub class: &'static str,
    pub label: &'static str,
    pub count: u64,
    pub x: String,
    pub w: String,
}

/// A line of what was run.
pub struct Fact {
    pub label: &'static str,
    pub value: String,
    /// A command, or an option.
    pub code: bool,
}

/// The headline; what it was a sample of stands below it.
pub fn verdict(report: &Report, sorts: usize) -> String {
    if Conclusion::of(report) == Conclusion::Undecided {
        return format!("Not decided: {}", doubts(report).join("; "));
    }
    if !report.violations.is_empty() {
        return found(report.violations.len(), sorts);
    }
    let checked = report.coverage.checked;
    match (report.coverage.all, &report.faults) {
        (true, None) => "No violation in any legal state".into(),
        (true, Some(_)) => "No violation in any state, faults and all".into(),
        (false, _) => format!("No violation in {}", many(checked, "state", "states")),
    }
}

pub fn tiles(report: &Report, sorts: usize) -> Vec<Tile> {
    let (coverage, record) = (&report.coverage, &report.record);
    let tile = |label, value: String, note: String| Tile { label, value, note };
    let outside = report
        .faults
        .as_ref()
        .map_or("0", |faults| &faults.outside_states);
    vec![
        tile(
            match &report.faults {
                Some(faults) if faults.is_outside() => "States",
                _ => "Legal states",
            },
            if coverage.legal_at_most {
                format!("at most {}", about_text(&coverage.legal_states))
            } else {
                about_text(&coverage.legal_states)
            },
            match coverage.cuts {
                n if outside != "0" => format!(
                    "{} not legal, at {}",
                    about_text(outside),
                    many(n, "cut", "cuts")
                ),
                n => format!("at {}", many(n, "cut", "cuts")),
            },
        ),
        tile(
            "Examined",
            coverage.checked.to_string(),
            if coverage.all {
                "runs, which speak for all".into()
            } else {
                "runs, a sample".into()
            },
        ),
        tile(
            "Violations",
            report.violations.len().to_string(),
            match report.of(Kind::Mount) {
                0 => many(sorts as u64, "sort", "sorts"),
                n => format!("{n} could not be mounted"),
            },
        ),
        tile(
            "Writes",
            record.writes.to_string(),
            format!("{}, {} with FUA", size::human(record.bytes), record.fua),
        ),
        tile(
            "Flushes",
            record.flushes.to_string(),
            many(record.events, "event in all", "events in all"),
        ),
        tile(
            "Acknowledgements",
            record.marks.to_string(),
            "marks in the log".into(),
        ),
    ]
}

pub fn parts(report: &Report) -> Vec<Part> {
    let of = |kind| report.of(kind) as u64;
    let bad = [report.of_check() as u64, of(Kind::Mount), of(Kind::Fsck)];
    // Some states share the verdict of another's run.
    let judged = bad.iter().sum::<u64>() + report.coverage.skipped;
    let all = report.coverage.checked.max(judged).max(1);
    let good = report
        .coverage
        .checked
        .saturating_sub(bad.iter().sum::<u64>() + report.coverage.skipped);
    let mut at = 0.0;
    [
        ("good", "consistent", good),
        ("bad", "check failed", bad[0]),
        ("mount", "mount failed", bad[1]),
        ("fsck", "fsck failed", bad[2]),
        ("skip", "could not tell", report.coverage.skipped),
    ]
    .into_iter()
    .filter(|(_, _, count)| *count > 0)
    .map(|(class, label, count)| {
        let w = (1000.0 * count as f64 / all as f64).max(4.0);
        at += w;
        Part {
            class,
            label,
            count,
            x: number(at - w),
            w: number(w),
        }
    })
    .collect()
}

pub fn facts(report: &Report) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut add = |label, value: Option<String>, code| {
        facts.extend(value.map(|value| Fact { label, value, code }));
    };
    let (source, what) = (&report.source, &report.examination);
    add("Filesystem", source.fs.clone(), false);
    add("Disk recorded", source.disk.clone(), true);
    let imported = source.imported.as_ref();
    add(
        "Imported from",
        imported.map(|from| from.format.clone()),
        false,
    );
    add("mkfs options", source.mkfs_opts.clone(), true);
    add("Mount options", source.mount_opts.clone(), true);
    add("Set-up", source.setup.clone(), true);
    add("Workload", source.workload.clone(), true);
    add("Writeback", source.writeback.clone(), false);
    for rule in report.faults.iter().flat_map(|faults| &faults.rules) {
        let hits = many(rule.hits, "time", "times");
        let text = format!("{} (applied {hits})", rule.rule);
        add("Fault", Some(text), true);
    }
    for rule in &what.view_faults {
        add("Fault of each state's disk", Some(rule.clone()), true);
    }
    add("fsck", what.fsck.clone(), true);
    let check = if what.truths.is_some() {
        "Observes"
    } else {
        "Check"
    };
    add(check, Some(what.check.clone()), true);
    add("Clean-up", what.cleanup.clone(), true);
    let disk = &report.disk;
    let on = |yes| if yes { "on" } else { "off" };
    add(
        "Disk",
        Some(format!(
            "{}, blocks of {} bytes, write cache {}, FUA {}{}",
            size::human(disk.bytes),
            disk.block_size,
            on(disk.write_cache),
            on(disk.fua),
            match disk.tear {
                Tear::Any => "",
                Tear::Prefix => ", writes survive as prefixes (tear=prefix)",
                Tear::Rmw => ", small writes may cost their neighbours (tear=rmw)",
            }
        )),
        false,
    );
    let plan = &report.plan;
    add(
        "Plan",
        Some(format!(
            "strategy {}, budget {}, seed {}",
            plan.strategy, plan.budget, plan.seed
        )),
        false,
    );
    add(
        "Time",
        Some(format!(
            "{:.1} s to record, {:.1} s to explore",
            report.seconds.record, report.seconds.explore
        )),
        false,
    );
    add("powercut", Some(report.powercut.clone()), false);
    facts
}
