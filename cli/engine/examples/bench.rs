// SPDX-License-Identifier: GPL-2.0

//! Measures the engine on a record, without any machine; called by scripts/bench.
//!
//! `bench KIND EVENTS [BUDGET]` prints one line of JSON, of a made-up record; `bench read NAME FILE
//! [BUDGET]` the same of a recorded one, as a report has it; `bench flaws ENTRIES` one for each flaw and
//! order of states: how many states it took to find it; `bench write KIND EVENTS FILE` writes a
//! record to a file.

use std::cell::Cell;
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};
use lz4_flex::frame::FrameDecoder;
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

/// States with no more pending pieces than this are compared across sizes.
const FEW: usize = 16;

/// Reads some units, one of each of as many equal parts of those written. Which one it is follows, in
/// half of the parts, from what the others hold. Every 20th state is bad. Its own time is left out.
struct Check {
    seen: Vec<(Key, Seen)>,
    runs: u64,
    spent: Duration,
    began: Timer,
    first: Option<[f64; 2]>,
    /// How many states have a verdict.
    states: Rc<Cell<u64>>,
    /// From the end of a run to the begin of the next, for each state that got its verdict then; and
    /// how many pieces were pending in that of the two that has more.
    between: Vec<(Duration, usize)>,
    /// The end of a run, how many states had a verdict then, and the pieces pending in its own.
    ended: Option<(Instant, u64, usize)>,
}

impl Runner for Check {
    fn slots(&self) -> usize {
        1
    }

    fn begin(&mut self, key: Key, state: &State<'_>) -> Result<()> {
        if self.first.is_none() {
            self.first = Some(self.began.seconds()?);
        }
        let began = Instant::now();
        let states = self.states.get();
        let pieces = state.choices.len();
        let between = self.ended.map(|(ended, then, before)| {
            let states = u32::try_from(states - then).unwrap_or(u32::MAX);
            ((began - ended) / states.max(1), pieces.max(before))
        });
        self.between.extend(between);
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
        self.ended = Some((Instant::now(), states, pieces));
        Ok(())
    }

    fn next(&mut self) -> Result<(Key, Seen)> {
        self.seen.pop().context("nothing was begun")
    }
}

/// Counts the states that have a verdict, from a run of their own or not.
struct Counter(Rc<Cell<u64>>);

impl Watch for Counter {
    fn progress(&mut self, _: Progress) {
        self.0.set(self.0.get() + 1);
    }
}

/// How long something took: by the clock, and on the processor, which on a busy machine is less.
struct Timer {
    began: Instant,
    on_processor: Duration,
}

impl Timer {
    fn start() -> Result<Self> {
        Ok(Self {
            began: Instant::now(),
            on_processor: on_processor()?,
        })
    }

    /// Seconds so far: by the clock, on the processor.
    fn seconds(&self) -> Result<[f64; 2]> {
        let on_processor = on_processor()? - self.on_processor;
        Ok([self.began.elapsed(), on_processor].map(|time| time.as_secs_f64()))
    }
}

/// What this process, which has one thread, was on the processor so far.
fn on_processor() -> Result<Duration> {
    let times = std::fs::read_to_string("/proc/self/schedstat")?;
    let ns = times.split_whitespace().next();
    Ok(Duration::from_nanos(ns.context("no schedstat")?.parse()?))
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
        ["read", name, file] => measure_recorded(name, file, 300),
        ["read", name, file, budget] => measure_recorded(name, file, budget.parse()?),
        [kind, events] => measure_made_up(kind, events.parse()?, 300),
        [kind, events, budget] => measure_made_up(kind, events.parse()?, budget.parse()?),
        _ => {
            bail!(
                "bench KIND EVENTS [BUDGET], bench read NAME FILE [BUDGET], bench flaws ENTRIES, or \
                 bench write KIND EVENTS FILE"
            )
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

fn measure_made_up(kind: &str, events: u64, budget: u64) -> Result<()> {
    let made_up = plain(kind, events)?;
    measure(kind, || Ok(stream(made_up)), budget)
}

fn measure_recorded(name: &str, file: &str, budget: u64) -> Result<()> {
    let open = || File::open(file).context(file.to_string());
    measure(
        name,
        || Ok(FrameDecoder::new(BufReader::new(open()?))),
        budget,
    )
}

/// `from` gives the record, each time that it is called.
fn measure<R: Read>(kind: &str, from: impl Fn() -> Result<R>, budget: u64) -> Result<()> {
    let timer = Timer::start()?;
    std::io::copy(&mut from()?, &mut std::io::sink())?;
    let making = timer.seconds()?;
    let timer = Timer::start()?;
    let recording = Recording::read(from()?)?;
    let read = timer.seconds()?;
    let memory = peak_kib()?;
    let timer = Timer::start()?;
    let space = Space::new(&recording, Marks::Any);
    let cuts = space.cuts().len();
    let states_bits = space.legal().bits();
    let count = timer.seconds()?;
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
        began: Timer::start()?,
        first: None,
        states: Rc::default(),
        between: Vec::new(),
        ended: None,
    };
    let mut counter = Counter(Rc::clone(&check.states));
    // As it begins in the command: with nothing known of the record.
    let space = Space::new(&recording, Marks::Any);
    let mut journal = Journal::none();
    let mut runner = JournaledRunner::new(&mut check, &mut journal);
    let (outcome, error): (Outcome, _) = explore(&space, &plan, &mut runner, &Never, &mut counter);
    if let Some(error) = error {
        return Err(error);
    }
    let [all, _] = check.began.seconds()?;
    let first = check.first.take().context("nothing was examined")?;
    let own = all - check.spent.as_secs_f64() - first[0];
    let few = check.between.iter().filter(|(_, pieces)| *pieces <= FEW);
    let of_few = median(few.map(|(took, _)| *took));
    let state = median(check.between.iter().map(|(took, _)| *took));
    let pieces = median(check.between.iter().map(|(_, pieces)| *pieces));
    let most = check.between.iter().map(|(took, _)| *took).max();
    let us = |time: Option<Duration>| time.map(|time| time.as_secs_f64() * 1e6);
    let explored = peak_kib()?;
    let timer = Timer::start()?;
    let linted = lint(&recording);
    let lint = timer.seconds()?;
    drop(linted);
    let events = recording.header().newest_event;
    let per_event = |kib: u64| (kib * 1024) as f64 / events as f64;
    print(&json!({
        "section": "engine", "kind": kind, "entries": recording.entries().len(), "events": events,
        "cuts": cuts, "legal_bits": states_bits,
        "runs": check.runs, "states": counter.0.get(), "violations": outcome.violations.len(),
        "making_s": making, "read_s": read, "count_s": count, "first_s": first,
        "few_us": us(of_few), "state_us": us(state), "state_pieces": pieces, "state_max_us": us(most),
        "own_s": own, "lint_s": lint,
        "read_bytes": per_event(memory), "explored_bytes": per_event(explored),
        "explored_mib": explored / 1024,
    }));
    Ok(())
}

fn median<T: Ord>(all: impl Iterator<Item = T>) -> Option<T> {
    let mut all: Vec<T> = all.collect();
    all.sort_unstable();
    let middle = all.len() / 2;
    all.into_iter().nth(middle)
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
