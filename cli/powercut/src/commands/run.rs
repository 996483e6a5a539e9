// SPDX-License-Identifier: GPL-2.0

//! `powercut run`: from nothing to a report.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{bail, Context, Result};
use powercut_engine::tear::Tear;
use powercut_engine::truths::Truths;

use super::backend::{asked, Backend};
use super::explored::Explored;
use super::log_writes::record_of;
use super::manage::own_name;
use super::mkfs::{mkfs, Maker};
use super::observe::Observer;
use super::session::Session;
use crate::baseline::Extent;
use crate::child::Line;
use crate::device::{Completion, DiscardContent, Nodes, Root, RuleStatus};
use crate::examination::Examination;
use crate::executor::{Executor, Keep, Kept, MarksTo, Scratch};
use crate::exit::Exit;
use crate::fs;
use crate::kmsg::Kmsg;
use crate::mapper::MappedDisk;
use crate::memory::record_limit_mib;
use crate::options::Run;
use crate::output::say;
use crate::record_progress;
use crate::recorder::{ModuleRecorder, Recorder};
use crate::report::{Imported, Source};
use crate::served_disk::ServedDisk;
use crate::server::{Module, Server};
use crate::signals::Signals;
use crate::writeback::Eager;

/// One case.
pub fn run(options: &Run) -> Result<Exit> {
    let began = Instant::now();
    let signals = Signals::install_for(options.reporting.deadline)?;
    if options.record_only {
        return recorded(options, &signals, |session| session.record_only());
    }
    if options.reporting.dry_run {
        return recorded(options, &signals, |session| session.dry_run(began));
    }
    explore(options, &signals)?.told()
}

/// Records a workload and explores what was recorded.
pub fn explore(options: &Run, signals: &Signals) -> Result<Explored> {
    recorded(options, signals, |session| session.explore())
}

/// Records a workload, and does something with it.
pub fn recorded<T>(
    options: &Run,
    signals: &Signals,
    then: impl FnOnce(Session<'_>) -> Result<T>,
) -> Result<T> {
    match Backend::for_run(options.backend, |backend| needs(options, backend))? {
        Backend::Module => by_module(options, signals, then),
        Backend::Ublk => by_server(options, signals, then),
        Backend::Nbd => by_mapper(options, signals, then),
    }
}

/// What was asked for that takes the module, if it is not there.
fn needs(options: &Run, backend: Backend) -> Vec<&'static str> {
    let (disk, discarded) = (&options.settings, options.settings.discard_content);
    let is_logged = backend == Backend::Nbd;
    asked(&[
        ("--disks", is_logged && !disk.members.is_empty()),
        ("--tear", is_logged && disk.tear != Tear::Any),
        ("--write-cache off", is_logged && !disk.write_cache),
        ("--fua off", is_logged && !disk.fua),
        ("--completion", disk.completion != Completion::Inline),
        ("--discard-content", discarded != DiscardContent::Zeroes),
        ("--stacks", disk.stacks),
        ("--fault", !options.faults.is_empty()),
        ("--keep", options.reporting.keep),
    ])
}

fn by_module<T>(
    options: &Run,
    signals: &Signals,
    then: impl FnOnce(Session<'_>) -> Result<T>,
) -> Result<T> {
    let began = Instant::now();
    let root = Root::open()?;
    need(options)?;
    let mut settings = options.settings.clone();
    settings.log_limit_mib.get_or_insert_with(record_limit_mib);
    let disk = root.create(&own_name("run", &settings)?, &settings)?;
    let recorder = ModuleRecorder {
        disk: &disk,
        faults: &options.faults,
    };
    let recorded = record(options, &recorder, signals);
    let result = recorded.and_then(|recorded| {
        let server = Module {
            root: &root,
            disk: &disk,
        };
        let baseline = options.baseline.clone();
        with_session(options, signals, &server, recorded, baseline, began, then)
    });
    if options.reporting.keep {
        say(format_args!(
            "kept {}; `powercut remove {}` removes it",
            disk.nodes().whole().display(),
            disk.name()
        ));
        disk.leave();
    }
    result
}

/// Without the module: what dm-log-writes logged is imported.
fn by_mapper<T>(
    options: &Run,
    signals: &Signals,
    then: impl FnOnce(Session<'_>) -> Result<T>,
) -> Result<T> {
    let began = Instant::now();
    need(options)?;
    let disk = MappedDisk::create(&options.settings)?;
    let mut recorded = record(options, &disk, signals)?;
    let (saved, imported) = record_of(&disk, signals)?;
    recorded.imported = Some(imported);
    let opened = Backend::Nbd.serve(&saved, &options.examination)?;
    let baseline = baseline_on(disk.nodes(), options);
    let server = opened.server();
    with_session(options, signals, &*server, recorded, baseline, began, then)
}

/// Without the module: by a disk that the command serves.
fn by_server<T>(
    options: &Run,
    signals: &Signals,
    then: impl FnOnce(Session<'_>) -> Result<T>,
) -> Result<T> {
    let began = Instant::now();
    need(options)?;
    let driver = Backend::Ublk.driver().context("can't record")?;
    let disk = ServedDisk::create(driver, &options.settings)?;
    let mut recorded = record(options, &disk, signals)?;
    recorded.imported = Some(Imported::of_ublk());
    let server = disk.server()?;
    let baseline = baseline_on(disk.nodes(), options);
    with_session(options, signals, &server, recorded, baseline, began, then)
}

/// What the check is run on first, where the disk that was recorded is none of the driver's.
fn baseline_on(recorded: &Nodes, options: &Run) -> Extent {
    match &options.baseline {
        Extent::Both { .. } => Extent::BothOn(recorded.clone()),
        other => other.clone(),
    }
}

/// Does something with what was recorded since then.
fn with_session<T>(
    options: &Run,
    signals: &Signals,
    server: &dyn Server,
    recorded: Recorded,
    baseline: Extent,
    began: Instant,
    then: impl FnOnce(Session<'_>) -> Result<T>,
) -> Result<T> {
    let examination = Examination {
        truths: recorded.truths.map(Arc::new),
        ..options.examination.clone()
    };
    then(Session {
        server,
        signals,
        examination: &examination,
        plan: &options.plan,
        reporting: &options.reporting,
        source: Source {
            imported: recorded.imported,
            ..source(options)
        },
        rules: recorded.rules,
        baseline,
        recorded_in: began.elapsed(),
        before: None,
    })
}

/// Looks for what the filesystem takes, before anything is made.
fn need(options: &Run) -> Result<()> {
    if let Some(spec) = &options.examination.mount {
        fs::need(&spec.fs, options.reporting.jobs)?;
    }
    if options.mkfs.is_none() {
        options.fs.need_maker()?;
    }
    options.examination.say_advice();
    Ok(())
}

/// Where the workload is made and run.
struct Bench<'a> {
    options: &'a Run,
    recorder: &'a dyn Recorder,
    executor: Executor,
    scratch: Scratch,
}

/// What is known of a workload beside its record.
struct Recorded {
    /// What the disk did wrong meanwhile.
    rules: Vec<RuleStatus>,
    /// What the software held, if that was to be observed.
    truths: Option<Truths>,
    /// What it does not tell, if the module did not make it.
    imported: Option<Imported>,
}

/// Makes the filesystem and has the workload recorded.
fn record(options: &Run, recorder: &dyn Recorder, signals: &Signals) -> Result<Recorded> {
    let mut bench = Bench {
        options,
        recorder,
        executor: Executor::new(signals, options.examination.mount_timeout()),
        scratch: Scratch::new()?,
    };
    let maker = Maker {
        fs: &options.fs,
        options: &options.mkfs_opts,
        command: options.mkfs.as_deref(),
    };
    mkfs(
        &maker,
        recorder.nodes(),
        &mut bench.executor,
        &bench.scratch,
    )?;
    if let Some(setup) = &options.setup {
        bench.mounted("setup", setup, None, || Ok(()))?;
    }
    let keep = match recorder.marks() {
        // The workload writes to that itself.
        MarksTo::File(_) if !options.observes => None,
        marks => Some(bench.scratch.keep(marks, options.observes)?),
    };
    let _eager = if options.eager_writeback {
        Some(Eager::begin()?)
    } else {
        None
    };
    recorder.start()?;
    let work = || {
        bench.mounted("workload", &options.workload, keep.as_ref(), || {
            recorder.stop()
        })
    };
    let (rules, kept) =
        record_progress::told(recorder, work).map_err(|error| match recorder.failure() {
            Some(why) => error.context(why),
            None => error,
        })?;
    let copies = keep.and_then(|keep| keep.copies);
    let truths = copies.map(|copies| {
        let mut observer = Observer {
            what: &options.examination,
            executor: &mut bench.executor,
            scratch: &bench.scratch,
            copies: &copies.to,
        };
        observer.truths(&kept)
    });
    Ok(Recorded {
        rules,
        truths: truths.transpose()?,
        imported: None,
    })
}

impl Bench<'_> {
    /// Runs a command with the filesystem mounted, if there is one; then, before that is
    /// unmounted, something else. The moments that were kept, if any were to be.
    fn mounted<T>(
        &mut self,
        what: &str,
        command: &str,
        keep: Option<&Keep>,
        then: impl FnOnce() -> Result<T>,
    ) -> Result<(T, Vec<Kept>)> {
        let nodes = self.recorder.nodes();
        let mut env = nodes.env();
        env.push(("TMPDIR".into(), self.scratch.tmp().into()));
        env.push(("POWERCUT_SLOT".into(), "0".into()));
        let marks = match (keep, self.recorder.marks()) {
            (Some(keep), _) => keep.file.clone(),
            (None, MarksTo::File(file)) => file,
            // Nothing takes marks before the record begins.
            (None, MarksTo::Mapper(_) | MarksTo::Served(_)) => "/dev/full".into(),
        };
        env.push(("POWERCUT_MARK".into(), marks.into()));
        let mut sandbox = self.executor.sandbox(&self.scratch, 0)?;
        if let Some(spec) = &self.options.examination.mount {
            let (dir, node) = (self.scratch.mnt(), nodes.first());
            let spec = &spec.fill(nodes);
            let mut kmsg = Kmsg::open();
            if let Some(errno) = sandbox.mount(spec, node, &dir)? {
                let said: String = kmsg.lines().iter().flat_map(|l| ["\n", l]).collect();
                bail!(
                    "cannot mount the new filesystem as {} with options {:?} (--mount-opts): \
                     {errno}{said}",
                    spec.fs,
                    spec.options
                );
            }
            env.push(("POWERCUT_MNT".into(), dir.into()));
        }
        if let Some(keep) = keep {
            sandbox.keep(keep.clone())?;
        }
        let program = Line::new(command).program().env(env);
        let done = sandbox.run(program.limit(self.options.workload_timeout));
        let done = done.with_context(|| format!("cannot run the {what}"))?;
        // What went wrong there may be why the workload failed.
        let kept = keep.map(|_| sandbox.kept()).transpose()?;
        if !done.ended.ok() {
            let (how, tail) = (done.ended, done.tail());
            bail!("the {what} failed ({how}); it printed:\n{tail}");
        }
        // Whatever it left behind writes no more.
        sandbox.kill()?;
        let then = then()?;
        sandbox.end()?;
        Ok((then, kept.unwrap_or_default()))
    }
}

fn source(options: &Run) -> Source {
    let given = |text: &String| (!text.is_empty()).then(|| text.clone());
    Source {
        disk: None,
        fs: Some(options.fs.name().into()),
        mkfs_opts: given(&options.mkfs_opts),
        mkfs: options.mkfs.clone(),
        mount_opts: given(&options.mount_opts),
        setup: options.setup.clone(),
        workload: Some(options.workload.clone()),
        writeback: options.eager_writeback.then(|| "eager".into()),
        imported: None,
    }
}
