// SPDX-License-Identifier: GPL-2.0

//! The `powercut` command: on this machine if the module is there, else in a virtual machine.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{bail, Context, Result};

/// The script that starts a virtual machine: `scripts/vm` of a checkout.
const VM: &str = "POWERCUT_TEST_VM";
/// What the module makes.
const CONTROL: &str = "/dev/powercut-control";
/// Where a directory of this machine is in the virtual one.
const SHARED: &str = "/mnt/host";

/// How the command is run.
#[derive(Debug)]
pub enum Runner {
    Here,
    /// By this script.
    Vm(PathBuf),
}

impl Runner {
    pub fn find() -> Result<Self> {
        if Path::new(CONTROL).exists() {
            return Ok(Self::Here);
        }
        match env::var_os(VM) {
            Some(script) => Ok(Self::Vm(script.into())),
            None => bail!(
                "the powercut module is not loaded here: load it, or set {VM} to the path of \
                 scripts/vm of a checkout of powercut, which starts a virtual machine"
            ),
        }
    }

    /// Where the command sees `dir`.
    pub fn dir(&self, dir: &Path) -> PathBuf {
        match self {
            Self::Here => dir.into(),
            Self::Vm(_) => SHARED.into(),
        }
    }

    /// How a violation of the report in `dir` is shown again, but for its number.
    pub fn replay(&self, dir: &Path) -> String {
        let report = self.dir(dir);
        let replay = format!("powercut replay --report {}", quoted(&report));
        match self {
            Self::Here => replay,
            Self::Vm(script) => {
                let (script, dir) = (quoted(script), quoted(dir));
                format!("{script} --host-root --share {dir} -- {replay}")
            }
        }
    }

    /// Runs the command with these arguments, with `dir` where [`Runner::dir`] says.
    pub fn run(&self, arguments: &[String], dir: &Path) -> Result<Output> {
        let mut command = match self {
            Self::Here => Command::new("powercut"),
            Self::Vm(script) => {
                let mut command = Command::new(script);
                command.arg("--host-root").arg("--share").arg(dir);
                command.args(["--", "powercut"]);
                command
            }
        };
        command.args(arguments).stdin(Stdio::null());
        let output = command.output();
        output.with_context(|| format!("cannot run {}", command.get_program().to_string_lossy()))
    }
}

/// A path as a shell takes it.
pub fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let quoted = shlex::try_quote(&text).map(|quoted| quoted.into_owned());
    // Only a NUL can't be quoted, and no path has one.
    quoted.unwrap_or_else(|_| text.into_owned())
}
