// SPDX-License-Identifier: GPL-2.0

//! `powercut run`: from nothing to a report.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{bail, Context, Result};

use super::manage::own_name;
use super::session::{rules_of, Session};
use crate::child::{Env, Line};
use crate::device::{Disk, Root, RuleStatus};
use crate::exit::Exit;
use crate::options::Run;
use crate::report::Source;
use crate::scratch::scratch_dir;
use crate::signals::Signals;
use crate::writeback::Eager;

pub fn run(options: &Run) -> Result<Exit> {
    let signals = Signals::install()?;
    let began = Instant::now();
    let root = Root::open()?;
    let disk = root.create(&own_name("run", &options.settings)?, &options.settings)?;
    let recorded = record(options, &disk, &signals);
    let result = recorded.and_then(|rules| {
        let session = Session {
            root: &root,
            disk: &disk,
            signals: &signals,
            examination: &options.examination,
            plan: &options.plan,
            reporting: &options.reporting,
            source: source(options),
            rules,
            baseline: options.baseline.clone(),
            recorded_in: began.elapsed(),
            resume: false,
        };
        match options.record_only {
            true => session.record_only(),
            false => session.explore(),
        }
    });
    if options.reporting.keep {
        eprintln!(
            "powercut: kept {}; `powercut remove {}` removes it",
            disk.nodes().whole().display(),
            disk.name()
        );
        disk.leave();
    }
    result
}

/// Makes the filesystem.
fn mkfs(options: &Run, disk: &Disk, signals: &Signals) -> Result<()> {
    let Some(command) = &options.mkfs else {
        return options.fs.mkfs(disk.nodes(), &options.mkfs_opts, signals);
    };
    let command = disk.nodes().fill(command);
    let done = Line::new(&command).run(&disk.nodes().env(), None, signals)?;
    if !done.ended.ok() {
        let output = done.output.trim_end();
        bail!("--mkfs {command:?} failed ({}):\n{output}", done.ended);
    }
    Ok(())
}

/// Makes the filesystem and has the workload recorded. What the disk did wrong meanwhile.
fn record(options: &Run, disk: &Disk, signals: &Signals) -> Result<Vec<RuleStatus>> {
    mkfs(options, disk, signals)?;
    let scratch = scratch_dir()?;
    let dir = scratch.path().join("mnt");
    fs::create_dir(&dir)?;
    let work = |what: &str, command: &str, on_end: &dyn Fn() -> Result<()>| {
        with_mount(options, disk, &dir, || {
            let env = env(options, disk, &dir);
            let done = Line::new(command).run(&env, None, signals)?;
            if !done.ended.ok() {
                let output = done.output.trim_end();
                bail!("the {what} failed ({}); it printed:\n{output}", done.ended);
            }
            on_end()
        })
    };
    if let Some(setup) = &options.setup {
        work("setup", setup, &|| Ok(()))?;
    }
    let _eager = match options.eager_writeback {
        true => Some(Eager::begin()?),
        false => None,
    };
    disk.record("start")?;
    disk.faults().add(&options.faults)?;
    let rules = RefCell::new(Vec::new());
    work("workload", &options.workload, &|| {
        disk.record("stop")?;
        rules.replace(rules_of(disk)?);
        // What comes now is not recorded: nothing need go wrong with it.
        Ok(disk.faults().clear()?)
    })?;
    Ok(rules.into_inner())
}

/// Does something with the filesystem mounted, if there is one.
fn with_mount(
    options: &Run,
    disk: &Disk,
    dir: &Path,
    work: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let Some(spec) = &options.examination.mount else {
        return work();
    };
    let spec = &spec.fill(disk.nodes());
    let mounted = spec.mount(disk.nodes().first(), dir).with_context(|| {
        format!(
            "cannot mount the new filesystem as {} with options {:?}",
            spec.fs, spec.options
        )
    })?;
    let result = work();
    let unmounted = mounted.unmount();
    result.and(unmounted)
}

fn env(options: &Run, disk: &Disk, dir: &Path) -> Env {
    let mut env = disk.nodes().env();
    env.push(("POWERCUT_MARK".into(), disk.mark_file().into()));
    if options.examination.mount.is_some() {
        env.push(("POWERCUT_MNT".into(), dir.into()));
    }
    env
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
    }
}
