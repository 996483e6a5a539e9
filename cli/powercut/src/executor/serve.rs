// SPDX-License-Identifier: GPL-2.0

//! What an executor does: the hidden subcommand `executor`, the first process of a PID namespace.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread;

use anyhow::{bail, Result};

use super::children::Children;
use super::init::show;
use super::requests::{Progress, Requests};
use super::sandbox::{own_mounts, remove, Over, Sandbox};
use super::wire::{Reply, Request};

/// The hidden subcommand.
pub const COMMAND: &str = "executor";

/// Serves the command that started this process, until it is gone. With this process the kernel
/// ends all others of its PID namespace, and their mounts.
pub fn serve() -> Result<()> {
    if std::process::id() != 1 {
        bail!("`powercut executor` is for powercut itself, which starts it in a PID namespace");
    }
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    let progress = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let mut requests = Requests::new(UnixStream::from(socket), Progress(progress));
    let home = match namespaces() {
        Ok(home) => home,
        Err(e) => return Ok(requests.answer(&Reply::Failed(format!("{e:#}")))?),
    };
    let children = Children::of_this_process()?;
    requests.answer(&Reply::Done)?;
    while let Some(request) = requests.next()? {
        let Request::Begin(wanted) = request else {
            bail!("asked for {request:?} outside of a sandbox");
        };
        // A thread can have a mount namespace of its own; this one keeps that of the executor.
        let mut sandbox = Sandbox::new(wanted, &children, &home);
        let held = thread::scope(|scope| scope.spawn(|| sandbox.hold(&mut requests)).join());
        let reply = match held {
            Ok(Over::Alone) => return Ok(()),
            // The command starts another executor, and does once more what was asked.
            Ok(Over::Dead) => bail!("the first process of a PID namespace was killed"),
            Ok(Over::Failed(e)) => Reply::Failed(format!("{e:#}")),
            Ok(Over::Ended) => Reply::Done,
            Ok(Over::Restarted(why)) => Reply::Restarted(why),
            Err(_) => bail!("a thread of the executor panicked"),
        };
        // Whatever was mounted there is gone by now.
        let reply = match (remove(sandbox.tmp()), reply) {
            (_, failed @ Reply::Failed(_)) => failed,
            (Err(e), _) => Reply::Failed(format!("{e:#}")),
            (Ok(()), reply) => reply,
        };
        requests.answer(&reply)?;
    }
    Ok(())
}

/// Makes a mount namespace with a /proc that shows this PID namespace.
fn namespaces() -> Result<File> {
    own_mounts()?;
    show()?;
    Ok(File::open("/proc/self/ns/mnt")?)
}
