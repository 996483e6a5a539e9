// SPDX-License-Identifier: GPL-2.0

//! How far an exploration is: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::choices::Choices;
use crate::explore::{Progress, Violation, Watch};
use crate::report;
use crate::size::Budget;

/// Between two lines where there is no terminal.
const INTERVAL: Duration = Duration::from_secs(10);

/// Shows progress on standard error, and keeps the violations for the report.
pub struct Reporter {
    bar: Option<ProgressBar>,
    budget: Budget,
    said: Duration,
    pub violations: Vec<report::Violation>,
}

impl Reporter {
    pub fn new(budget: Budget) -> Self {
        let show = std::io::stderr().is_terminal();
        Self {
            bar: show.then(|| bar(budget)).flatten(),
            budget,
            said: Duration::ZERO,
            violations: Vec::new(),
        }
    }

    /// Takes the bar away.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn bar(budget: Budget) -> Option<ProgressBar> {
    let (len, template) = match budget {
        Budget::States(n) => (
            n,
            "{bar:30} {pos}/{len} states, {per_sec}, {msg}, at most {eta}",
        ),
        Budget::Time(t) => (t.as_secs(), "{bar:30} {msg}, {elapsed} of {len} s"),
    };
    let style = ProgressStyle::with_template(template).ok()?;
    let bar = ProgressBar::with_draw_target(Some(len), ProgressDrawTarget::stderr());
    bar.set_style(style);
    bar.set_message("0 violations");
    Some(bar)
}

impl Watch for Reporter {
    fn progress(&mut self, progress: Progress) {
        let Progress {
            checked,
            violations,
            elapsed,
        } = progress;
        if let Some(bar) = &self.bar {
            match self.budget {
                Budget::States(_) => {
                    bar.set_message(format!("{violations} violations"));
                    bar.set_position(checked);
                }
                Budget::Time(_) => {
                    bar.set_message(format!("{checked} states, {violations} violations"));
                    bar.set_position(elapsed.as_secs());
                }
            }
        } else if elapsed.saturating_sub(self.said) >= INTERVAL {
            self.said = elapsed;
            let rate = checked as f64 / elapsed.as_secs_f64();
            eprintln!(
                "powercut: {checked} states checked, {rate:.0} a second, {violations} violations"
            );
        }
    }

    fn violation(&mut self, choices: &Choices<'_>, violation: &Violation) {
        self.violations
            .push(report::Violation::of(choices, violation));
    }
}
