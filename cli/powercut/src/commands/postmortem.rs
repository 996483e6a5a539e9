// SPDX-License-Identifier: GPL-2.0

//! A crash state to look at by hand: as a raw image, or in a shell.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use anyhow::{bail, Context, Result};
use powercut_engine::recording::Mark;

use crate::device::Nodes;
use crate::executor::{self, Scratch};
use crate::fs::MountSpec;
use crate::output::print;
use crate::sparse;

/// Copies a device to a file, those of a group to one file each: FILE.NAME.
pub fn images(nodes: &Nodes, file: &Path) -> Result<()> {
    for (name, node) in nodes.members() {
        let mut own = file.as_os_str().to_os_string();
        own.push(".");
        own.push(name);
        image(node, Path::new(&own))?;
    }
    match nodes.members().next() {
        Some(_) => Ok(()),
        None => image(nodes.whole(), file),
    }
}

fn image(node: &Path, file: &Path) -> Result<()> {
    let failed = || format!("cannot copy {} to {}", node.display(), file.display());
    sparse::copy(node, file).with_context(failed)
}

/// Mounts what the first of `nodes` shows and runs the user's shell there, or on the device
/// alone. Nobody else sees the mount, and it goes with the last process that the shell leaves.
pub fn shell(nodes: &Nodes, mount: Option<&MountSpec>, marks: &[Mark]) -> Result<()> {
    let scratch = Scratch::new()?;
    let text: String = marks.iter().flat_map(|m| [&m.text, "\n"]).collect();
    fs::write(scratch.marks(), text)?;
    // A thread can have a mount namespace of its own.
    let held = thread::scope(|scope| {
        let shell = || mounted_shell(nodes, mount, &scratch);
        scope.spawn(shell).join()
    });
    held.unwrap_or_else(|_| bail!("the shell's thread panicked"))
}

fn mounted_shell(nodes: &Nodes, mount: Option<&MountSpec>, scratch: &Scratch) -> Result<()> {
    let dir = scratch.mnt();
    let name = std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into());
    let mut command = Command::new(&name);
    command.envs(nodes.env());
    command.env("POWERCUT_MARKS", scratch.marks());
    if let Some(spec) = mount {
        executor::own_mounts()?;
        let spec = spec.fill(nodes);
        spec.mount(nodes.first(), &dir).with_context(|| {
            let node = nodes.first().display();
            format!(
                "cannot mount {node} as {} {}; --mount none leaves that out",
                spec.fs, spec.options
            )
        })?;
        command.env("POWERCUT_MNT", &dir).current_dir(&dir);
    }
    let at = match mount {
        Some(_) => &dir,
        None => nodes.whole(),
    };
    let name = Path::new(&name).display().to_string();
    print(format_args!(
        "  shell   {name} at {}; its end ends all this\n",
        at.display()
    ))?;
    let status = command.status();
    status.with_context(|| format!("cannot run {name}: set SHELL to another one"))?;
    Ok(())
}
