// SPDX-License-Identifier: GPL-2.0

//! A disk that has its power on: reachable under `/dev/powercut` and by name.

use crate::{
    block::{
        noio,
        Closed,
        Disk,
        Limits,
        DISK_NAME_LEN, //
    },
    disk::{
        Node,
        RecordedDisk, //
    },
    model::MAX_MEMBERS,
    registry, //
};
use core::ops::Deref;
use kernel::{
    new_mutex,
    prelude::*,
    str::CString,
    sync::{
        Arc,
        Mutex, //
    }, //
};

/// The block devices of a disk, all closed.
type AllClosed<'a> = [Option<Closed<'a, Node>>; MAX_MEMBERS];

/// A disk and its block devices.
#[pin_data]
pub(crate) struct Device {
    disk: Arc<RecordedDisk>,
    /// In the order of its members; none once the power is going off.
    #[pin]
    gendisks: Mutex<KVec<Disk<Node>>>,
}

/// Keeps all of them closed, without waiting. [`EBUSY`] if somebody has one open, or is just
/// opening or closing it; [`ENODEV`] if there is none.
fn close(gendisks: &[Disk<Node>]) -> Result<AllClosed<'_>> {
    if gendisks.is_empty() {
        return Err(ENODEV);
    }
    let mut closed: AllClosed<'_> = [const { None }; MAX_MEMBERS];
    for (slot, gendisk) in closed.iter_mut().zip(gendisks) {
        *slot = Some(gendisk.close()?);
    }
    Ok(closed)
}

impl Device {
    /// The disk.
    pub(crate) fn disk(&self) -> &Arc<RecordedDisk> {
        &self.disk
    }

    /// Makes sure that nobody has it open, nor ever will, and that nobody views its
    /// record: it is to be dropped next. [`EBUSY`] if somebody has or does.
    pub(crate) fn claim(&self) -> Result {
        let gendisks = self.gendisks.lock();
        let _closed = close(&gendisks)?;
        // Who opens it next looks for that.
        self.disk.die_unless_viewed()
    }

    /// Runs `f`, which gives it another content, while nobody has it open. [`EBUSY`] if somebody
    /// has, [`ENODEV`] if its power is going off.
    pub(crate) fn while_closed<R>(&self, f: impl FnOnce() -> Result<R>) -> Result<R> {
        // Others wait for the locks that are taken: so no I/O may be waited for.
        noio(|| {
            let gendisks = self.gendisks.lock();
            let closed = close(&gendisks)?;
            let result = f()?;
            closed.iter().flatten().for_each(Closed::content_changed);
            Ok(result)
        })
    }

    /// Brings the power of a disk back that was cut, in a state at that cut: see
    /// [`RecordedDisk::restore`]. [`EBUSY`] if somebody has it open; then bios that
    /// waited for the power have failed, so that it can be closed.
    pub(crate) fn restore(&self, state: &[u8]) -> Result {
        self.disk.stop_hanging();
        self.while_closed(|| self.disk.restore(state))
    }

    /// Points a crash-state disk at another state, with nothing written to it.
    /// [`EINVAL`] if it is not one.
    pub(crate) fn select(&self, state: &[u8]) -> Result {
        self.while_closed(|| self.disk.select(state))
    }
}

/// A disk's power, switched on. Dropping it takes the block devices away; one that is
/// open then goes as a pulled cable does.
pub(crate) struct Power(Arc<Device>);

impl Power {
    /// Switches the power of a disk on. [`EEXIST`] if its name is taken, [`ENAMETOOLONG`] if
    /// that and the name of a member are too long together.
    pub(crate) fn on(disk: Arc<RecordedDisk>) -> Result<Self> {
        check_names(&disk)?;
        let properties = disk.properties();
        let limits = Limits {
            block_size: properties.block_size,
            physical_block_size: properties.physical_block_size,
            atomic_unit: properties.atomic_unit,
            write_cache: properties.write_cache,
            fua: properties.fua,
            discard: properties.discard,
            synchronous: disk.is_inline(),
            partscan: properties.partscan,
        };
        let ours = disk.clone();
        let device = Arc::pin_init(
            try_pin_init!(Device {
                disk: ours,
                gendisks <- new_mutex!(KVec::new()),
            }),
            GFP_KERNEL,
        )?;

        // The block layer splats on a name that is taken, so that is seen to before.
        registry::reserve(&disk)?;
        // From here on, dropping `this` gives the name back.
        let this = Self(device);

        for member in disk.members().as_slice() {
            let name = node_name(&disk, member.name())?;
            this.add(&name, member.start, member.nr_sectors, limits)?;
        }
        if disk.members().is_empty() {
            this.add(&node_name(&disk, b"")?, 0, properties.nr_sectors, limits)?;
        }
        registry::publish(&this.0)?;
        Ok(this)
    }

    fn add(&self, name: &CString, start: u64, nr_sectors: u64, limits: Limits) -> Result {
        let disk = self.disk.clone();
        let mut gendisks = self.gendisks.lock();
        gendisks.reserve(1, GFP_KERNEL)?;
        let gendisk = Disk::new(name, nr_sectors, limits, Node::new(disk, start))?;
        Ok(gendisks.push(gendisk, GFP_KERNEL)?)
    }
}

/// What the block layer calls a member of a disk, or without a name for one the disk: each
/// `!` becomes a `/` of the path under /dev.
fn node_name(disk: &RecordedDisk, member: &[u8]) -> Result<CString> {
    Ok(if member.is_empty() {
        CString::try_from_fmt(fmt!("powercut!{}", disk.name()))?
    } else {
        let member = core::str::from_utf8(member).map_err(|_| EINVAL)?;
        CString::try_from_fmt(fmt!("powercut!{}!{member}", disk.name()))?
    })
}

/// Whether the block layer has room for the names of all members. [`ENAMETOOLONG`] if not.
fn check_names(disk: &RecordedDisk) -> Result {
    let own = "powercut!".len() + disk.name().to_bytes().len() + 1;
    let fits = |name: &[u8]| own + "!".len() + name.len() <= DISK_NAME_LEN;
    let mut members = disk.members().as_slice().iter();
    if members.all(|member| fits(member.name())) {
        Ok(())
    } else {
        Err(ENAMETOOLONG)
    }
}

impl Deref for Power {
    type Target = Device;

    fn deref(&self) -> &Device {
        &self.0
    }
}

impl Drop for Power {
    fn drop(&mut self) {
        // Before the block devices are removed: that waits for bios, which nothing holds up now.
        self.disk.die();
        // Whoever found it in the registry finds it gone. They go after unlocking.
        let gendisks = core::mem::replace(&mut *self.gendisks.lock(), KVec::new());
        drop(gendisks);
        self.disk.drain();
        // Only now may the name be used again.
        registry::release(&self.disk);
    }
}
