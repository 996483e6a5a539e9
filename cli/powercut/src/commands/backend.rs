// SPDX-License-Identifier: GPL-2.0

//! Which server shows the states of a recording: --backend.

use std::sync::Arc;

use anyhow::{bail, Context, Result};

use super::transfer::import_as_new;
use crate::args::BackendArg;
use crate::crash_disk::{CrashServer, Driver};
use crate::device::{DeviceError, Disk, Root};
use crate::examination::Examination;
use crate::nbd::NbdDriver;
use crate::options::RecordSource;
use crate::output::say;
use crate::report::Saved;
use crate::server::{Module, Server};

/// A server, once it is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Module,
    Ublk,
    Nbd,
}

impl Backend {
    /// The one that was asked for, or the one that can be had, which is said; `needs` has what was asked for
    /// that takes the module.
    pub fn choose(asked: BackendArg, from: &RecordSource, needs: &[&str]) -> Result<Self> {
        let backend = match (asked, from) {
            (BackendArg::Ublk, _) => Self::Ublk,
            (BackendArg::Nbd, _) => Self::Nbd,
            (BackendArg::Auto, RecordSource::Report(_)) => {
                Self::of_kernel(Root::open().err(), has_ublk)
            }
            (BackendArg::Auto | BackendArg::Module, _) => Self::Module,
        };
        if let (Self::Ublk | Self::Nbd, RecordSource::Disk(_)) = (backend, from) {
            let name = backend.name();
            bail!("--backend {name} takes a recording, and not the record of a disk: `powercut export` makes one");
        }
        backend.if_it_can(asked, needs, "")
    }

    /// The same for a workload that is yet to be recorded; `needs` has what one of them can't do of it.
    pub fn for_run(asked: BackendArg, needs: impl Fn(Self) -> Vec<&'static str>) -> Result<Self> {
        let backend = match asked {
            BackendArg::Ublk => Self::Ublk,
            BackendArg::Nbd => Self::Nbd,
            BackendArg::Auto => Self::of_kernel(Root::open().err(), has_ublk),
            BackendArg::Module => Self::Module,
        };
        let recorded = match backend {
            Self::Ublk => "the workload is recorded, and ",
            _ => "the workload is recorded by dm-log-writes, and ",
        };
        backend.if_it_can(asked, &needs(backend), recorded)
    }

    /// It, if it can do all that is needed. What was chosen is said, with how the workload is `recorded`.
    fn if_it_can(self, asked: BackendArg, needs: &[&str], recorded: &str) -> Result<Self> {
        match self {
            Self::Module => {
                Root::open()?;
            }
            Self::Ublk | Self::Nbd => {
                let name = self.name();
                if let Some(what) = needs.first() {
                    bail!("{what} needs the powercut module: --backend {name} can't do it (docs/backends.md)");
                }
                if self == Self::Ublk && !cfg!(feature = "ublk") {
                    bail!("this powercut was built without ublk (`cargo build --features ublk`): give --backend nbd");
                }
                if asked == BackendArg::Auto {
                    let by = if self == Self::Nbd { "NBD" } else { "ublk" };
                    say(format_args!(
                        "the powercut module is not loaded: {recorded}states are served by {by} (--backend {name})"
                    ));
                }
            }
        }
        Ok(self)
    }

    /// The one that is taken if the driver can't be driven for this reason.
    fn of_kernel(why_not: Option<DeviceError>, has_ublk: impl FnOnce() -> bool) -> Self {
        match why_not {
            Some(DeviceError::NotLoaded) if has_ublk() => Self::Ublk,
            Some(DeviceError::NotLoaded) => Self::Nbd,
            _ => Self::Module,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Module => "module",
            Self::Ublk => "ublk",
            Self::Nbd => "nbd",
        }
    }

    /// What makes a block device of what the command serves.
    pub fn driver(self) -> Result<Arc<dyn Driver>> {
        match self {
            Self::Ublk => ublk_driver(),
            _ => Ok(Arc::new(NbdDriver::open()?)),
        }
    }

    /// Has it serve the recording of a report, or of a file.
    pub fn serve(self, saved: &Saved, what: &Examination) -> Result<Opened> {
        match self {
            Self::Module => {
                let root = Root::open()?;
                let disk = import_as_new(&root, saved, what)?;
                Ok(Opened::Module { root, disk })
            }
            Self::Ublk | Self::Nbd => {
                let recording = Arc::new(saved.recording()?);
                let driver = self.driver().context("can't serve states")?;
                let server = CrashServer::new(driver, saved, recording);
                server.context("can't serve states").map(Opened::User)
            }
        }
    }
}

#[cfg(feature = "ublk")]
fn ublk_driver() -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(crate::ublk::UblkDriver::open()?))
}

/// Whether ublk is there, in the kernel and in this command.
#[cfg(feature = "ublk")]
fn has_ublk() -> bool {
    crate::ublk::is_there()
}

#[cfg(not(feature = "ublk"))]
fn has_ublk() -> bool {
    false
}

#[cfg(not(feature = "ublk"))]
fn ublk_driver() -> Result<Arc<dyn Driver>> {
    bail!("this powercut was built without ublk")
}

/// A server, and what it needs.
#[derive(Debug)]
pub enum Opened {
    Module { root: Root, disk: Disk },
    User(CrashServer),
}

impl Opened {
    pub fn server(&self) -> Box<dyn Server + '_> {
        match self {
            Self::Module { root, disk } => Box::new(Module { root, disk }),
            Self::User(server) => Box::new(server),
        }
    }

    /// Lets its disk outlive the command.
    pub fn leave(self) {
        if let Self::Module { disk, .. } = self {
            disk.leave();
        }
    }
}

/// What of these was asked for, by the names of the options.
pub fn asked<'n>(options: &[(&'n str, bool)]) -> Vec<&'n str> {
    let asked = options.iter().filter(|(_, is_asked)| *is_asked);
    asked.map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_taken_only_if_the_module_is_not_loaded_and_ublk_before_nbd() {
        for (why_not, has_ublk, taken) in [
            (None, true, Backend::Module),
            (Some(DeviceError::NotLoaded), true, Backend::Ublk),
            (Some(DeviceError::NotLoaded), false, Backend::Nbd),
            // They are told then.
            (Some(DeviceError::NotRoot), true, Backend::Module),
            (Some(DeviceError::NoConfigfs), true, Backend::Module),
        ] {
            assert_eq!(Backend::of_kernel(why_not, || has_ublk), taken);
        }
    }

    #[test]
    fn what_the_command_cannot_serve_is_refused_by_name() {
        for (asked, taken, name) in [
            (BackendArg::Nbd, Backend::Nbd, "--backend nbd"),
            (BackendArg::Ublk, Backend::Ublk, "--backend ublk"),
        ] {
            let from = RecordSource::Report("r".into());
            let needs = super::asked(&[("--depth", false), ("--keep", true)]);
            let all = [
                (Backend::choose(asked, &from, &needs), "--keep needs the"),
                (
                    Backend::for_run(asked, |_| needs.clone()),
                    "--keep needs the",
                ),
                (
                    Backend::choose(asked, &RecordSource::Disk("a".parse().unwrap()), &[]),
                    "takes a recording",
                ),
            ];
            for (refused, says) in all {
                let refused = refused.unwrap_err().to_string();
                assert!(
                    refused.contains(says) && refused.contains(name),
                    "{refused}"
                );
            }
            for chosen in [
                Backend::choose(asked, &from, &[]),
                Backend::for_run(asked, |_| Vec::new()),
            ] {
                if taken == Backend::Ublk && !cfg!(feature = "ublk") {
                    let refused = chosen.unwrap_err().to_string();
                    assert!(refused.contains("built without ublk"), "{refused}");
                } else {
                    assert_eq!(chosen.unwrap(), taken);
                }
            }
        }
    }
}
