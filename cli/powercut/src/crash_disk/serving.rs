// SPDX-License-Identifier: GPL-2.0

//! Serving a disk to the kernel: each request gets an answer, and a server that fails says nothing of the state.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use super::{CrashDisk, Request, Served};
use crate::device::DeviceError;
use crate::panics::caught;

/// Asks for a failure of the server, for tests: `panic=N` panics in the N-th request of whoever examines a
/// state, and `die=N` ends the thread that serves the disk, with that request in hand.
const VARIABLE: &str = "POWERCUT_TEST_SERVER";

/// A failure that a test asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Planned {
    Panic(u64),
    Die(u64),
}

/// Whether a disk is served as it should be.
#[derive(Debug, Default)]
pub struct Health {
    /// Why it is not.
    broken: Option<String>,
    planned: Option<Planned>,
    /// Requests of whoever examines a state.
    requests: u64,
}

impl Health {
    pub fn new() -> Self {
        let text = std::env::var(VARIABLE).unwrap_or_default();
        Self {
            planned: parse(&text),
            ..Self::default()
        }
    }

    /// From now on every request fails.
    pub fn set_broken(&mut self, why: String) {
        self.broken.get_or_insert(why);
    }

    pub fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// An error if the disk is not served. `name` is that of its device.
    pub fn check(&self, name: &str) -> Result<(), DeviceError> {
        match &self.broken {
            None => Ok(()),
            Some(why) => Err(DeviceError::Unserved {
                name: name.into(),
                why: why.clone(),
            }),
        }
    }

    /// A request of whoever examines a state came.
    fn count(&mut self) -> Option<Planned> {
        self.requests += 1;
        let number = self.requests;
        let is_due = |planned: &Planned| match planned {
            Planned::Panic(at) | Planned::Die(at) => *at == number,
        };
        self.planned.filter(is_due)
    }
}

fn parse(text: &str) -> Option<Planned> {
    let (what, at) = text.split_once('=')?;
    let at = at.parse().ok()?;
    match what {
        "panic" => Some(Planned::Panic(at)),
        "die" => Some(Planned::Die(at)),
        _ => None,
    }
}

fn lock(disk: &Mutex<CrashDisk>) -> MutexGuard<'_, CrashDisk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves a request. One that panics fails, and so do all after it.
pub fn serve(disk: &Mutex<CrashDisk>, request: &Request, data: &mut [u8]) -> Served {
    let mut disk = lock(disk);
    let failed = Served {
        error: Some(Errno::IO),
        ..Served::default()
    };
    if disk.health.is_broken() {
        return failed;
    }
    let planned = if disk.is_in_use {
        disk.health.count()
    } else {
        None
    };
    if let Some(Planned::Die(_)) = planned {
        panic!("a test wants the server to die");
    }
    let served = caught(|| {
        if planned.is_some() {
            panic!("a test wants a request to panic");
        }
        disk.serve(request, data)
    });
    served.unwrap_or_else(|why| {
        disk.health.set_broken(format!("a request panicked: {why}"));
        failed
    })
}

/// Serves a disk until its device goes. If it ends in another way, the disk is broken.
pub fn serve_all<E: std::fmt::Display>(
    disk: &Mutex<CrashDisk>,
    server: impl FnOnce() -> Result<(), E>,
) {
    let why = match caught(server) {
        Ok(Ok(())) => return,
        Ok(Err(e)) => format!("its server ended: {e}"),
        Err(why) => format!("its server panicked: {why}"),
    };
    lock(disk).health.set_broken(why);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use powercut_engine::recording::testing::History;
    use powercut_engine::recording::CrashState;

    use super::*;
    use crate::crash_disk::{Contents, Image, Op};

    fn disk(planned: Option<Planned>) -> Mutex<CrashDisk> {
        let log = History::new().write(3, "a");
        let recording = Arc::new(log.done());
        let contents = Arc::new(Contents::spill(&log.stream()[..]).unwrap());
        let state = CrashState::new(&recording, 0, []).unwrap();
        let mut disk = CrashDisk::new(Image::new(recording, contents, state));
        disk.health.planned = planned;
        Mutex::new(disk)
    }

    fn read(disk: &Mutex<CrashDisk>) -> Option<Errno> {
        let request = Request {
            op: Op::Read,
            offset: 0,
            len: 4096,
            is_fua: false,
        };
        serve(disk, &request, &mut [0; 4096]).error
    }

    fn told(disk: &Mutex<CrashDisk>) -> Option<String> {
        let checked = lock(disk).health.check("ublkb0");
        checked.err().map(|e| e.to_string())
    }

    #[test]
    fn a_request_that_panics_fails_and_so_do_all_after_it() {
        let disk = disk(Some(Planned::Panic(2)));
        // What the command itself prepares does not count.
        assert_eq!(read(&disk), None);
        lock(&disk).begin().unwrap();
        assert_eq!((read(&disk), told(&disk)), (None, None));
        assert_eq!(read(&disk), Some(Errno::IO));
        assert_eq!(read(&disk), Some(Errno::IO));
        let told = told(&disk).unwrap();
        assert!(
            told.starts_with("ublkb0 ") && told.contains("a request panicked"),
            "{told}"
        );
    }

    #[test]
    fn a_server_that_ends_by_itself_leaves_a_broken_disk() {
        for (planned, ended, says) in [
            (None, Ok(()), None),
            (None, Err("gone"), Some("its server ended: gone")),
            (
                Some(Planned::Die(1)),
                Ok(()),
                Some("its server panicked: a test"),
            ),
        ] {
            let disk = disk(planned);
            lock(&disk).begin().unwrap();
            serve_all(&disk, || {
                read(&disk);
                ended
            });
            let told = told(&disk);
            assert_eq!(told.is_some(), says.is_some(), "{told:?}");
            assert!(told.unwrap_or_default().contains(says.unwrap_or_default()));
        }
    }

    #[test]
    fn only_what_is_meant_fails_on_purpose() {
        for (text, planned) in [
            ("", None),
            ("panic=3", Some(Planned::Panic(3))),
            ("die=1", Some(Planned::Die(1))),
            ("panic", None),
            ("panic=x", None),
            ("other=1", None),
        ] {
            assert_eq!(parse(text), planned, "{text:?}");
        }
    }
}
