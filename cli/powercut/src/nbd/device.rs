// SPDX-License-Identifier: GPL-2.0

//! A part of a crash disk as a device of the kernel's NBD client, with a thread that serves it.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use powercut_engine::abi::Header;

use super::netlink::{Device, Nbd};
use super::protocol::{serve, server_flags};
use crate::crash_disk::{self, serve_all, Part};
use crate::device::DeviceError;
use crate::output::say;
use crate::pause::Pause;

/// How long a device may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the kernel knows a server by, before its process id.
const IDENTIFIER: &str = "powercut:";

/// Takes away the devices of commands that were killed: nobody serves them any more.
pub fn remove_stale(kernel: &mut Nbd) {
    let Ok(disks) = fs::read_dir("/sys/block") else {
        return;
    };
    for disk in disks.flatten() {
        let backend = fs::read_to_string(disk.path().join("backend")).unwrap_or_default();
        let pid = backend.trim_end().strip_prefix(IDENTIFIER);
        let is_gone = pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists());
        let name = disk.file_name();
        let index = name
            .to_str()
            .and_then(|name| name.strip_prefix("nbd")?.parse().ok());
        if let Some(index) = index.filter(|_| is_gone) {
            // Another command may be at it, too.
            let _ = kernel.disconnect(index);
        }
    }
}

/// The number of a device that is connected. Who takes it disconnects it, and nobody else: it may be another's then.
#[derive(Debug, Clone, Default)]
struct Connection(Arc<Mutex<Option<u32>>>);

impl Connection {
    fn set(&self, index: u32) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(index);
    }

    fn take(&self) -> Option<u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A part of a crash disk as /dev/nbdN.
#[derive(Debug)]
pub struct NbdDevice {
    kernel: Nbd,
    connection: Connection,
    name: String,
    /// It ends when the kernel closes its socket.
    server: Option<JoinHandle<()>>,
}

fn failed(what: &'static str) -> impl FnOnce(io::Error) -> DeviceError {
    move |source| DeviceError::Io {
        what: what.into(),
        source,
    }
}

impl NbdDevice {
    pub fn attach(part: &Part, header: &Header) -> Result<Self, DeviceError> {
        let (ours, theirs) = UnixStream::pair().map_err(failed("cannot make a pair of sockets"))?;
        let served = part.clone();
        let connection = Connection::default();
        let of_server = connection.clone();
        let server = thread::spawn(move || {
            serve_all(served.disk(), || serve(&ours, &served));
            // Had nobody disconnected it, the kernel would try for minutes.
            if let (Some(index), Ok(mut kernel)) = (of_server.take(), Nbd::open()) {
                let _ = kernel.disconnect(index);
            }
        });
        let mut kernel = Nbd::open().map_err(failed("cannot reach the kernel's NBD"))?;
        let identifier = format!("{IDENTIFIER}{}", std::process::id());
        let device = Device {
            identifier: &identifier,
            size: part.size(),
            block_size: header.block_size.into(),
            server_flags: server_flags(header),
            socket: theirs.as_fd(),
        };
        let connected = kernel.connect(device);
        let index = connected.map_err(failed("the kernel does not take an NBD server"))?;
        connection.set(index);
        Ok(Self {
            kernel,
            connection,
            name: format!("nbd{index}"),
            server: Some(server),
        })
    }

    /// Whether the kernel still has it.
    fn is_there(&self) -> bool {
        let pid = Path::new("/sys/block").join(&self.name).join("pid");
        pid.exists()
    }
}

impl crash_disk::Device for NbdDevice {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for NbdDevice {
    fn drop(&mut self) {
        let ended = self
            .connection
            .take()
            .map(|index| self.kernel.disconnect(index));
        if let Some(Err(e)) = ended {
            say(format_args!(
                "warning: /dev/{} is left behind: {e}",
                self.name
            ));
            return;
        }
        let until = Instant::now() + PATIENCE;
        let mut pause = Pause::default();
        while self.is_there() && Instant::now() < until {
            pause.sleep();
        }
        if let Some(server) = self.server.take().filter(|_| !self.is_there()) {
            let _ = server.join();
        }
    }
}
