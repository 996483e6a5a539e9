// SPDX-License-Identifier: GPL-2.0

//! A bio that a disk was given: what it asks for, its data, its end.
//!
//! C header: [`include/linux/bio.h`](srctree/include/linux/bio.h)

#[cfg(CONFIG_BLK_DEV_POWERCUT_KUNIT_TEST)]
mod tests;

use super::{
    shim,
    Flags,
    ReqOp,
    Segments, //
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    prelude::*, //
};

/// A bio on its way through the driver.
///
/// It is accounted from here to its end. Dropping it fails it with an I/O
/// error, so that none is ever forgotten.
///
/// # Invariants
///
/// - `ptr` points at a bio that was passed to `submit_bio` of a disk of this
///   driver and whose end has not been signalled.
/// - This is the only `Bio` for it, and nobody else uses the bio.
/// - `start_jiffies` is what `bio_start_io_acct` returned for it, if that was called.
pub(crate) struct Bio {
    ptr: NonNull<bindings::bio>,
    /// When it began, if it is accounted.
    start_jiffies: Option<c_ulong>,
    /// Where its disk begins.
    origin: u64,
}

// SAFETY: By the type invariants, nobody else uses the bio, and `bio_endio` may be called
// from any thread.
unsafe impl Send for Bio {}

impl Bio {
    /// Takes over a bio.
    ///
    /// # Safety
    ///
    /// `ptr` must be valid, have been passed to `submit_bio`, and not be used by
    /// the caller afterwards.
    pub(super) unsafe fn from_raw(ptr: NonNull<bindings::bio>) -> Self {
        // SAFETY: By the function's requirements, `ptr` is valid.
        let bdev = unsafe { (*ptr.as_ptr()).bi_bdev };
        // SAFETY: A bio that is submitted has a block device, which stays until the bio has ended.
        let queue = unsafe { (*bdev).bd_queue };
        // SAFETY: A block device has a queue, which stays as long as it does.
        let features = unsafe { &raw const (*queue).limits.features };
        // SAFETY: It points into the queue. It may be written to meanwhile, through sysfs: an
        // aligned 32-bit number that is read once, as by `READ_ONCE` of C, is the old or the
        // new one, and either will do.
        let features = unsafe { features.read_volatile() };
        let is_counted = features & shim::POWERCUT_BLK_FEAT_IO_STAT != 0;
        let start_jiffies = is_counted.then(|| {
            // SAFETY: By the function's requirements, it is a bio that is being submitted.
            unsafe { bindings::bio_start_io_acct(ptr.as_ptr()) }
        });

        // INVARIANT: By the function's requirements this is a submitted, unended
        // bio, and the caller gives up its own use of it.
        Self {
            ptr,
            start_jiffies,
            origin: 0,
        }
    }

    fn opf(&self) -> bindings::blk_opf_t {
        // SAFETY: By the type invariants, `ptr` is valid and ours to read.
        unsafe { (*self.ptr.as_ptr()).bi_opf }
    }

    /// Its place and length, sectors counted from where its disk's count begins.
    fn iter(&self) -> bindings::bvec_iter {
        // SAFETY: By the type invariants, `ptr` is valid and ours to read.
        let mut iter = unsafe { (*self.ptr.as_ptr()).bi_iter };
        iter.bi_sector = iter.bi_sector.wrapping_add(self.origin);
        iter
    }

    /// Has its disk begin at that sector of a larger one: from here on, its own sectors are
    /// counted from where that begins.
    pub(crate) fn set_origin(&mut self, sector: u64) {
        self.origin = sector;
    }

    /// Where its disk begins, as set by [`Self::set_origin`].
    pub(crate) fn origin(&self) -> u64 {
        self.origin
    }

    /// What it asks for.
    pub(crate) fn op(&self) -> ReqOp {
        ReqOp::from_opf(self.opf())
    }

    /// The flags that matter to a disk with a write cache.
    pub(crate) fn flags(&self) -> Flags {
        Flags::from_opf(self.opf())
    }

    /// Whether it is to fail with [`EAGAIN`] rather than wait for anything (`REQ_NOWAIT`).
    pub(crate) fn is_nowait(&self) -> bool {
        self.opf() & (1 << bindings::req_flag_bits___REQ_NOWAIT) != 0
    }

    /// Whether it must not tear (`REQ_ATOMIC`).
    pub(crate) fn is_atomic(&self) -> bool {
        self.opf() & (1 << bindings::req_flag_bits___REQ_ATOMIC) != 0
    }

    /// Its first sector, in units of 512 bytes: on the whole disk, counted from 0 or from
    /// [`Self::origin`] on.
    pub(crate) fn sector(&self) -> u64 {
        self.iter().bi_sector
    }

    /// Its length in bytes.
    pub(crate) fn len_bytes(&self) -> u32 {
        self.iter().bi_size
    }

    /// Its data, in pieces that cross neither a page of memory nor a page
    /// ([`PAGE_SIZE`](kernel::page::PAGE_SIZE) bytes, aligned) of the disk.
    /// A bio that is neither read nor write has a length but no data.
    pub(crate) fn segments(&mut self) -> Segments<'_> {
        let mut iter = self.iter();
        if !matches!(self.op(), ReqOp::Read | ReqOp::Write) {
            iter.bi_size = 0;
        }
        // SAFETY: By the type invariants, `ptr` is valid as long as `self` is borrowed, and all
        // that is left of a read or write has data.
        unsafe { Segments::new(self.ptr, iter) }
    }

    /// Ends it, with the block status that stands for the error if there is one.
    pub(crate) fn end(self, result: Result) {
        let errno = match result {
            Ok(()) => 0,
            Err(error) => error.to_errno(),
        };
        self.end_errno(errno);
    }

    fn end_errno(self, errno: c_int) {
        let this = core::mem::ManuallyDrop::new(self);
        let bio = this.ptr.as_ptr();

        if errno != 0 {
            // SAFETY: It takes any number.
            let status = unsafe { bindings::errno_to_blk_status(errno) };
            // SAFETY: By the type invariants, `bio` is valid and ours to write to.
            unsafe { (*bio).bi_status = status };
        }
        if errno == EAGAIN.to_errno() {
            // As `bio_wouldblock_error`: its submitter comes again, nobody need be told.
            // SAFETY: By the type invariants, `bio` is valid and ours to write to.
            unsafe { (*bio).bi_flags |= 1 << bindings::BIO_QUIET };
        }
        if let Some(start_jiffies) = this.start_jiffies {
            // SAFETY: By the type invariants, `bio` is valid and its begin was accounted, then.
            unsafe { shim::powercut_bio_end_io_acct(bio, start_jiffies) };
        }
        // SAFETY: By the type invariants, the end of `bio` has not been signalled; `this`, which
        // is the only one for it, is neither used nor dropped from here on.
        unsafe { bindings::bio_endio(bio) };
    }
}

impl Drop for Bio {
    fn drop(&mut self) {
        let bio = Self {
            ptr: self.ptr,
            start_jiffies: self.start_jiffies,
            origin: self.origin,
        };
        bio.end_errno(EIO.to_errno());
    }
}
