// SPDX-License-Identifier: GPL-2.0

//! A bio that a disk was given: what it asks for, its data, its end.
//!
//! C header: [`include/linux/bio.h`](srctree/include/linux/bio.h)

use super::shim;
use core::{
    marker::PhantomData,
    mem::MaybeUninit,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    page::PAGE_SIZE,
    prelude::*, //
};

/// Bytes in a sector, the block layer's unit of address whatever the block size.
const SECTOR_SIZE: u32 = 512;

/// What a bio asks for (`enum req_op`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Op {
    /// `REQ_OP_READ`.
    Read,
    /// `REQ_OP_WRITE`. Without data it is an empty flush, see [`Flags::PREFLUSH`].
    Write,
    /// `REQ_OP_DISCARD`.
    Discard,
    /// `REQ_OP_WRITE_ZEROES`.
    WriteZeroes,
    /// An operation that no disk of this driver advertises.
    Other,
}

/// The flags of a bio that a disk with a write cache acts on or records.
///
/// The values are those of the log's interface to user space (docs/abi.md), not
/// the kernel's own, which move between releases.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Flags(u16);

impl Flags {
    /// `REQ_PREFLUSH`: flush the write cache first.
    pub(crate) const PREFLUSH: Self = Self(1);
    /// `REQ_FUA`: this write's own data is stable when it completes.
    pub(crate) const FUA: Self = Self(2);
    /// `REQ_META`: a filesystem's metadata.
    pub(crate) const META: Self = Self(4);
    /// `REQ_SYNC`: somebody waits for it.
    pub(crate) const SYNC: Self = Self(8);
    /// `REQ_ATOMIC`: must not tear.
    pub(crate) const ATOMIC: Self = Self(16);
    /// `REQ_NOUNMAP`: zeroes must stay allocated.
    pub(crate) const NOUNMAP: Self = Self(32);
    /// `REQ_PRIO`: of high priority.
    pub(crate) const PRIO: Self = Self(64);

    const ALL: u16 = 127;

    /// The flags in `bits`, or [`None`] if one of them is unknown.
    pub(crate) fn from_bits(bits: u32) -> Option<Self> {
        u16::try_from(bits)
            .ok()
            .filter(|bits| bits & !Self::ALL == 0)
            .map(Self)
    }

    /// The flags as docs/abi.md numbers them.
    pub(crate) fn bits(self) -> u16 {
        self.0
    }

    /// Whether every flag of `other` is set.
    pub(crate) fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether a flag of `other` is set.
    pub(crate) fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn from_opf(opf: u32) -> Self {
        const MAP: [(u32, Flags); 7] = [
            (bindings::req_flag_bits___REQ_PREFLUSH, Flags::PREFLUSH),
            (bindings::req_flag_bits___REQ_FUA, Flags::FUA),
            (bindings::req_flag_bits___REQ_META, Flags::META),
            (bindings::req_flag_bits___REQ_SYNC, Flags::SYNC),
            (bindings::req_flag_bits___REQ_ATOMIC, Flags::ATOMIC),
            (bindings::req_flag_bits___REQ_NOUNMAP, Flags::NOUNMAP),
            (bindings::req_flag_bits___REQ_PRIO, Flags::PRIO),
        ];

        let mut flags = Self::default();
        for (bit, flag) in MAP {
            if opf & (1 << bit) != 0 {
                flags.0 |= flag.0;
            }
        }
        flags
    }
}

impl core::ops::BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A bio on its way through the driver.
///
/// It is accounted from here to its end. Dropping it fails it with an I/O
/// error, so that none is ever forgotten.
///
/// # Invariants
///
/// - `ptr` points at a bio that was passed to `submit_bio` of a disk of this
///   driver and whose end has not been signalled.
/// - This is the only `Bio` for it.
pub(crate) struct Bio {
    ptr: NonNull<bindings::bio>,
    /// When it began, if it is accounted.
    start_jiffies: Option<c_ulong>,
    /// Where its disk begins.
    origin: u64,
}

// SAFETY: A bio belongs to nobody else between `submit_bio` and `bio_endio`, and
// may be ended from any thread.
unsafe impl Send for Bio {}

impl Bio {
    /// Takes over a bio.
    ///
    /// # Safety
    ///
    /// `ptr` must be valid, have been passed to `submit_bio`, and not be used by
    /// the caller afterwards.
    pub(super) unsafe fn from_raw(ptr: NonNull<bindings::bio>) -> Self {
        // SAFETY: By the function's requirements, `ptr` is a bio that is being submitted,
        // to a disk that exists. `features` may be written meanwhile (through sysfs, under
        // `limits_lock`, while bios are under way): an aligned 32-bit number that is read once,
        // as by `READ_ONCE` of C, is the old or the new one, and either will do here.
        let features = unsafe {
            (&raw const (*(*(*ptr.as_ptr()).bi_bdev).bd_queue).limits.features).read_volatile()
        };
        let is_counted = features & shim::POWERCUT_BLK_FEAT_IO_STAT != 0;
        let start_jiffies = is_counted.then(|| {
            // SAFETY: As above.
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

    fn opf(&self) -> u32 {
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
    pub(crate) fn op(&self) -> Op {
        match self.opf() & ((1 << bindings::REQ_OP_BITS) - 1) {
            bindings::req_op_REQ_OP_READ => Op::Read,
            // A bio-based driver sees a flush as an empty write with `REQ_PREFLUSH`.
            bindings::req_op_REQ_OP_WRITE | bindings::req_op_REQ_OP_FLUSH => Op::Write,
            bindings::req_op_REQ_OP_DISCARD => Op::Discard,
            bindings::req_op_REQ_OP_WRITE_ZEROES => Op::WriteZeroes,
            _ => Op::Other,
        }
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
    /// ([`PAGE_SIZE`] bytes, aligned) of the disk.
    /// A bio that is neither read nor write has a length but no data.
    pub(crate) fn segments(&mut self) -> Segments<'_> {
        let mut iter = self.iter();
        if !matches!(self.op(), Op::Read | Op::Write) {
            iter.bi_size = 0;
        }
        Segments {
            iter,
            bio: self.ptr,
            _bio: PhantomData,
        }
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

        // SAFETY: By the type invariants, `bio` is valid and its end has not been
        // signalled; `this` is not used after `bio_endio`.
        unsafe {
            if errno != 0 {
                (*bio).bi_status = bindings::errno_to_blk_status(errno);
            }
            if errno == EAGAIN.to_errno() {
                // As `bio_wouldblock_error`: its submitter comes again, nobody need be told.
                (*bio).bi_flags |= 1 << bindings::BIO_QUIET;
            }
            if let Some(start_jiffies) = this.start_jiffies {
                shim::powercut_bio_end_io_acct(bio, start_jiffies);
            }
            bindings::bio_endio(bio);
        }
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

/// The segments of a bio, first to last. See [`Bio::segments`].
pub(crate) struct Segments<'a> {
    iter: bindings::bvec_iter,
    bio: NonNull<bindings::bio>,
    _bio: PhantomData<&'a mut Bio>,
}

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.iter.bi_size == 0 {
            return None;
        }

        let sector = self.iter.bi_sector;
        let mut vec = MaybeUninit::uninit();
        // SAFETY: `bio` is valid while the `Bio` that this borrows from is, and
        // `iter` is within its data, since `bi_size` is not 0. That initializes `vec`.
        let mut vec = unsafe {
            shim::powercut_bio_iter_iovec(self.bio.as_ptr(), &self.iter, vec.as_mut_ptr());
            vec.assume_init()
        };

        // No truncation: at most a page.
        let room = (PAGE_SIZE - offset_bytes(sector)) as u32;
        vec.bv_len = vec.bv_len.min(room);

        if vec.bv_len == self.iter.bi_size {
            self.iter.bi_size = 0;
        } else {
            // SAFETY: As above, and `bv_len` is no more than the current segment holds.
            unsafe {
                shim::powercut_bio_advance_iter_single(
                    self.bio.as_ptr(),
                    &mut self.iter,
                    vec.bv_len,
                );
            }
        }

        // INVARIANT: It is a part of the borrowed bio's data, and within one page of memory;
        // `room` sees to the page of the disk.
        Some(Segment {
            vec,
            sector,
            _bio: PhantomData,
        })
    }
}

/// How far into its page of the disk a sector lies, in bytes.
fn offset_bytes(sector: u64) -> usize {
    let page_sectors = (PAGE_SIZE / SECTOR_SIZE as usize) as u64;
    // No truncation: less than a page.
    (sector % page_sectors) as usize * SECTOR_SIZE as usize
}

/// A piece of a bio's data.
///
/// Other parties may write to this memory meanwhile (user space does, under
/// direct I/O), so it is only ever copied, by C.
///
/// # Invariants
///
/// - `vec` is a part of the data of a bio that lives for `'a`, within one page.
/// - What it is for lies within one page of the disk, too: from the offset of `sector` in
///   that on there is room for `bv_len` bytes.
pub(crate) struct Segment<'a> {
    vec: bindings::bio_vec,
    sector: u64,
    _bio: PhantomData<&'a mut Bio>,
}

impl Segment<'_> {
    /// Its first sector on the disk.
    pub(crate) fn sector(&self) -> u64 {
        self.sector
    }

    /// Its length in bytes.
    pub(crate) fn len_bytes(&self) -> usize {
        self.vec.bv_len as usize
    }

    /// How far into its page of the disk it starts, in bytes.
    pub(crate) fn offset_bytes(&self) -> usize {
        offset_bytes(self.sector)
    }

    /// Copies it to its place in a page.
    ///
    /// # Safety
    ///
    /// `page` must be valid for writes of a page.
    pub(super) unsafe fn copy_to_page(&self, page: *mut u8) {
        let to = page.wrapping_add(self.offset_bytes());
        // SAFETY: By the type invariants, it lies within one page that the bio keeps
        // alive; by those and the function's requirements, there is room for it.
        unsafe { shim::powercut_memcpy_from_bvec(to.cast(), self.vec) };
    }

    /// Copies it from its place in a page.
    ///
    /// # Safety
    ///
    /// `page` must be valid for reads of a page.
    pub(super) unsafe fn copy_from_page(&mut self, page: *const u8) {
        let from = page.wrapping_add(self.offset_bytes());
        // SAFETY: As above.
        unsafe { shim::powercut_memcpy_to_bvec(self.vec, from.cast()) };
    }

    /// The `len_bytes` bytes of it from `offset_bytes` on, cut to what is there.
    fn cut(&self, offset_bytes: usize, len_bytes: usize) -> bindings::bio_vec {
        let offset = offset_bytes.min(self.len_bytes());
        let len = len_bytes.min(self.len_bytes() - offset);

        // No truncation: both are at most `bv_len`.
        bindings::bio_vec {
            bv_page: self.vec.bv_page,
            bv_offset: self.vec.bv_offset + offset as u32,
            bv_len: len as u32,
        }
    }

    /// Copies the bytes from `offset_bytes` on to `to`, `len_bytes` of them or what
    /// there is.
    ///
    /// # Safety
    ///
    /// `to` must be valid for writes of `len_bytes` bytes.
    pub(super) unsafe fn copy_to_raw(&self, offset_bytes: usize, to: *mut u8, len_bytes: usize) {
        let part = self.cut(offset_bytes, len_bytes);
        // SAFETY: By the type invariants, it lies within one page that the bio keeps
        // alive; by the function's requirements, there is room for it.
        unsafe { shim::powercut_memcpy_from_bvec(to.cast(), part) };
    }

    /// Copies `from` to the bytes from `offset_bytes` on, likewise.
    ///
    /// # Safety
    ///
    /// `from` must be valid for reads of `len_bytes` bytes.
    pub(super) unsafe fn copy_from_raw(
        &mut self,
        offset_bytes: usize,
        from: *const u8,
        len_bytes: usize,
    ) {
        let part = self.cut(offset_bytes, len_bytes);
        // SAFETY: As above.
        unsafe { shim::powercut_memcpy_to_bvec(part, from.cast()) };
    }

    /// Writes zeroes to the `len_bytes` bytes from `offset_bytes` on.
    pub(crate) fn zero(&mut self, offset_bytes: usize, len_bytes: usize) {
        let part = self.cut(offset_bytes, len_bytes);

        // SAFETY: By the type invariants, `part` lies within one page that the bio
        // keeps alive.
        unsafe { shim::powercut_memzero_bvec(part) };
    }
}
