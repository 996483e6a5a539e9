// SPDX-License-Identifier: GPL-2.0

//! Reports of the shards of one exploration, put together.

use std::collections::{BTreeMap, HashSet};

use anyhow::{bail, Result};
use num_bigint::BigUint;

use super::model::{Coverage, Ended, Recoveries, Report};
use crate::explore::Shard;

/// One report of several; all shards must be there, once each.
pub fn merge(reports: &[Report]) -> Result<Report> {
    let Some(first) = reports.first() else {
        bail!("no reports were given");
    };
    let mut shards: BTreeMap<u64, &Report> = BTreeMap::new();
    let mut of = 0;
    for report in reports {
        same(first, report)?;
        let shard = report.plan.shard.as_deref().map(str::parse::<Shard>);
        let Some(Ok(shard)) = shard else {
            bail!("{:?} is not the report of a shard", report.case);
        };
        of = shard.of;
        if shards.insert(shard.nr, report).is_some() {
            bail!("shard {shard} is there twice");
        }
    }
    let missing: Vec<String> = (1..=of)
        .filter(|nr| !shards.contains_key(nr))
        .map(|nr| format!("{nr}/{of}"))
        .collect();
    if !missing.is_empty() {
        bail!("shards {} are missing", missing.join(", "));
    }
    let mut merged = first.clone();
    merged.plan.shard = None;
    merged.coverage = coverage(shards.values().map(|r| &r.coverage));
    merged.violations = shards
        .values()
        .flat_map(|r| r.violations.iter().cloned())
        .collect();
    merged.violations.sort_by_key(|v| v.rank);
    let mut images = HashSet::new();
    merged
        .violations
        .retain(|v| images.insert((v.image.clone(), v.marks)));
    merged.seconds.explore = shards.values().map(|r| r.seconds.explore).sum();
    Ok(merged)
}

/// Whether two are of the same exploration.
fn same(a: &Report, b: &Report) -> Result<()> {
    let of = |r: &Report| Shard::of_text(r.plan.shard.as_deref());
    if a.record.hash != b.record.hash {
        bail!("the reports are of different records: shards need one record for all");
    }
    if a.examination != b.examination {
        bail!("the reports are of different checks");
    }
    let depth = |r: &Report| (r.plan.depth, r.plan.recovery_budget.clone());
    let plan = |r: &Report| {
        let plan = &r.plan;
        (
            plan.strategy.clone(),
            plan.budget.clone(),
            plan.seed,
            plan.marks,
            depth(r),
        )
    };
    if plan(a) != plan(b) || of(a) != of(b) {
        bail!("the reports are of different plans: strategy, budgets, seed, marks, depth and number of shards must be the same");
    }
    Ok(())
}

fn coverage<'c>(parts: impl Iterator<Item = &'c Coverage>) -> Coverage {
    let parts: Vec<&Coverage> = parts.collect();
    let mut merged = match parts.first() {
        Some(first) => (*first).clone(),
        None => return Coverage::default(),
    };
    let count = |field: fn(&Coverage) -> u64| parts.iter().map(|c| field(c)).sum::<u64>();
    merged.checked = count(|c| c.checked);
    merged.skipped = count(|c| c.skipped);
    merged.same_reads = count(|c| c.same_reads);
    merged.repeats.repeated = count(|c| c.repeats.repeated);
    merged.repeats.other_verdict = count(|c| c.repeats.other_verdict);
    merged.repeats.other_reads = count(|c| c.repeats.other_reads);
    merged.repeats.example = parts.iter().find_map(|c| c.repeats.example.clone());
    merged.covered_states = sum(parts.iter().map(|c| c.covered_states.as_deref()));
    merged.remaining_states = sum(parts.iter().map(|c| c.remaining_states.as_deref()));
    if let Some(pruned) = &mut merged.pruned {
        let of = |field: fn(&super::Pruned) -> &str| {
            sum(parts.iter().map(|c| c.pruned.as_ref().map(field))).unwrap_or_default()
        };
        pruned.same_content = of(|p| &p.same_content);
        pruned.unread = of(|p| &p.unread);
        pruned.shared = of(|p| &p.shared);
    }
    merged.recoveries = recoveries(&parts);
    merged.runs = BTreeMap::new();
    for (cut, runs) in parts.iter().flat_map(|c| &c.runs) {
        *merged.runs.entry(*cut).or_default() += runs;
    }
    merged.reads_known = parts.iter().all(|c| c.reads_known);
    merged.legal_at_most = parts.iter().any(|c| c.legal_at_most);
    merged.all = parts.iter().all(|c| c.all);
    let ended = parts.iter().map(|c| c.ended);
    merged.ended = ended.max_by_key(|e| weight(*e)).unwrap_or_default();
    merged
}

fn recoveries(parts: &[&Coverage]) -> Option<Recoveries> {
    let cut: Vec<&Recoveries> = parts.iter().filter_map(|c| c.recoveries.as_ref()).collect();
    let count = |field: fn(&Recoveries) -> u64| cut.iter().map(|r| field(r)).sum::<u64>();
    (!cut.is_empty()).then(|| Recoveries {
        recorded: count(|r| r.recorded),
        legal_states: sum(cut.iter().map(|r| Some(&*r.legal_states))).unwrap_or_default(),
        checked: count(|r| r.checked),
        complete: count(|r| r.complete),
    })
}

/// The worst way to end stands for all.
fn weight(ended: Ended) -> u8 {
    match ended {
        Ended::Exhausted => 0,
        Ended::Budget => 1,
        Ended::FirstViolation => 2,
        Ended::Interrupted => 3,
    }
}

/// The sum of decimal numbers; none if one is absent.
fn sum<'t>(texts: impl Iterator<Item = Option<&'t str>>) -> Option<String> {
    let numbers: Option<Vec<BigUint>> = texts.map(|t| t?.parse().ok()).collect();
    numbers.map(|numbers| numbers.into_iter().sum::<BigUint>().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{json, Value};

    fn violation(rank: [u64; 3], image: &str, marks: u64) -> Value {
        json!({
            "id": format!("00000000:k={}:keep=none", rank[1]), "cut": rank[1], "kind": "check",
            "how": "exit 1", "output": "", "marks": marks, "kept": [], "lost": [],
            "image": image, "rank": rank,
        })
    }

    fn part(shard: &str, violations: Vec<Value>) -> Report {
        let nr: u64 = shard[..1].parse().unwrap();
        let report = json!({
            "schema": 1, "powercut": "0", "case": "x", "source": {},
            "disk": {"bytes": 0, "block_size": 4096, "atomic_unit": 4096,
                "write_cache": true, "fua": true},
            "examination": {"check": "c", "fsck": null, "mount": null, "timeout_ms": 1},
            "plan": {"strategy": "exhaustive", "budget": "none", "seed": 0,
                "stop_on_first": false, "shard": shard},
            "record": {"hash": "1", "events": 9, "writes": 9, "bytes": 9, "flushes": 9,
                "fua": 9, "marks": 9},
            "coverage": {"legal_states": "30", "cuts": 4, "checked": nr, "same_image": 0,
                "skipped": 0, "covered_states": (10 * nr).to_string(),
                "remaining_states": "0", "reads_known": true, "all": true,
                "ended": "exhausted"},
            "violations": violations, "seconds": {"record": 1.0, "explore": 2.0},
        });
        serde_json::from_value(report).unwrap()
    }

    #[test]
    fn parts_add_up_in_the_order_of_the_whole() {
        let one = part(
            "1/2",
            vec![violation([1, 0, 0], "aa", 1), violation([1, 2, 0], "bb", 1)],
        );
        let two = part(
            "2/2",
            vec![violation([1, 1, 0], "bb", 1), violation([1, 3, 0], "bb", 2)],
        );
        let merged = merge(&[two, one]).unwrap();
        let ranks: Vec<u64> = merged.violations.iter().map(|v| v.cut).collect();
        // The image of the third, with as many marks, was found before.
        assert_eq!(ranks, [0, 1, 3]);
        assert_eq!((merged.coverage.checked, merged.coverage.all), (3, true));
        assert_eq!(merged.coverage.covered_states.as_deref(), Some("30"));
        assert_eq!(merged.plan.shard, None);
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let refused = |reports: &[Report], why: &str| {
            let error = merge(reports).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        };
        let (one, two) = (part("1/3", Vec::new()), part("2/3", Vec::new()));
        refused(&[one.clone(), two.clone()], "3/3");
        refused(&[one.clone(), one.clone()], "twice");
        refused(&[one.clone(), part("2/2", Vec::new())], "plans");
        let mut other = two.clone();
        other.record.hash = "2".into();
        refused(&[one.clone(), other], "records");
        let mut other = two.clone();
        other.examination.check = "d".into();
        refused(&[one.clone(), other], "checks");
        let mut whole = one;
        whole.plan.shard = None;
        refused(&[whole], "not the report of a shard");
        refused(&[], "no reports");
    }
}
