// SPDX-License-Identifier: GPL-2.0

//! What `fuzz` tells in words.

use std::path::Path;

use anyhow::Result;
use powercut_programs::bounded::Bounded;
use powercut_programs::instances::{operations, SETS};
use powercut_programs::program::before;

use super::findings::RECORD_FILE;
use crate::options::Fuzz;
use crate::output::{print, print_json};
use crate::report::{FuzzFinding, Fuzzing};
use crate::table::Table;
use crate::words::many;

/// A finding.
pub fn finding(finding: &FuzzFinding, dir: &Path) -> String {
    let mut text = format!("finding {}, rule {}", finding.number, finding.rule);
    if finding.is_flaky {
        text.push_str(" (looked at again, the state was in order)");
    }
    text.push_str(":\n");
    for op in &finding.program {
        text.push_str(&format!("    {op}\n"));
    }
    for line in finding.text.lines().take(5) {
        text.push_str(&format!("  {line}\n"));
    }
    let last = if finding.is_repeated {
        "report"
    } else {
        text.push_str("  run again, the program did not fail: the record is of the run that did\n");
        RECORD_FILE
    };
    text.push_str(&format!(
        "  state {}\n  program.txt, program.sh, program.c, xfstest, trace.json and {last} are in {}\n",
        finding.state,
        dir.display()
    ));
    text
}

/// All of it.
pub fn summary(fuzzing: &Fuzzing) -> String {
    let counts = &fuzzing.counts;
    let seconds = fuzzing.seconds.max(0.001);
    let mut text = format!(
        "{} on {} (Linux {}), held to level {}: {} in {}, {:.1} a second; every legal state of {}\n",
        many(counts.judged, "program", "programs"),
        fuzzing.fs,
        fuzzing.kernel,
        fuzzing.level,
        many(counts.runs, "crash state", "crash states"),
        crate::progress::time(seconds),
        counts.judged as f64 / seconds,
        counts.exhausted
    );
    if counts.failed_ops > 0 {
        text.push_str(&format!(
            "{} of {} operations failed: the filesystem may not have them\n",
            counts.failed_ops, counts.ops
        ));
    }
    let known: Vec<_> = fuzzing.findings.iter().filter(|f| f.is_known).collect();
    for known in &known {
        text.push_str(&format!(
            "known: rule {}: {}: {}\n",
            known.rule,
            known.program.join("; "),
            many(known.duplicates, "program", "programs")
        ));
    }
    if !known.is_empty() {
        text.push_str("known findings do not fail the run and are not reduced; --known none takes them for new ones\n");
    }
    let new = fuzzing.new_findings().count();
    let all: u64 = fuzzing
        .new_findings()
        .map(|finding| finding.duplicates)
        .sum();
    text.push_str(&match (new, counts.judged) {
        (0, 0) => "no program was judged\n".into(),
        (0, _) => "no finding\n".into(),
        (n, _) => format!(
            "{}, and {} more that do the same\n",
            many(n as u64, "finding", "findings"),
            many(all, "program", "programs")
        ),
    });
    text
}

/// How many programs each bound has.
pub fn list(options: &Fuzz) -> Result<()> {
    let mut table = Table::new(["SET", "OPERATIONS", "NUMBERS", "PROGRAMS"]);
    let mut rows = Vec::new();
    let (only_set, only_ops) = options.bound;
    let sets = SETS
        .iter()
        .filter(|(set, _)| only_set.is_none_or(|only| only == *set));
    for (set, name) in sets.copied() {
        for ops in only_ops.map_or(1..=3, |ops| ops..=ops) {
            let bounded = Bounded::new(set, ops, &before());
            let programs = bounded.programs();
            let shown = programs.map_or_else(|| "not counted".into(), |n| n.to_string());
            table.row([
                format!("{name} ({})", operations(set).len()),
                ops.to_string(),
                bounded.numbers().to_string(),
                shown,
            ]);
            rows.push(serde_json::json!({
                "set": name,
                "operations": ops,
                "numbers": bounded.numbers(),
                "programs": programs,
            }));
        }
    }
    if options.json {
        return print_json(&rows);
    }
    print(format_args!(
        "{table}\nA program is so many operations of the set; after each there may be an fsync, an \
         fdatasync or a sync,\nafter the last there is. NUMBERS counts all, PROGRAMS those whose \
         operations can succeed.\n"
    ))
}
