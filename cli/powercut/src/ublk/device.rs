// SPDX-License-Identifier: GPL-2.0

//! A part of a crash disk as /dev/ublkbN, with a thread that serves it.
//!
//! A device is never stopped by a command, which would wait for requests that are not answered yet: the thread
//! that serves it ends, and with it the last handle to /dev/ublkcN goes. The kernel fails then what is in flight
//! and stops the device, however the thread came to its end.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{mpsc, Arc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use io_uring::IoUring;
use libublk::ctrl::{UblkCtrl, UblkCtrlBuilder};
use libublk::io::UblkDev;
use libublk::{sys, ublk_init_ctrl_task_ring, UblkError, UblkFlags};
use powercut_engine::abi::Header;

use super::server::{Server, DEPTH};
use crate::crash_disk::{self, serve_all, Part};
use crate::device::DeviceError;
use crate::output::say;
use crate::pause::Pause;

/// What libublk notes devices by.
const NAME: &str = "powercut";
/// How long a device may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take until the kernel looks for partitions. One that has no kind of them never does.
const SCAN: Duration = Duration::from_secs(2);
/// Commands to the control device at a time.
const CONTROL_DEPTH: u32 = 16;

/// Takes away the devices of commands that were killed: nobody serves them any more.
pub fn remove_stale() {
    let notes = fs::read_dir(UblkCtrl::run_dir());
    for entry in notes.into_iter().flatten().flatten() {
        let name = entry.file_name();
        let id = name
            .to_str()
            .and_then(|name| name.strip_suffix(".json")?.parse().ok());
        // A note without a device is one of another boot, or of a device that is gone.
        let Some(ctrl) = id.and_then(|id| UblkCtrl::new_simple(id).ok()) else {
            continue;
        };
        let of = ctrl.get_target_type_from_json();
        let pid = ctrl.dev_info().ublksrv_pid.to_string();
        if of.is_ok_and(|of| of == NAME) && !Path::new("/proc").join(pid).exists() {
            // Another command may be at it, too.
            let _ = remove(&ctrl);
        }
    }
}

/// Removes a device. Whoever has it open does not hold this up, where the kernel can do that (Linux 6.9).
fn remove(ctrl: &UblkCtrl) -> Result<(), UblkError> {
    ctrl.del_dev_async().or_else(|_| ctrl.del_dev()).map(drop)
}

/// A part of a crash disk as /dev/ublkbN.
pub struct UblkDevice {
    ctrl: UblkCtrl,
    name: String,
    /// The server ends when this is closed.
    running: Option<UnixStream>,
    server: Option<JoinHandle<()>>,
}

impl fmt::Debug for UblkDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UblkDevice")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

fn failed(e: &dyn fmt::Display) -> DeviceError {
    DeviceError::Io {
        what: "the kernel does not take a ublk server".into(),
        source: io::Error::other(e.to_string()),
    }
}

impl UblkDevice {
    pub fn attach(part: &Part, header: &Header) -> Result<Self, DeviceError> {
        let ctrl = UblkCtrlBuilder::default()
            .name(NAME)
            .depth(DEPTH)
            .ctrl_flags(sys::UBLK_F_USER_COPY.into())
            .dev_flags(UblkFlags::UBLK_DEV_F_ADD_DEV)
            .build()
            .map_err(|e| failed(&e))?;
        let id = ctrl.dev_info().dev_id;
        // From here on it is taken away if anything fails.
        let mut device = Self {
            ctrl,
            name: format!("ublkb{id}"),
            running: None,
            server: None,
        };
        device.start(part, header)?;
        Ok(device)
    }

    fn start(&mut self, part: &Part, header: &Header) -> Result<(), DeviceError> {
        let opened = UblkDev::new(
            NAME.into(),
            |dev| set_params(dev, part.size(), header),
            &self.ctrl,
        );
        let dev = Arc::new(opened.map_err(|e| failed(&e))?);
        let (running, stop) = UnixStream::pair().map_err(|e| failed(&e))?;
        self.running = Some(running);
        let (told, ready) = mpsc::channel();
        let (first, scan) = mpsc::channel();
        let (part, served) = (part.clone(), Arc::clone(&dev));
        self.server = Some(thread::spawn(move || {
            serve_all(part.disk(), || {
                let server = Server::new(&served, &part, stop, first)?;
                // Who waits for it is gone if it could not be started.
                let _ = told.send(UblkCtrl::init_queue_thread());
                server.run()
            });
        }));
        let thread = ready.recv().map_err(|_| failed(&"its server ended"))?;
        let started = self.ctrl.configure_queue(&dev, 0, thread);
        let started = started.and_then(|_| self.ctrl.start_dev(&dev));
        started.map_err(|e| failed(&e))?;
        // From Linux 7.0 on it is searched for partitions some time after it is there. Who opens it waits for the end
        // of that, once it has begun. What was read of a state must not have such reads among it.
        let _ = scan.recv_timeout(SCAN);
        // The server has the last handle to the device now.
        Ok(())
    }

    /// Has the kernel take it away.
    fn remove(&self) -> io::Result<()> {
        let id = self.ctrl.dev_info().dev_id;
        // A command to remove it would stop it first, and wait for what is in flight: the kernel may not fail that
        // before the command is done.
        wait_until_gone(&format!("/sys/block/ublkb{id}"))?;
        // libublk has a ring for each thread, and this may be another than the one that made the device.
        let ring = ublk_init_ctrl_task_ring(|ring| {
            if ring.is_none() {
                *ring = Some(IoUring::builder().build(CONTROL_DEPTH)?);
            }
            Ok(())
        });
        let removed = ring.and_then(|()| remove(&self.ctrl));
        let node = format!("/sys/class/ublk-char/ublkc{id}");
        match removed {
            // One that is gone was taken for stale by another command, as it was stopped.
            Err(e) if Path::new(&node).exists() => Err(io::Error::other(e.to_string())),
            _ => wait_until_gone(&node),
        }
    }
}

impl crash_disk::Device for UblkDevice {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for UblkDevice {
    fn drop(&mut self) {
        drop(self.running.take());
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
        if let Err(e) = self.remove() {
            // Or libublk would try it now, however long that takes.
            self.ctrl.disown();
            say(format_args!(
                "warning: /dev/{} is left behind: {e}",
                self.name
            ));
        }
    }
}

/// Waits for the end of a device in sysfs.
fn wait_until_gone(path: &str) -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    let mut pause = Pause::default();
    while Path::new(path).exists() {
        if Instant::now() >= until {
            return Err(io::ErrorKind::TimedOut.into());
        }
        pause.sleep();
    }
    Ok(())
}

/// What the disk is like, of so many bytes.
fn set_params(dev: &mut UblkDev, size: u64, header: &Header) -> Result<(), UblkError> {
    dev.set_default_params(size);
    // One more than there are requests: for the end.
    dev.tgt.cq_depth = DEPTH * 2;
    let mut attrs = 0;
    if header.write_cache {
        attrs |= sys::UBLK_ATTR_VOLATILE_CACHE;
        if header.fua {
            attrs |= sys::UBLK_ATTR_FUA;
        }
    }
    let params = &mut dev.tgt.params;
    params.basic.attrs = attrs;
    params.basic.logical_bs_shift = header.block_size.trailing_zeros() as u8;
    params.types |= sys::UBLK_PARAM_TYPE_DISCARD;
    params.discard = sys::ublk_param_discard {
        discard_granularity: header.block_size,
        max_discard_sectors: u32::MAX >> 9,
        max_write_zeroes_sectors: u32::MAX >> 9,
        max_discard_segments: 1,
        ..Default::default()
    };
    Ok(())
}
