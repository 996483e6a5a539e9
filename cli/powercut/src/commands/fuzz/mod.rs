// SPDX-License-Identifier: GPL-2.0

//! `powercut fuzz`: generated programs, on a filesystem, and all that a power cut may leave of
//! them.

mod bench;
mod findings;
mod oracle;
mod recovery;
mod source;
mod text;
mod worker;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{anyhow, Context, Result};
use crossbeam_channel::unbounded;

use self::bench::Bench;
use self::findings::Findings;
use self::source::Source;
use self::worker::{News, Shared};
use super::manage::own_name;
use crate::device::{Completion, Root, Settings};
use crate::exit::Exit;
use crate::fs as filesystems;
use crate::options::{default_jobs, name, Fuzz, Programs, Target};
use crate::output::{print, print_json, say};
use crate::report::{fuzzing_junit, FuzzCounts, Fuzzing, FUZZING_FILE, FUZZING_SCHEMA};
use crate::signals::{Interrupted, Signals};

/// Where findings go unless told.
const DEFAULT_DIR: &str = "powercut-fuzz";
/// When every second disk completes its writes.
const LATE: Completion = Completion::DelayedAtRandom {
    min_us: 50,
    max_us: 500,
    seed: 1,
};
/// Between two lines of progress.
const INTERVAL: Duration = Duration::from_secs(10);

pub fn fuzz(options: &Fuzz) -> Result<Exit> {
    let Some(target) = &options.target else {
        text::list(options)?;
        return Ok(Exit::NoViolation);
    };
    let began = Instant::now();
    let signals = Signals::install_for(options.deadline)?;
    let root = Root::open()?;
    filesystems::need(target.fs.name(), None)?;
    if target.mkfs.is_none() {
        target.fs.need_maker()?;
    }
    let known = Findings::known(&options.known, target.fs.name(), target.level)?;
    let findings = Mutex::new(known);
    let dir = directory(options)?;
    let source = Mutex::new(Source::new(options));
    let shared = Shared {
        root: &root,
        options,
        target,
        signals: &signals,
        source: &source,
        findings: &findings,
        dir: &dir,
    };
    let mut fuzzing = beginning(options, target);
    let errors = run(&shared, &mut fuzzing, began);
    let signal = errors
        .iter()
        .find_map(|e| e.downcast_ref::<Interrupted>().copied());
    fuzzing.errors = errors.iter().map(|e| format!("{e:#}")).collect();
    fuzzing.seconds = began.elapsed().as_secs_f64();
    let source = source
        .into_inner()
        .map_err(|_| anyhow!("a worker panicked"))?;
    fuzzing.counts.next = source.next_number();
    let findings = findings
        .into_inner()
        .map_err(|_| anyhow!("a worker panicked"))?;
    fuzzing.findings = findings.met();
    conclude(options, &dir, &mut fuzzing, signal)
}

/// Where findings go: a directory that holds no others.
fn directory(options: &Fuzz) -> Result<PathBuf> {
    let dir = options.report.clone().unwrap_or_else(|| DEFAULT_DIR.into());
    let is_used = dir.join(FUZZING_FILE).exists() || dir.join("1").exists();
    if is_used && options.report.is_some() {
        anyhow::bail!(
            "{} holds the report of another run: give another directory, or remove it",
            dir.display()
        );
    }
    if is_used {
        let mut nr = 2;
        while Path::new(&format!("{DEFAULT_DIR}-{nr}")).exists() {
            nr += 1;
        }
        return Ok(format!("{DEFAULT_DIR}-{nr}").into());
    }
    Ok(dir)
}

/// The report before a program was tried.
fn beginning(options: &Fuzz, target: &Target) -> Fuzzing {
    let uname = rustix::system::uname();
    Fuzzing {
        schema: FUZZING_SCHEMA,
        powercut: env!("CARGO_PKG_VERSION").into(),
        kernel: uname.release().to_string_lossy().into_owned(),
        fs: target.fs.name().into(),
        mkfs_opts: target.mkfs_opts.clone(),
        mount_opts: target.mount_opts.clone(),
        level: target.level.to_string(),
        programs: match &options.programs {
            Programs::Random { ops } => {
                format!(
                    "random, of set {}, up to {ops} operations, seed {}",
                    options.set_name, options.seed
                )
            }
            Programs::Exhaustive { ops } => {
                format!(
                    "all of set {} with {ops} operations, from {}",
                    options.set_name, options.from
                )
            }
            Programs::This(program) => worker::one_line(program),
        },
        counts: FuzzCounts::default(),
        findings: Vec::new(),
        errors: Vec::new(),
        seconds: 0.0,
    }
}

/// When the disk of a worker completes its writes. Where nothing else is said, every second one is late: who does not
/// wait for its own writes loses them only there.
fn completion_of(said: Completion, lane: usize) -> Completion {
    match said {
        Completion::Inline if lane % 2 == 1 => LATE,
        other => other,
    }
}

/// Has workers try programs; what went wrong.
fn run(shared: &Shared<'_>, fuzzing: &mut Fuzzing, began: Instant) -> Vec<anyhow::Error> {
    // A mount and an unmount wait more than they work.
    let jobs = match shared.options.programs {
        Programs::This(_) => 1,
        _ => shared.options.jobs.unwrap_or_else(|| 2 * default_jobs()),
    };
    let (news, told) = unbounded();
    thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs)
            .map(|lane| {
                let news = news.clone();
                scope.spawn(move || {
                    let target = shared.target;
                    let disk = own_name("fuzz", &target.settings)?;
                    let disk = name(&format!("{disk}-{lane}"))?;
                    let settings = Settings {
                        completion: if target.mount.misses_waits() {
                            target.settings.completion
                        } else {
                            completion_of(target.settings.completion, lane)
                        },
                        ..target.settings.clone()
                    };
                    let mut bench =
                        Bench::new(shared.root, target, &settings, shared.signals, &disk)?;
                    shared.work(&mut bench, |one| {
                        // Who listens lives longer.
                        let _ = news.send(one);
                    })
                })
            })
            .collect();
        drop(news);
        let mut errors = Vec::new();
        let mut said = began;
        for one in told {
            match one {
                News::Judged(counts) => add(&mut fuzzing.counts, &counts),
                News::Found(finding, dir) => {
                    let shown = text::finding(&finding, &dir);
                    if shared.options.json {
                        say(format_args!("{}", shown.trim_end()));
                    } else {
                        errors.extend(print(format_args!("{shown}")).err());
                    }
                }
            }
            if said.elapsed() >= INTERVAL {
                said = Instant::now();
                progress(shared, &fuzzing.counts, began);
            }
        }
        for worker in workers {
            let ended = worker
                .join()
                .unwrap_or_else(|_| Err(anyhow!("a worker panicked")));
            errors.extend(ended.err());
        }
        errors
    })
}

fn add(sum: &mut FuzzCounts, one: &FuzzCounts) {
    sum.judged += one.judged;
    sum.exhausted += one.exhausted;
    sum.runs += one.runs;
    sum.ops += one.ops;
    sum.failed_ops += one.failed_ops;
}

fn progress(shared: &Shared<'_>, counts: &FuzzCounts, began: Instant) {
    let fraction = shared
        .source
        .lock()
        .ok()
        .and_then(|source| source.fraction());
    let done = fraction.map_or_else(String::new, |f| format!(", {:.0} %", 100.0 * f.min(1.0)));
    let seconds = began.elapsed().as_secs_f64();
    say(format_args!(
        "{} programs, {} crash states, {:.1} programs a second{done}",
        counts.judged,
        counts.runs,
        counts.judged as f64 / seconds.max(0.001)
    ));
}

/// Writes what there is to write, prints it; the exit status.
fn conclude(
    options: &Fuzz,
    dir: &Path,
    fuzzing: &mut Fuzzing,
    signal: Option<Interrupted>,
) -> Result<Exit> {
    let has_new = fuzzing.new_findings().count() > 0;
    if has_new || options.report.is_some() {
        let saved = save(dir, fuzzing);
        fuzzing.errors.extend(saved.err().map(|e| format!("{e:#}")));
    }
    if let Some(path) = &options.junit {
        let written = fuzzing_junit(fuzzing).and_then(|xml| {
            fs::write(path, xml).with_context(|| format!("cannot write {}", path.display()))
        });
        fuzzing
            .errors
            .extend(written.err().map(|e| format!("{e:#}")));
    }
    let printed = if options.json {
        print_json(fuzzing)
    } else {
        print(format_args!("{}", text::summary(fuzzing)))
    };
    fuzzing
        .errors
        .extend(printed.err().map(|e| format!("{e:#}")));
    for error in &fuzzing.errors {
        say(format_args!("{error}"));
    }
    Ok(match (has_new, signal) {
        (true, _) => Exit::Violation,
        (false, Some(signal @ Interrupted::Signal(_))) => Exit::Interrupted(signal),
        // A deadline is an end as good as a number of programs.
        (false, _) if fuzzing.counts.judged == 0 || !fuzzing.errors.is_empty() => Exit::Undecided,
        (false, _) => Exit::NoViolation,
    })
}

fn save(dir: &Path, fuzzing: &Fuzzing) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let path = dir.join(FUZZING_FILE);
    let text = serde_json::to_string_pretty(fuzzing)?;
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_disk_is_late_unless_told_when_all_are() {
        let told = Completion::Delayed { us: 3 };
        for (completion, lane, wanted) in [
            (Completion::Inline, 0, Completion::Inline),
            (Completion::Inline, 1, LATE),
            (Completion::Inline, 2, Completion::Inline),
            (told, 1, told),
        ] {
            assert_eq!(
                completion_of(completion, lane),
                wanted,
                "{completion} {lane}"
            );
        }
    }
}
