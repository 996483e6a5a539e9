// SPDX-License-Identifier: GPL-2.0

//! A view as a device of the kernel's NBD client, with a thread that serves it.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use powercut_engine::reads::Reads;
use powercut_engine::recording::{CrashState, Recording};
use rustix::fs::{fadvise, Advice, OFlags};
use rustix::io::Errno;

use super::netlink::{Device, Nbd};
use super::protocol::{serve, SERVER_FLAGS};
use super::{Contents, Image};
use crate::device::{when_closed, DeviceError, Nodes, Origin, Selection, Show};
use crate::faults::Rule;
use crate::output::say;
use crate::pause::Pause;
use crate::server::Served;

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

/// A crash state as /dev/nbdN.
#[derive(Debug)]
pub struct NbdView {
    recording: Arc<Recording>,
    image: Arc<Mutex<Image>>,
    kernel: Nbd,
    index: u32,
    name: String,
    nodes: Nodes,
    /// It ends when the kernel closes its socket.
    server: Option<JoinHandle<()>>,
}

fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> DeviceError {
    let what = what.into();
    move |source| DeviceError::Io { what, source }
}

impl NbdView {
    /// A view that shows the base.
    pub fn new(recording: &Arc<Recording>, contents: &Arc<Contents>) -> Result<Self, DeviceError> {
        let state = state_of(recording, &Selection::base())?;
        let image = Image::new(Arc::clone(recording), Arc::clone(contents), state);
        let (size, block_size) = (image.size(), image.block_size());
        let image = Arc::new(Mutex::new(image));
        let (ours, theirs) = UnixStream::pair().map_err(failed("cannot make a pair of sockets"))?;
        let served = Arc::clone(&image);
        let server = thread::spawn(move || {
            if let Err(e) = serve(ours, &served) {
                say(format_args!("warning: an NBD server ended: {e}"));
            }
        });
        let mut kernel = Nbd::open().map_err(failed("cannot reach the kernel's NBD"))?;
        let identifier = format!("{IDENTIFIER}{}", std::process::id());
        let device = Device {
            identifier: &identifier,
            size,
            block_size,
            server_flags: SERVER_FLAGS,
            socket: theirs.as_fd(),
        };
        let connected = kernel.connect(device);
        let index = connected.map_err(failed("the kernel does not take an NBD server"))?;
        let name = format!("nbd{index}");
        let view = Self {
            recording: Arc::clone(recording),
            image,
            kernel,
            index,
            nodes: Nodes::at(Path::new("/dev").join(&name), &name),
            name,
            server: Some(server),
        };
        // It is looked for partitions when it is first opened.
        view.closed(|| ())?;
        Ok(view)
    }

    fn image(&self) -> MutexGuard<'_, Image> {
        self.image.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something while nobody has it open or mounted who says so, and has the kernel forget what it
    /// knows of the content.
    fn closed(&self, then: impl FnOnce()) -> Result<(), DeviceError> {
        let node = self.nodes.whole();
        let exclusive = OFlags::EXCL.bits();
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(i32::try_from(exclusive).unwrap_or_default())
            .open(node);
        let file = opened.map_err(|e| match Errno::from_io_error(&e) {
            Some(Errno::BUSY) => DeviceError::Busy(node.display().to_string()),
            Some(Errno::NOENT) => DeviceError::NoNode { node: node.into() },
            _ => failed(format!("cannot open {}", node.display()))(e),
        })?;
        let forget = || {
            file.sync_all()?;
            Ok(fadvise(&file, 0, None, Advice::DontNeed)?)
        };
        let what = || failed(format!("cannot flush {}", node.display()));
        forget().map_err(what())?;
        then();
        forget().map_err(what())
    }

    /// Whether the kernel still has it.
    fn is_there(&self) -> bool {
        let pid = PathBuf::from("/sys/block").join(&self.name).join("pid");
        pid.exists()
    }
}

/// The state that a selection names.
fn state_of(recording: &Recording, selection: &Selection) -> Result<CrashState, DeviceError> {
    CrashState::new(recording, selection.cut(), selection.runs()).map_err(|e| {
        DeviceError::Refused {
            what: format!("{selection}"),
            why: e.to_string(),
        }
    })
}

impl Show for NbdView {
    fn show(&mut self, selection: &Selection) -> Result<(), DeviceError> {
        let state = state_of(&self.recording, selection)?;
        when_closed(|| self.closed(|| self.image().show(state.clone())))
    }

    fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    fn reads(&self) -> Result<Option<Reads>, DeviceError> {
        Ok(Some(self.image().reads()))
    }

    fn add_faults(&mut self, _: &[Rule]) -> Result<(), DeviceError> {
        Err(DeviceError::Refused {
            what: "--view-fault".into(),
            why: "--backend nbd shows disks that do nothing wrong; --backend module has faults"
                .into(),
        })
    }
}

impl Served for NbdView {
    fn name(&self) -> &str {
        &self.name
    }

    fn origin(&self) -> Option<Origin> {
        None
    }

    /// It can't: what serves it is this process.
    fn leave(self: Box<Self>) {}
}

impl Drop for NbdView {
    fn drop(&mut self) {
        if let Err(e) = self.kernel.disconnect(self.index) {
            let node = self.nodes.whole().display();
            say(format_args!("warning: {node} is left behind: {e}"));
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
