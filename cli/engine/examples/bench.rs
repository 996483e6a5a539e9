// SPDX-License-Identifier: GPL-2.0

//! Measures the engine on a made-up record, without any machine; called by scripts/bench.
//!
//! `bench KIND EVENTS [BUDGET]` prints one line of JSON; `bench flaws ENTRIES` one for each flaw and
//! order of states: how many states it took to find it; `bench write KIND EVENTS FILE` writes a
//! record to a file.

use std::collections::HashSet;
use std::fs::File;
use std::io::BufWriter;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};
use powercut_engine::budget::Budget;
use powercut_engine::explore::{
    explore, Journal, JournaledRunner, Key, Outcome, Plan, Progress, Runner, Seen, Watch,
};
use powercut_engine::lint::lint;
use powercut_engine::made_up::promises::Promises;
use powercut_engine::made_up::{entries_of, promises, stream, Flaw, Kind, MadeUp};
use powercut_engine::marks::Marks;
use powercut_engine::oracle::{Finding, Kind as Broken, Verdict};
use powercut_engine::reads::Reads;
use powercut_engine::recording::Recording;
use powercut_engine::stop::Never;
use powercut_engine::strategy::{Space, State, States, Strategy};
use serde_json::json;

/// Units that the check reads, whatever the size of the record.
const READS: u64 = 60;

/// Reads some units, one of each of as many equal parts of those written. Which one it is follows, in
/// half of the parts, from what the others hold. Every 20th state is bad. Its own time is left out.
struct Check {
    seen: Vec<(Key, Seen)>,
    runs: u64,
    spent: Duration,
    first: Option<Instant>,
    /// From the end of a run to the begin of the next.
    between: Vec<Duration>,
    ended: Option<Instant>,
}

impl Runner for Check {
    fn slots(&self) -> usize {
        1
    }

    fn begin(&mut self, key: Key, state: &State<'_>) -> Result<()> {
        let began = Instant::now();
        self.first.get_or_insert(began);
        self.between.extend(self.ended.map(|ended| began - ended));
        self.runs += 1;
        let choices = &state.choices;
        let written = choices.recording().written();
        let sectors = u64::from(choices.cut().geometry().unit_sectors);
        let mut mind = 1u64;
        let mut ranges = Vec::new();
        let len = written.len() as u64;
        for nr in 0..READS.min(len) {
            let part = nr * len / READS.min(len);
            let end = (nr + 1) * len / READS.min(len);
            let place = match nr % 2 {
                0 => part,
                _ => part + (mind >> 8) % (end - part),
            } as usize;
            let content = choices.content_at(place as u32, &state.keep) as u64;
            mind = mind.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ content;
            ranges.push((written[place] * sectors, sectors));
        }
        let verdict = match self.runs % 20 {
            0 => Verdict::Violation(Finding::new(Broken::Check, "exit status 1", "it is lost")),
            _ => Verdict::Consistent,
        };
        let seen = Seen::new(verdict, Some(Reads::from_ranges(ranges)));
        self.seen.push((key, seen));
        self.spent += began.elapsed();
        self.ended = Some(Instant::now());
        Ok(())
    }

    fn next(&mut self) -> Result<(Key, Seen)> {
        self.seen.pop().context("nothing was begun")
    }
}

/// Counts the states that have a verdict, from a run of their own or not.
#[derive(Default)]
struct Counter(u64);

impl Watch for Counter {
    fn progress(&mut self, _: Progress) {
        self.0 += 1;
    }
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(|arg| arg.as_str()).collect();
    match args[..] {
        ["write", kind, events, file] => {
            let mut out = BufWriter::new(File::create(file)?);
            std::io::copy(&mut stream(plain(kind, events.parse()?)?), &mut out)?;
            Ok(())
        }
        ["flaws", entries] => flaws(entries.parse()?),
        [kind, events] => measure(kind, events.parse()?, 300),
        [kind, events, budget] => measure(kind, events.parse()?, budget.parse()?),
        _ => {
            bail!("bench KIND EVENTS [BUDGET], bench flaws ENTRIES, or bench write KIND EVENTS FILE")
        }
    }
}

/// A record of so many events without a flaw.
fn plain(name: &str, events: u64) -> Result<MadeUp> {
    let found = Kind::ALL.iter().find(|(kind, _)| *kind == name);
    let kind = found.map(|(_, kind)| *kind).context("no such kind")?;
    Ok(MadeUp {
        kind,
        entries: entries_of(kind, events),
        flaw: None,
    })
}

/// How many of the first 300 states of each order are needed to find one flaw.
fn flaws(entries: usize) -> Result<()> {
    let late = entries as u64 / 20;
    let cases = [
        (
            "one rename without its directory's fsync",
            Kind::Save,
            Some((Flaw::Rename, late)),
        ),
        ("none", Kind::Save, None),
        (
            "one checkpoint that truncates the log too early",
            Kind::Wal,
            Some((Flaw::Checkpoint, 17)),
        ),
        (
            "one acknowledgement before its flush",
            Kind::Wal,
            Some((Flaw::Acknowledgement, late)),
        ),
        ("none", Kind::Wal, None),
    ];
    for (name, kind, flaw) in cases {
        let made_up = MadeUp {
            kind,
            entries,
            flaw,
        };
        let recording = Recording::read(stream(made_up))?;
        let promises = Promises::new(&recording, promises(made_up));
        let space = Space::new(&recording, Marks::Any);
        let orders: [(&str, States<'_, '_>); 4] = [
            ("auto", Strategy::Auto.states(&space, 1)),
            ("ends of the heaviest cuts", ends_of_heaviest(&space)),
            ("prefix", Strategy::Prefix.states(&space, 1)),
            ("random", Strategy::Random.states(&space, 1)),
        ];
        for (order, states) in orders {
            let mut seen = HashSet::new();
            let mut states = states.filter(|state| {
                let marks = recording.marks_by(state.choices.event()).len();
                seen.insert((state.choices.image(&state.keep), marks))
            });
            let is_bad = |state: State<'_>| !promises.look(&state.choices, &state.keep).0;
            let found = states.by_ref().take(300).position(is_bad);
            print(&json!({
                "section": "flaws", "kind": format!("{kind:?}"), "entries": entries,
                "flaw": name, "order": order, "found_by": found.map(|at| at + 1),
            }));
        }
    }
    Ok(())
}

/// Everything kept and everything lost, where most is pending first.
fn ends_of_heaviest<'s, 'r: 's>(space: &'s Space<'r>) -> States<'s, 'r> {
    let cuts = space.heaviest_first().into_iter();
    let choices = cuts.filter_map(|cut| space.choices(cut));
    Box::new(choices.flat_map(|choices| {
        [choices.all(), choices.none()].map(|keep| State {
            choices: Rc::clone(&choices),
            keep,
        })
    }))
}

fn measure(kind: &str, events: u64, budget: u64) -> Result<()> {
    let made_up = plain(kind, events)?;
    let began = Instant::now();
    std::io::copy(&mut stream(made_up), &mut std::io::sink())?;
    let making = began.elapsed();
    let began = Instant::now();
    let recording = Recording::read(stream(made_up))?;
    let read = began.elapsed();
    let memory = peak_kib()?;
    let began = Instant::now();
    let space = Space::new(&recording, Marks::Any);
    let cuts = space.cuts().len();
    let states_bits = space.legal().bits();
    let count = began.elapsed();
    drop(space);

    let plan = Plan {
        strategy: Strategy::Auto,
        budget: Budget::States(budget),
        seed: 1,
        max_violations: None,
        shard: None,
        depth: 1,
        recovery_budget: Budget::Unlimited,
        marks: Marks::Any,
    };
    let mut check = Check {
        seen: Vec::new(),
        runs: 0,
        spent: Duration::ZERO,
        first: None,
        between: Vec::new(),
        ended: None,
    };
    let began = Instant::now();
    // As it begins in the command: with nothing known of the record.
    let space = Space::new(&recording, Marks::Any);
    let mut journal = Journal::none();
    let mut runner = JournaledRunner::new(&mut check, &mut journal);
    let mut counter = Counter::default();
    let (outcome, error): (Outcome, _) = explore(&space, &plan, &mut runner, &Never, &mut counter);
    if let Some(error) = error {
        return Err(error);
    }
    let all = began.elapsed();
    let first = check.first.context("nothing was examined")? - began;
    let own = all.saturating_sub(check.spent).saturating_sub(first);
    check.between.sort_unstable();
    let median = check
        .between
        .get(check.between.len() / 2)
        .copied()
        .unwrap_or_default();
    let most = check.between.last().copied().unwrap_or_default();
    let explored = peak_kib()?;
    let began = Instant::now();
    let linted = lint(&recording);
    let lint = began.elapsed();
    drop(linted);
    let events = recording.header().newest_event;
    let per_event = |kib: u64| (kib * 1024) as f64 / events as f64;
    print(&json!({
        "section": "engine", "kind": kind, "entries": made_up.entries, "events": events,
        "cuts": cuts, "legal_bits": states_bits,
        "runs": check.runs, "states": counter.0, "violations": outcome.violations.len(),
        "making_s": making.as_secs_f64(), "read_s": read.as_secs_f64(),
        "count_s": count.as_secs_f64(), "first_s": first.as_secs_f64(),
        "state_us": median.as_secs_f64() * 1e6, "state_max_us": most.as_secs_f64() * 1e6,
        "own_s": own.as_secs_f64(), "lint_s": lint.as_secs_f64(),
        "read_bytes": per_event(memory), "explored_bytes": per_event(explored),
        "explored_mib": explored / 1024,
    }));
    Ok(())
}

#[allow(clippy::print_stdout)]
fn print(line: &serde_json::Value) {
    println!("{line}");
}

/// The most memory that this process has had so far.
fn peak_kib() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.context("no VmHWM")?.parse()?)
}
