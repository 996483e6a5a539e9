// SPDX-License-Identifier: GPL-2.0

//! How states are examined.

use anyhow::{bail, Context, Result};

use crate::args;
use crate::examination::{default_mount_timeout_ms, Examination};
use crate::faults::rules;
use crate::fs::MountSpec;
use crate::size;

/// The default of --check-timeout.
pub const DEFAULT_TIMEOUT_MS: u64 = 60_000;

/// The time that an option was given, in milliseconds.
pub fn given_ms(flag: &'static str, text: Option<&str>) -> Result<Option<u64>> {
    let Some(text) = text else { return Ok(None) };
    let time = size::time(text).context(flag)?;
    Ok(Some(u64::try_from(time.as_millis())?))
}

pub fn command(flag: &str, text: &str) -> Result<()> {
    if text.trim().is_empty() {
        bail!("{flag} is empty: give a command for the shell");
    }
    Ok(())
}

pub fn examination(
    check: Option<&str>,
    args: args::CheckArgs,
    mount: Option<MountSpec>,
) -> Result<Examination> {
    let (flag, check) = match (check, &args.resident) {
        (Some(check), _) => ("--check", check),
        (None, Some(check)) => ("--resident", check.as_str()),
        (None, None) => bail!("give a check: --check CMD, or --resident CMD"),
    };
    command(flag, check)?;
    if let Some(fsck) = &args.fsck {
        command("--fsck", fsck)?;
    }
    if let Some(cleanup) = &args.cleanup {
        command("--cleanup", cleanup)?;
    }
    rules(&args.view_fault).context("--view-fault")?;
    let check_timeout_ms = given_ms("--check-timeout", args.check_timeout.as_deref())?;
    let mount_timeout_ms = given_ms("--mount-timeout", args.mount_timeout.as_deref())?;
    Ok(Examination {
        view_faults: args.view_fault,
        resident: args.resident.is_some(),
        truths: None,
        check: check.into(),
        fsck: args.fsck,
        cleanup: args.cleanup,
        mount,
        timeout_ms: check_timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS),
        mount_timeout_ms: mount_timeout_ms.unwrap_or_else(default_mount_timeout_ms),
    })
}

/// That of a record which no check is known for.
pub fn examination_of_none() -> Examination {
    Examination {
        check: String::new(),
        resident: false,
        truths: None,
        fsck: None,
        cleanup: None,
        mount: None,
        view_faults: Vec::new(),
        timeout_ms: DEFAULT_TIMEOUT_MS,
        mount_timeout_ms: default_mount_timeout_ms(),
    }
}

/// Refuses what can't be done within a recovery.
pub fn simple(what: Examination, plan: &args::PlanArgs) -> Result<Examination> {
    if what.resident && plan.depth > 1 {
        bail!("--resident does not go with --depth: give the check as --check");
    }
    Ok(what)
}

/// The examination of a report, with what was given in place of it.
pub fn instead(
    mut what: Examination,
    args: args::CheckArgs,
    mount: Option<Option<MountSpec>>,
) -> Result<Examination> {
    if let Some(fsck) = args.fsck {
        command("--fsck", &fsck)?;
        what.fsck = Some(fsck);
    }
    if let Some(cleanup) = args.cleanup {
        command("--cleanup", &cleanup)?;
        what.cleanup = Some(cleanup);
    }
    if let Some(mount) = mount {
        what.mount = mount;
    }
    if !args.view_fault.is_empty() {
        rules(&args.view_fault).context("--view-fault")?;
        what.view_faults = args.view_fault;
    }
    let check_timeout_ms = given_ms("--check-timeout", args.check_timeout.as_deref())?;
    let mount_timeout_ms = given_ms("--mount-timeout", args.mount_timeout.as_deref())?;
    what.timeout_ms = check_timeout_ms.unwrap_or(what.timeout_ms);
    what.mount_timeout_ms = mount_timeout_ms.unwrap_or(what.mount_timeout_ms);
    Ok(what)
}
