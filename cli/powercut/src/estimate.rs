// SPDX-License-Identifier: GPL-2.0

//! What an exploration would take, told before it is made: `--dry-run`.

use std::time::Duration;

use num_bigint::BigUint;
use powercut_engine::budget::Budget;
use powercut_engine::explore::{legal_states, Plan};
use powercut_engine::strategy::{Space, Strategy};
use serde::Serialize;

use crate::progress::time;
use crate::report::Record;
use crate::size;
use crate::words::{about_text, many};

/// States of a strategy that are counted one by one.
const COUNTED: usize = 10_000;

/// How long one examination took, and how much was noted of it.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub took: Duration,
    pub noted_bytes: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct Estimate {
    pub case: String,
    pub record: Record,
    /// Cuts that are looked at, and the legal states over all of them, in decimal.
    pub cuts: u64,
    pub legal_states: String,
    /// There may be fewer: they could not be counted exactly.
    pub legal_at_most: bool,
    pub strategy: String,
    pub budget: String,
    pub jobs: u64,
    /// No more states than that are looked at; absent if that is not known before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub states: Option<u64>,
    /// For one examination, with mount and unmount.
    pub seconds_per_state: f64,
    /// From the start to here: recording and all.
    pub seconds_so_far: f64,
    /// No more than that for exploring, unless violations are found and their culprits looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// The report's directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_bytes: Option<u64>,
    /// The record, held by the driver and by the command.
    pub memory_bytes: u64,
}

/// What is known of an exploration before it is made.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub case: &'a str,
    pub plan: &'a Plan,
    pub jobs: usize,
    pub deadline: Option<Duration>,
    /// What recording.pcut takes.
    pub recording_bytes: u64,
    pub memory_bytes: u64,
    pub so_far: Duration,
}

impl Estimate {
    pub fn new(subject: Subject<'_>, space: &Space<'_>, sample: Sample) -> Self {
        let Subject { plan, jobs, .. } = subject;
        let legal = legal_states(space);
        let exact = space.is_counted();
        let each = sample.took.as_secs_f64();
        let states = states(plan, space, &legal, each / jobs as f64);
        let time_limit = match plan.budget {
            Budget::Time(time) => Some(time.as_secs_f64()),
            _ => None,
        };
        let left = subject.deadline.map(|deadline| {
            let left = deadline.saturating_sub(subject.so_far);
            left.as_secs_f64()
        });
        // The last of them are side by side, too.
        let seconds = states.map(|states| states.div_ceil(jobs as u64) as f64 * each);
        let shortest = [seconds, time_limit, left].into_iter().flatten();
        Self {
            case: subject.case.into(),
            record: Record::of(space.recording()),
            cuts: space.cuts().len() as u64,
            legal_states: legal.to_string(),
            legal_at_most: !exact,
            strategy: plan.strategy.to_string(),
            budget: plan.budget.to_string(),
            jobs: jobs as u64,
            states,
            seconds_per_state: each,
            seconds_so_far: subject.so_far.as_secs_f64(),
            seconds: shortest.min_by(f64::total_cmp),
            disk_bytes: states.map(|n| subject.recording_bytes + n * sample.noted_bytes),
            memory_bytes: subject.memory_bytes,
        }
    }

    pub fn text(&self) -> String {
        let legal = about_text(&self.legal_states);
        let at_most = if self.legal_at_most { "at most " } else { "" };
        let states = match self.states {
            Some(states) => format!("{states} at most"),
            None => {
                "all, by as few runs as can tell: how many follows from what the check reads".into()
            }
        };
        let exploring = match self.seconds {
            Some(seconds) => format!("about {} at most", time(seconds)),
            None => "not known before".into(),
        };
        let disk = match self.disk_bytes {
            Some(bytes) => format!("about {} at most, for the report", size::human(bytes)),
            None => "not known before".into(),
        };
        let rows = [
            (
                "record",
                format!(
                    "{} ({}), {}, {} FUA, {}",
                    many(self.record.writes, "write", "writes"),
                    size::human(self.record.bytes),
                    many(self.record.flushes, "flush", "flushes"),
                    self.record.fua,
                    many(self.record.marks, "mark", "marks")
                ),
            ),
            (
                "states",
                format!(
                    "{at_most}{legal} legal ones, at {}",
                    many(self.cuts, "cut", "cuts")
                ),
            ),
            (
                "to look at",
                format!(
                    "{states}; strategy {}, budget {}",
                    self.strategy, self.budget
                ),
            ),
            (
                "each",
                format!("{:.3} s, {} in parallel", self.seconds_per_state, self.jobs),
            ),
            (
                "time",
                format!("{exploring}, after {} so far", time(self.seconds_so_far)),
            ),
            ("disk", disk),
            (
                "memory",
                format!(
                    "about {} for the record, and what checks write",
                    size::human(self.memory_bytes)
                ),
            ),
        ];
        let mut text = format!("{}: dry run, nothing was explored\n", self.case);
        for (title, row) in rows {
            text.push_str(&format!("  {title:<10} {row}\n"));
        }
        text
    }
}

/// How many states are looked at, at most.
fn states(plan: &Plan, space: &Space<'_>, legal: &BigUint, seconds: f64) -> Option<u64> {
    let of_budget = match plan.budget {
        Budget::States(n) => Some(n),
        Budget::Time(time) if seconds > 0.0 => Some((time.as_secs_f64() / seconds).ceil() as u64),
        Budget::Time(_) | Budget::Unlimited => None,
    };
    let legal = u64::try_from(legal).ok();
    let named = match plan.strategy {
        Strategy::Auto | Strategy::Exhaustive => None,
        strategy => {
            let states = strategy.states(space, plan.seed).take(COUNTED + 1).count();
            (states <= COUNTED).then_some(states as u64)
        }
    };
    let first = [of_budget, legal, named].into_iter().flatten().min()?;
    // Each may have its recovery cut, and that in turn its own.
    let more = match (plan.depth, plan.recovery_budget) {
        (1, _) => 0,
        (_, Budget::States(n)) => n,
        (_, Budget::Time(_) | Budget::Unlimited) => return None,
    };
    let each =
        (1..plan.depth).try_fold(1_u64, |states, _| states.checked_mul(more)?.checked_add(1));
    first.checked_mul(each?)
}

#[cfg(test)]
mod tests {
    use powercut_engine::marks::Marks;

    use super::*;
    use powercut_engine::recording::testing::History;

    fn plan(strategy: Strategy, budget: Budget) -> Plan {
        Plan {
            strategy,
            budget,
            seed: 0,
            marks: Marks::Any,
            max_violations: None,
            shard: None,
            depth: 1,
            recovery_budget: Budget::States(30),
        }
    }

    fn estimate(plan: &Plan, deadline: Option<u64>) -> Estimate {
        let recording = History::new()
            .write(0, "a")
            .write(1, "b")
            .write(2, "c")
            .flush()
            .write(0, "d")
            .done();
        let subject = Subject {
            case: "a case",
            plan,
            jobs: 2,
            deadline: deadline.map(Duration::from_secs),
            recording_bytes: 1000,
            memory_bytes: 4096,
            so_far: Duration::from_secs(3),
        };
        let sample = Sample {
            took: Duration::from_millis(500),
            noted_bytes: 10,
        };
        Estimate::new(subject, &Space::new(&recording, Marks::Any), sample)
    }

    #[test]
    fn what_ends_first_limits_states_and_time() {
        use Budget::{States, Time, Unlimited};
        let time = |s| Time(Duration::from_secs(s));
        // There are 8 + 2 legal states, at two cuts; `ends` has two of each.
        for (strategy, budget, deadline, states, seconds) in [
            (Strategy::Auto, States(300), None, Some(10), Some(2.5)),
            (Strategy::Auto, States(5), None, Some(5), Some(1.5)),
            (Strategy::Exhaustive, Unlimited, None, Some(10), Some(2.5)),
            (Strategy::Ends, States(300), None, Some(4), Some(1.0)),
            (Strategy::Auto, time(1), None, Some(4), Some(1.0)),
            (Strategy::Auto, time(900), None, Some(10), Some(2.5)),
            (Strategy::Auto, States(300), Some(4), Some(10), Some(1.0)),
            (Strategy::Auto, States(300), Some(2), Some(10), Some(0.0)),
        ] {
            let found = estimate(&plan(strategy, budget), deadline);
            let what = format!("{strategy} {budget} {deadline:?}");
            assert_eq!((found.states, found.seconds), (states, seconds), "{what}");
            assert_eq!(
                (found.legal_states.as_str(), found.cuts),
                ("10", 2),
                "{what}"
            );
            assert_eq!(found.disk_bytes, states.map(|n| 1000 + 10 * n), "{what}");
        }
    }

    #[test]
    fn recoveries_that_are_cut_count() {
        let mut plan = plan(Strategy::Auto, Budget::States(5));
        plan.depth = 2;
        assert_eq!(estimate(&plan, None).states, Some(5 * 31));
        plan.depth = 3;
        assert_eq!(estimate(&plan, None).states, Some(5 * 931));
        plan.recovery_budget = Budget::Unlimited;
        let unknown = estimate(&plan, None);
        assert_eq!((unknown.states, unknown.seconds), (None, None));
        assert!(unknown.text().contains("not known before"));
    }
}
