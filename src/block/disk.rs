// SPDX-License-Identifier: GPL-2.0

//! A disk: a `gendisk` whose bios come to us.
//!
//! To drive one, implement [`Operations`] on its data and call [`Disk::new`].
//! The disk is live until the [`Disk`] is dropped. Bios are served in the
//! context of whoever submits them, and may sleep.
//!
//! C header: [`include/linux/blkdev.h`](srctree/include/linux/blkdev.h)

use super::{
    shim,
    wait_var::{
        wait_var_event,
        wake_up_var, //
    },
    Bio,
    Limits, //
};
use core::marker::PhantomData;
use core::ptr::NonNull;
use kernel::{
    bindings,
    error::{
        from_err_ptr,
        to_result, //
    },
    fmt::Write as _,
    module::this_module,
    prelude::*,
    str::{
        CStr,
        NullTerminatedFormatter, //
    },
    sync::{
        atomic::{
            Atomic,
            Relaxed,
            Release, //
        },
        static_lock_class, //
    },
    types::ScopeGuard,
};

/// What a disk does.
#[vtable]
pub(crate) trait Operations: Send + Sync + 'static {
    /// Serves a bio: ends it before returning, or keeps it until it does.
    fn submit_bio(&self, bio: Bio);

    /// Whether somebody may open the disk. Called with its `open_mutex` held.
    fn open(&self) -> Result {
        Ok(())
    }
}

/// How many `gendisk`s of this module exist, removed but still open ones included.
static NR_GENDISKS: Atomic<i32> = Atomic::new(0);

/// Waits until the last `gendisk` is gone; for the module's exit.
///
/// An opener pins the module through `fops->owner`, but on the last close the
/// block layer lets go of the module just before it frees the disk, and reads
/// `fops`, which lies in the module, once more in between.
pub(crate) fn wait_for_released_disks() {
    wait_var_event(&NR_GENDISKS, 0);
    // Whoever counted the last one down may have been preempted before it returned from
    // `free_disk`, whose text goes next. It is past that once it has slept, or is in user space.
    // SAFETY: It has no preconditions but that it may sleep, as all of a module's exit may.
    unsafe { shim::powercut_synchronize_rcu_tasks() };
}

/// A live disk.
///
/// Dropping it removes the disk: bios under way are waited for, later ones fail
/// without reaching the driver. If it is open then, it goes as a pulled cable
/// does: filesystems on it are told that it is dead, not asked to sync.
///
/// # Invariants
///
/// - `disk` is a `gendisk` that was added, is not yet deleted, and on which we
///   own a reference.
/// - Its `private_data` is a `T` from [`KBox::into_raw`], freed by none but our [`Drop`].
pub(crate) struct Disk<T: Operations> {
    disk: NonNull<bindings::gendisk>,
    _private: PhantomData<KBox<T>>,
}

// SAFETY: The methods used on `disk` take the locks they need, and `T` is
// `Send` and `Sync`.
unsafe impl<T: Operations> Send for Disk<T> {}
// SAFETY: As above.
unsafe impl<T: Operations> Sync for Disk<T> {}

impl<T: Operations> Disk<T> {
    /// Creates the disk `name` (a `!` in it is a `/` under `/dev`) and makes it
    /// live. Its partitions are looked for before this returns, so `data` must
    /// be ready to serve bios.
    pub(crate) fn new(name: &CStr, nr_sectors: u64, limits: Limits, data: T) -> Result<Self> {
        let private = KBox::new(data, GFP_KERNEL)?;

        let mut raw_limits = limits.to_raw();
        // SAFETY: `raw_limits` is valid for the call, which copies it; the lock class
        // key is static.
        let disk = from_err_ptr(unsafe {
            bindings::__blk_alloc_disk(
                &mut raw_limits,
                bindings::NUMA_NO_NODE,
                static_lock_class!().as_ptr(),
            )
        })?;
        // SAFETY: `disk` is our own reference, and the disk was not added.
        let unput = ScopeGuard::new(move || unsafe { bindings::put_disk(disk) });

        // SAFETY: Nobody else knows of the disk yet.
        let disk_name = unsafe { &mut (*disk).disk_name };
        NullTerminatedFormatter::new(disk_name)
            .ok_or(EINVAL)?
            .write_fmt(fmt!("{}", name))?;

        let private = KBox::into_raw(private);
        // SAFETY: `private` came from `into_raw` just now; when this runs, no `Disk`
        // was made and the failed `device_add_disk` left no way to reach it.
        let private = ScopeGuard::new_with_data(private, |private| unsafe {
            drop(KBox::from_raw(private));
        });

        // SAFETY: Nobody else knows of the disk yet; `set_capacity` takes its lock.
        unsafe {
            (*disk).fops = &OpsVTable::<T>::FOPS;
            (*disk).private_data = (*private).cast();
            // So that user space is told of another content. No truncation: both are bits.
            (*disk).events = bindings::DISK_EVENT_MEDIA_CHANGE as u16;
            (*disk).event_flags = bindings::DISK_EVENT_FLAG_UEVENT as u16;
            bindings::set_capacity(disk, nr_sectors);
        }

        NR_GENDISKS.fetch_add(1, Relaxed);
        // SAFETY: `disk` is initialised and was not added before.
        let added = to_result(unsafe {
            bindings::device_add_disk(core::ptr::null_mut(), disk, core::ptr::null_mut())
        });
        if let Err(error) = added {
            // `free_disk` is not called for a disk that was never added.
            NR_GENDISKS.fetch_sub(1, Relaxed);
            return Err(error);
        }

        private.dismiss();
        unput.dismiss();
        // INVARIANT: The disk was added, its reference and `private_data` are now ours.
        Ok(Self {
            disk: NonNull::new(disk).ok_or(EINVAL)?,
            _private: PhantomData,
        })
    }

    /// Keeps the disk closed, its page cache empty, as long as the result lives. [`EBUSY`] if
    /// somebody has it, or a partition of it, open, or is just opening or closing it.
    ///
    /// Never waits: whoever opens or closes a disk holds `open_mutex` while it reads the
    /// partition table or writes dirty pages back, which takes as long as these bios do.
    ///
    /// Nobody may submit bios to it meanwhile.
    pub(crate) fn close(&self) -> Result<Closed<'_, T>> {
        let disk = self.disk.as_ptr();

        // SAFETY: By the type invariants, `disk` is valid; `open_mutex` is initialised.
        if unsafe { bindings::mutex_trylock(&raw mut (*disk).open_mutex) } == 0 {
            return Err(EBUSY);
        }
        // INVARIANT: Locked just above, by us.
        let closed = Closed { disk: self };

        // SAFETY: `disk` is valid.
        if unsafe { shim::powercut_disk_openers(disk) } != 0 {
            return Err(EBUSY);
        }
        // SAFETY: `part0` is valid as long as `disk` is.
        unsafe { bindings::invalidate_bdev((*disk).part0) };
        Ok(closed)
    }
}

/// A disk that is closed and can't be opened. See [`Disk::close`].
///
/// # Invariants
///
/// The `open_mutex` of `disk` is locked, by us.
pub(crate) struct Closed<'a, T: Operations> {
    disk: &'a Disk<T>,
}

impl<T: Operations> Closed<'_, T> {
    /// Its content is another now: gives it a new sequence number, tells user space, and has the
    /// next opener look for partitions anew (`disk_force_media_change`).
    pub(crate) fn content_changed(&self) {
        let disk = self.disk.disk.as_ptr();
        // SAFETY: By the type invariants, and those of `Disk`, `disk` is valid and added; as it
        // is closed, nobody holds what is told that the old content is gone.
        unsafe { bindings::disk_force_media_change(disk) };
        // SAFETY: As above.
        unsafe { shim::powercut_disk_need_part_scan(disk) };
    }
}

impl<T: Operations> Drop for Closed<'_, T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, and those of `Disk`.
        unsafe { bindings::mutex_unlock(&raw mut (*self.disk.disk.as_ptr()).open_mutex) };
    }
}

impl<T: Operations> Drop for Disk<T> {
    fn drop(&mut self) {
        let disk = self.disk.as_ptr();
        // SAFETY: By the type invariants, `disk` is valid.
        let private: *mut T = unsafe { (*disk).private_data.cast() };

        // SAFETY: By the type invariants, the disk is added, not deleted, and our
        // reference to it is given up last. After `del_gendisk` no callback that
        // reads `private_data` runs any more: bios are refused before they reach
        // us, opening fails before it calls `open`. So `private`, which came from
        // `KBox::into_raw`, has no other user.
        unsafe {
            if shim::powercut_disk_openers(disk) != 0 {
                bindings::blk_mark_disk_dead(disk);
            }
            bindings::del_gendisk(disk);
            bindings::put_disk(disk);
            drop(KBox::from_raw(private));
        }
    }
}

/// The callbacks of a disk with data of type `T`.
struct OpsVTable<T>(PhantomData<T>);

impl<T: Operations> OpsVTable<T> {
    const FOPS: bindings::block_device_operations = bindings::block_device_operations {
        submit_bio: Some(Self::submit_bio),
        open: if T::HAS_OPEN { Some(Self::open) } else { None },
        free_disk: Some(Self::free_disk),
        owner: this_module::<T::OwnerModule>().as_ptr(),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// `bio` must be a bio submitted to a live disk made by [`Disk::new`] for `T`.
    unsafe extern "C" fn submit_bio(bio: *mut bindings::bio) {
        // SAFETY: By the function's requirements, `bio` and its disk are valid, and
        // the disk's `private_data` is a `T`: `del_gendisk` waits for us.
        let private: &T = unsafe { &*(*(*(*bio).bi_bdev).bd_disk).private_data.cast() };

        if let Some(bio) = NonNull::new(bio) {
            // SAFETY: The block layer passes the bio to us and does not use it further.
            private.submit_bio(unsafe { Bio::from_raw(bio) });
        }
    }

    /// # Safety
    ///
    /// `disk` must be a live disk made by [`Disk::new`] for `T`, its `open_mutex` held.
    unsafe extern "C" fn open(disk: *mut bindings::gendisk, _mode: bindings::blk_mode_t) -> c_int {
        // SAFETY: By the function's requirements. The disk is live and `open_mutex`
        // is held, so `del_gendisk` has not got past it and `private_data` is there.
        let private: &T = unsafe { &*(*disk).private_data.cast() };

        match private.open() {
            Ok(()) => 0,
            Err(error) => error.to_errno(),
        }
    }

    /// # Safety
    ///
    /// Called by the block layer, once, when the last reference to a disk goes.
    unsafe extern "C" fn free_disk(_disk: *mut bindings::gendisk) {
        if NR_GENDISKS.fetch_sub(1, Release) == 1 {
            wake_up_var(&raw const NR_GENDISKS);
        }
    }
}
