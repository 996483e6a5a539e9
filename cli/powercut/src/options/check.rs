// SPDX-License-Identifier: GPL-2.0

//! How states are examined.

use anyhow::{bail, Context, Result};

use crate::args;
use crate::examination::Examination;
use crate::faults::rules;
use crate::fs::MountSpec;
use crate::size;

/// The default of --check-timeout.
pub const DEFAULT_TIMEOUT: &str = "60s";

pub fn timeout_ms(text: &str) -> Result<u64> {
    let time = size::time(text).context("--check-timeout")?;
    Ok(u64::try_from(time.as_millis())?)
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
    Ok(Examination {
        view_faults: args.view_fault,
        resident: args.resident.is_some(),
        check: check.into(),
        fsck: args.fsck,
        cleanup: args.cleanup,
        mount,
        timeout_ms: timeout_ms(args.check_timeout.as_deref().unwrap_or(DEFAULT_TIMEOUT))?,
    })
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
    if let Some(text) = &args.check_timeout {
        what.timeout_ms = timeout_ms(text)?;
    }
    Ok(what)
}
