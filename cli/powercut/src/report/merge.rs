// SPDX-License-Identifier: GPL-2.0

//! Reports of the shards of one exploration, put together.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{bail, Result};
use num_bigint::BigUint;
use powercut_engine::explore::Shard;
use powercut_model::Event;

use super::kinds::Kinds;
use super::model::{Coverage, Ended, Recoveries, Report};
use super::register::{first_of_sorts, Register};
use super::violation::Violation;

/// The report of a shard, and where it is.
pub type Part = (String, Report);

/// One report of several; all shards must be there, once each.
pub fn merge(parts: &[Part]) -> Result<Report> {
    let Some(first) = parts.first() else {
        bail!("no reports were given");
    };
    let mut shards: BTreeMap<u64, &Part> = BTreeMap::new();
    let mut of = 0;
    for part in parts {
        same(first, part)?;
        let (dir, report) = part;
        let shard = report.plan.shard.as_deref().map(str::parse::<Shard>);
        let Some(Ok(shard)) = shard else {
            bail!("{dir} ({:?}) is not the report of a shard", report.case);
        };
        of = shard.of;
        if let Some((other, _)) = shards.insert(shard.nr, part) {
            bail!("shard {shard} is there twice: {other} and {dir}");
        }
    }
    let missing: Vec<String> = (1..=of)
        .filter(|nr| !shards.contains_key(nr))
        .map(|nr| format!("{nr}/{of}"))
        .collect();
    if !missing.is_empty() {
        bail!("shards {} are missing", missing.join(", "));
    }
    let mut merged = without_violations(&first.1);
    merged.plan.shard = None;
    merged.coverage = coverage(shards.values().map(|(_, r)| &r.coverage));
    merged.violations = violations(shards.values().map(|(_, r)| &r.violations[..]));
    merged.errors = shards.values().flat_map(|part| errors(part)).collect();
    merged.seconds.explore = shards.values().map(|(_, r)| r.seconds.explore).sum();
    Ok(merged)
}

/// A report's own facts.
fn without_violations(report: &Report) -> Report {
    Report {
        powercut: report.powercut.clone(),
        case: report.case.clone(),
        began: report.began.clone(),
        disk: report.disk.clone(),
        source: report.source.clone(),
        examination: report.examination.clone(),
        plan: report.plan.clone(),
        record: report.record.clone(),
        faults: report.faults.clone(),
        baseline: report.baseline.clone(),
        coverage: Coverage::default(),
        violations: Vec::new(),
        errors: Vec::new(),
        ..*report
    }
}

/// Those of all shards in the order of the whole, with numbers of their own: an image once for the
/// marks that it breaks. Of which sort one is, the first of its sort in its shard tells.
fn violations<'v>(shards: impl Iterator<Item = &'v [Violation]>) -> Vec<Violation> {
    let mut all = Vec::new();
    for found in shards {
        let firsts = first_of_sorts(found, usize::MAX).into_iter();
        let firsts: HashMap<u64, &Violation> =
            firsts.map(|at| (found[at].sort, &found[at])).collect();
        all.extend(
            found
                .iter()
                .map(|v| (v, *firsts.get(&v.sort).unwrap_or(&v))),
        );
    }
    all.sort_by_key(|(violation, _)| violation.rank);
    let mut images = HashSet::new();
    all.retain(|(violation, _)| images.insert((&violation.image, violation.marks)));
    let mut register = Register::default();
    let merged = all.into_iter().map(|(violation, first)| {
        let mut violation = violation.clone();
        register.enter_like(&mut violation, first);
        violation
    });
    merged.collect()
}

/// What went wrong in a shard.
fn errors((dir, report): &Part) -> Vec<String> {
    let shard = report.plan.shard.as_deref().unwrap_or_default();
    let how = match report.coverage.ended {
        Ended::Interrupted => Some("was interrupted"),
        Ended::Failed => Some("ended with an error"),
        Ended::Unfinished => Some("did not end"),
        Ended::Exhausted | Ended::Budget | Ended::Deadline => None,
        Ended::FirstViolation | Ended::MaxViolations => None,
    };
    let open = how.map(|how| format!("shard {shard} ({dir}) {how}"));
    let own = report.errors.iter();
    let own = own.map(|error| format!("shard {shard} ({dir}): {error}"));
    open.into_iter().chain(own).collect()
}

/// Whether two are of the same exploration.
fn same((here, a): &Part, (there, b): &Part) -> Result<()> {
    let header = |report: &Report| {
        let mut report = without_violations(report);
        report.plan.shard = None;
        report.header()
    };
    header(a).same(here, &header(b), there)?;
    let plan = |r: &Report| {
        let of = Shard::of_text(r.plan.shard.as_deref());
        format!(
            "budget {}, recovery budget {}, {} shards",
            r.plan.budget,
            r.plan.recovery_budget.as_deref().unwrap_or("none"),
            of.unwrap_or(1)
        )
    };
    let (ours, theirs) = (plan(a), plan(b));
    if ours != theirs {
        bail!(
            "{here} and {there} do not belong together: the plan of {here} is {ours}, that of {there} is {theirs}"
        );
    }
    Ok(())
}

fn coverage<'c>(parts: impl Iterator<Item = &'c Coverage>) -> Coverage {
    let parts: Vec<&Coverage> = parts.collect();
    // What one that did not end counted is not there.
    let counted = parts.iter().find(|c| c.ended != Ended::Unfinished);
    let mut merged = match counted.or(parts.first()) {
        Some(first) => (*first).clone(),
        None => return Coverage::default(),
    };
    let count = |field: fn(&Coverage) -> u64| parts.iter().map(|c| field(c)).sum::<u64>();
    let states = |field: fn(&Coverage) -> Option<&str>| sum(parts.iter().map(|c| field(c)));
    merged.checked = count(|c| c.checked);
    merged.skipped = count(|c| c.skipped);
    merged.same_reads = count(|c| c.same_reads);
    merged.repeats.repeated = count(|c| c.repeats.repeated);
    merged.repeats.other_verdict = count(|c| c.repeats.other_verdict);
    merged.repeats.other_reads = count(|c| c.repeats.other_reads);
    merged.repeats.example = parts.iter().find_map(|c| c.repeats.example.clone());
    // The shards look at cuts, each at its own.
    merged.covered_states = states(|c| c.covered_states.as_deref());
    merged.skipped_states = states(|c| c.skipped_states.as_deref());
    merged.remaining_states = rest(&merged);
    merged.of_other_shards = None;
    if let Some(pruned) = &mut merged.pruned {
        let of = |field: fn(&super::Pruned) -> &str| {
            sum(parts.iter().map(|c| c.pruned.as_ref().map(field))).unwrap_or_default()
        };
        pruned.same_content = of(|p| &p.same_content);
        pruned.unread = of(|p| &p.unread);
        pruned.shared = of(|p| &p.shared);
    }
    merged.kinds = Kinds::merged(parts.iter().filter_map(|c| c.kinds.as_ref()));
    merged.recoveries = recoveries(&parts);
    merged.runs = by_cut(parts.iter().map(|c| &c.runs));
    merged.skipped_runs = by_cut(parts.iter().map(|c| &c.skipped_runs));
    merged.reads_known = parts.iter().all(|c| c.reads_known);
    merged.legal_at_most = parts.iter().any(|c| c.legal_at_most);
    merged.all = parts.iter().all(|c| c.all);
    let ended = parts.iter().map(|c| c.ended);
    merged.ended = ended.max_by_key(|e| weight(*e)).unwrap_or_default();
    merged
}

/// The legal states that are neither covered nor skipped.
fn rest(coverage: &Coverage) -> Option<String> {
    let known = [&coverage.covered_states, &coverage.skipped_states];
    let known = sum(known.into_iter().map(Option::as_deref))?;
    let (legal, known): (BigUint, BigUint) =
        (coverage.legal_states.parse().ok()?, known.parse().ok()?);
    (known <= legal).then(|| (legal - known).to_string())
}

fn by_cut<'c>(parts: impl Iterator<Item = &'c BTreeMap<Event, u64>>) -> BTreeMap<Event, u64> {
    let mut all = BTreeMap::new();
    for (cut, runs) in parts.flatten() {
        *all.entry(*cut).or_default() += runs;
    }
    all
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
        Ended::Deadline => 2,
        Ended::FirstViolation | Ended::MaxViolations => 3,
        Ended::Interrupted => 4,
        Ended::Failed => 5,
        Ended::Unfinished => 6,
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
    use crate::report::Conclusion;
    use serde_json::{json, Value};

    fn violation(rank: [u64; 3], image: &str, marks: u64) -> Value {
        json!({
            "id": format!("00000000:k={}:keep=none", rank[1]), "cut": rank[1], "kind": "check",
            "how": "exit 1", "output": "", "marks": marks, "kept": [], "lost": [],
            "image": image, "rank": rank,
        })
    }

    fn part(shard: &str, violations: Vec<Value>) -> Part {
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
                "skipped_states": "0", "remaining_states": "0", "reads_known": true, "all": true,
                "ended": "exhausted"},
            "violations": violations, "seconds": {"record": 1.0, "explore": 2.0},
        });
        (
            format!("part-{nr}"),
            serde_json::from_value(report).unwrap(),
        )
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
        assert!(merged.errors.is_empty(), "{:?}", merged.errors);
    }

    #[test]
    fn the_sort_of_one_is_that_of_the_first_like_it_in_its_shard() {
        let one = |nr: u64, number: u64, output: &str, is_whole: bool| {
            let mut one = violation([1, nr, 0], &nr.to_string(), 1);
            one["number"] = number.into();
            one["sort"] = 1.into();
            one["output"] = output.into();
            if !is_whole {
                one.as_object_mut().unwrap().remove("kept");
                one.as_object_mut().unwrap().remove("lost");
            }
            one
        };
        let first = vec![one(3, 1, "key 1 is lost\nand more", true)];
        // The one that is whole comes after the other in the order of all.
        let second = vec![
            one(2, 1, "key 2 is lost\nand more", true),
            one(1, 2, "key 3 is lost", false),
        ];
        let merged = merge(&[part("1/2", first), part("2/2", second)]).unwrap();
        let told = merged
            .violations
            .iter()
            .map(|v| (v.number, v.sort, v.cut, v.kept.is_some()));
        let told: Vec<_> = told.collect();
        assert_eq!(told, [(1, 1, 1, false), (2, 1, 2, true), (3, 1, 3, false)]);
    }

    #[test]
    fn covered_skipped_and_remaining_states_are_all_that_are_legal() {
        let (mut one, mut two) = (part("1/2", Vec::new()), part("2/2", Vec::new()));
        one.1.coverage.skipped_states = Some("3".into());
        one.1.coverage.covered_states = Some("5".into());
        // Of the 30 each of them sees those of the other as remaining.
        one.1.coverage.remaining_states = Some("22".into());
        one.1.coverage.of_other_shards = Some("20".into());
        one.1.coverage.skipped_runs.insert(4, 2);
        two.1.coverage.covered_states = Some("20".into());
        two.1.coverage.remaining_states = Some("10".into());
        let merged = merge(&[one.clone(), two]).unwrap().coverage;
        let states = |text: &Option<String>| text.as_ref().unwrap().parse::<u64>().unwrap();
        let known = states(&merged.covered_states) + states(&merged.skipped_states);
        assert_eq!(known, 28);
        assert_eq!(states(&merged.remaining_states), 2);
        assert_eq!(merged.of_other_shards, None);
        assert_eq!(merged.skipped_runs[&4], 2);
    }

    #[test]
    fn shards_that_did_not_end_are_named_and_the_whole_is_undecided() {
        for (ended, says) in [
            (Ended::Interrupted, "was interrupted"),
            (Ended::Failed, "ended with an error"),
            (Ended::Unfinished, "did not end"),
        ] {
            let one = part("1/2", Vec::new());
            let mut two = part("2/2", Vec::new());
            two.1.coverage.ended = ended;
            two.1.errors.push("no space".into());
            let merged = merge(&[one, two]).unwrap();
            assert_eq!(merged.coverage.ended, ended);
            let errors = merged.errors.join("\n");
            assert!(errors.contains("shard 2/2 (part-2)"), "{errors}");
            assert!(
                errors.contains(says) && errors.contains("no space"),
                "{errors}"
            );
            assert_eq!(Conclusion::of(&merged), Conclusion::Undecided);
        }
        let ended = [part("1/2", Vec::new()), part("2/2", Vec::new())];
        let merged = merge(&ended).unwrap();
        assert_eq!(Conclusion::of(&merged), Conclusion::Consistent);
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let refused = |parts: &[Part], why: &str| {
            let error = merge(parts).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
            // Both are named.
            for (dir, _) in parts.iter().filter(|_| why.starts_with("the ")) {
                assert!(error.contains(dir), "{error}");
            }
        };
        let (one, two) = (part("1/3", Vec::new()), part("2/3", Vec::new()));
        refused(&[one.clone(), two.clone()], "3/3");
        refused(&[one.clone(), one.clone()], "twice");
        refused(&[one.clone(), part("2/2", Vec::new())], "the plan of");
        let mut other = two.clone();
        other.1.record.hash = "2".into();
        refused(&[one.clone(), other], "the record of");
        let mut other = two.clone();
        other.1.examination.check = "d".into();
        refused(&[one.clone(), other], "the check of");
        let mut whole = one;
        whole.1.plan.shard = None;
        refused(&[whole], "not the report of a shard");
        refused(&[], "no reports");
    }
}
