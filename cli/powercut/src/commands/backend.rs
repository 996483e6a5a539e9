// SPDX-License-Identifier: GPL-2.0

//! Which server shows the states of a recording: --backend.

use std::sync::Arc;

use anyhow::{bail, Context, Result};

use super::transfer::import_as_new;
use crate::args::BackendArg;
use crate::crash_disk::CrashServer;
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
    Nbd,
}

impl Backend {
    /// The one that was asked for, or the one that can be had, which is said; `needs` has what was asked for
    /// that takes the module.
    pub fn choose(asked: BackendArg, from: &RecordSource, needs: &[&str]) -> Result<Self> {
        let backend = match (asked, from) {
            (BackendArg::Nbd, RecordSource::Disk(_)) => {
                bail!("--backend nbd takes a recording, and not the record of a disk: `powercut export` makes one")
            }
            (BackendArg::Nbd, _) => Self::Nbd,
            (BackendArg::Auto, RecordSource::Report(_)) => Self::of_kernel(Root::open().err()),
            (BackendArg::Auto | BackendArg::Module, _) => Self::Module,
        };
        backend.if_it_can(asked, needs, "states are served by NBD")
    }

    /// The same for a workload that is yet to be recorded.
    pub fn for_run(asked: BackendArg, needs: &[&str]) -> Result<Self> {
        let backend = match asked {
            BackendArg::Nbd => Self::Nbd,
            BackendArg::Auto => Self::of_kernel(Root::open().err()),
            BackendArg::Module => Self::Module,
        };
        let what = "the workload is recorded by dm-log-writes, and states are served by NBD";
        backend.if_it_can(asked, needs, what)
    }

    /// It, if it can do all that is needed. What was chosen is said.
    fn if_it_can(self, asked: BackendArg, needs: &[&str], what: &str) -> Result<Self> {
        match self {
            Self::Module => {
                Root::open()?;
            }
            Self::Nbd => {
                if let Some(what) = needs.first() {
                    bail!("{what} needs the powercut module: --backend nbd can't do it (docs/backends.md)");
                }
                if asked == BackendArg::Auto {
                    say(format_args!(
                        "the powercut module is not loaded: {what} (--backend nbd)"
                    ));
                }
            }
        }
        Ok(self)
    }

    /// The one that is taken if the driver can't be driven for this reason.
    fn of_kernel(why_not: Option<DeviceError>) -> Self {
        match why_not {
            Some(DeviceError::NotLoaded) => Self::Nbd,
            _ => Self::Module,
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
            Self::Nbd => {
                let recording = Arc::new(saved.recording()?);
                if !recording.members().is_empty() {
                    bail!(
                        "--backend nbd shows one disk, and the recording is of a group: --backend \
                         module shows groups"
                    );
                }
                let driver = NbdDriver::open().context("can't serve states")?;
                let server = CrashServer::new(Arc::new(driver), saved, recording);
                server.context("can't serve states").map(Opened::User)
            }
        }
    }
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
    fn nbd_is_taken_only_if_the_module_is_not_loaded() {
        for (why_not, taken) in [
            (None, Backend::Module),
            (Some(DeviceError::NotLoaded), Backend::Nbd),
            // They are told then.
            (Some(DeviceError::NotRoot), Backend::Module),
            (Some(DeviceError::NoConfigfs), Backend::Module),
        ] {
            assert_eq!(Backend::of_kernel(why_not), taken);
        }
    }

    #[test]
    fn what_nbd_cannot_do_is_refused_by_name() {
        let from = RecordSource::Report("r".into());
        let needs = asked(&[("--depth", false), ("--keep", true)]);
        let refused = Backend::choose(BackendArg::Nbd, &from, &needs).unwrap_err();
        assert!(
            refused.to_string().starts_with("--keep needs the"),
            "{refused}"
        );
        assert_eq!(
            Backend::choose(BackendArg::Nbd, &from, &[]).unwrap(),
            Backend::Nbd
        );
        let refused = Backend::for_run(BackendArg::Nbd, &needs).unwrap_err();
        assert!(
            refused.to_string().starts_with("--keep needs the"),
            "{refused}"
        );
        assert_eq!(
            Backend::for_run(BackendArg::Nbd, &[]).unwrap(),
            Backend::Nbd
        );
        let disk = RecordSource::Disk("a".parse().unwrap());
        let refused = Backend::choose(BackendArg::Nbd, &disk, &[]).unwrap_err();
        assert!(
            refused.to_string().contains("takes a recording"),
            "{refused}"
        );
    }
}
