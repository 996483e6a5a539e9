// SPDX-License-Identifier: GPL-2.0

//! How far an exploration is: a bar on a terminal, a line now and then elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use powercut_engine::budget::Budget;
use powercut_engine::choices::Choices;
use powercut_engine::explore::{Progress, Violation, Watch};
use powercut_model::Event;

use crate::output::say;
use crate::report::{self, Register};
use crate::words::many;

/// Between two lines where there is no terminal.
const INTERVAL: Duration = Duration::from_secs(10);
/// The length of the bar, in steps.
const STEPS: u64 = 10_000;

/// What came up.
#[derive(Debug, Default)]
pub struct Seen {
    pub violations: Vec<report::Violation>,
    /// The number of states examined at each cut.
    pub runs: BTreeMap<Event, u64>,
    /// Of these, those of which the check could not tell.
    pub skipped: BTreeMap<Event, u64>,
}

/// Shows progress on standard error, and has violations noted as they come.
pub struct Reporter<'n> {
    bar: Option<ProgressBar>,
    budget: Budget,
    said: Duration,
    seen: Seen,
    register: Register,
    note: Box<dyn FnMut(&report::Violation) + 'n>,
}

impl<'n> Reporter<'n> {
    /// `earlier`: what was found before it goes on.
    pub fn new(
        budget: Budget,
        earlier: &[report::Violation],
        note: impl FnMut(&report::Violation) + 'n,
    ) -> Self {
        let show = std::io::stderr().is_terminal();
        Self {
            bar: show.then(bar).flatten(),
            budget,
            said: Duration::ZERO,
            seen: Seen::default(),
            register: Register::of(earlier),
            note: Box::new(note),
        }
    }

    /// Takes the bar away; what came up.
    pub fn finish(self) -> Seen {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        self.seen
    }
}

fn bar() -> Option<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:30} {msg}").ok()?;
    let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::stderr());
    bar.set_style(style);
    Some(bar)
}

/// How much is done, from 0 to 1: of the budget, or of all there is, whichever
/// ends first.
fn fraction(budget: Budget, progress: &Progress) -> f64 {
    let of_budget = match budget {
        Budget::States(n) => progress.spent as f64 / n as f64,
        Budget::Time(t) => progress.elapsed.as_secs_f64() / t.as_secs_f64(),
        Budget::Unlimited => 0.0,
    };
    of_budget.max(progress.fraction.unwrap_or(0.0)).min(1.0)
}

/// 512 states, 23 a second, 2 violations, 41 %, about 3 min left
fn line(progress: &Progress, done: f64) -> String {
    let Progress {
        checked,
        violations,
        elapsed,
        ..
    } = progress;
    let elapsed = elapsed.as_secs_f64();
    let rate = *checked as f64 / elapsed.max(0.001);
    let rate = if rate < 10.0 {
        format!("{rate:.1}")
    } else {
        format!("{rate:.0}")
    };
    let percent = (done * 100.0).floor();
    let left = if done > 0.0 && elapsed >= 1.0 {
        format!(", about {} left", time(elapsed * (1.0 - done) / done))
    } else {
        String::new()
    };
    let states = many(*checked, "state", "states");
    let violations = many(*violations as u64, "violation", "violations");
    format!("{states}, {rate} a second, {violations}, {percent} %{left}")
}

/// A time for people.
pub fn time(seconds: f64) -> String {
    match seconds {
        s if s < 100.0 => format!("{s:.0} s"),
        s if s < 6000.0 => format!("{:.0} min", s / 60.0),
        s if s < 360_000.0 => format!("{:.0} h", s / 3600.0),
        _ => "days".into(),
    }
}

impl Watch for Reporter<'_> {
    fn progress(&mut self, progress: Progress) {
        let done = fraction(self.budget, &progress);
        if let Some(bar) = &self.bar {
            bar.set_message(line(&progress, done));
            bar.set_position((done * STEPS as f64) as u64);
        } else if progress.elapsed.saturating_sub(self.said) >= INTERVAL {
            self.said = progress.elapsed;
            say(format_args!("{}", line(&progress, done)));
        }
    }

    fn examined(&mut self, cut: Event) {
        *self.seen.runs.entry(cut).or_default() += 1;
    }

    fn skipped(&mut self, cut: Event) {
        *self.seen.skipped.entry(cut).or_default() += 1;
    }

    fn violation(&mut self, choices: &Choices<'_>, violation: &Violation) {
        let mut violation = report::Violation::of(choices, violation);
        self.register.enter(&mut violation);
        (self.note)(&violation);
        self.seen.violations.push(violation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_first_tells_the_time_left() {
        let progress = Progress {
            checked: 30,
            violations: 2,
            elapsed: Duration::from_secs(2),
            fraction: Some(0.1),
            spent: 50,
        };
        let told = |budget| line(&progress, fraction(budget, &progress));
        assert_eq!(
            told(Budget::States(100)),
            "30 states, 15 a second, 2 violations, 50 %, about 2 s left"
        );
        assert!(told(Budget::Unlimited).ends_with("10 %, about 18 s left"));
        assert!(told(Budget::Time(Duration::from_secs(4000))).ends_with("10 %, about 18 s left"));
    }
}
