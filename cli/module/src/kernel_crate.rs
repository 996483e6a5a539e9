// SPDX-License-Identifier: GPL-2.0

//! What is used of the `kernel` crate.

use std::ops::{BitOr, Deref, DerefMut};

/// An error number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Error(&'static str);

impl Error {
    /// Such as `EINVAL`.
    pub fn name(self) -> &'static str {
        self.0
    }
}

pub type Result<T = (), E = Error> = core::result::Result<T, E>;

impl From<core::num::TryFromIntError> for Error {
    fn from(_: core::num::TryFromIntError) -> Self {
        prelude::EINVAL
    }
}

/// How memory is asked for.
#[derive(Clone, Copy)]
pub struct Flags;

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, _: Self) -> Self {
        self
    }
}

/// A vector that grows by fallible calls.
#[derive(Debug, Clone)]
pub struct KVVec<T>(Vec<T>);

impl<T> KVVec<T> {
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    pub fn with_capacity(capacity: usize, _: Flags) -> Result<Self> {
        Ok(Self(Vec::with_capacity(capacity)))
    }

    pub fn push(&mut self, value: T, _: Flags) -> Result {
        self.0.push(value);
        Ok(())
    }

    pub fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }
}

impl<T: Clone> KVVec<T> {
    pub fn extend_from_slice(&mut self, values: &[T], _: Flags) -> Result {
        self.0.extend_from_slice(values);
        Ok(())
    }
}

impl<T: Clone + Default> KVVec<T> {
    pub fn zeroed(len: usize, _: Flags) -> Result<Self> {
        Ok(Self(vec![T::default(); len]))
    }
}

impl<T> Default for KVVec<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Deref for KVVec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> DerefMut for KVVec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<'v, T> IntoIterator for &'v KVVec<T> {
    type Item = &'v T;
    type IntoIter = core::slice::Iter<'v, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'v, T> IntoIterator for &'v mut KVVec<T> {
    type Item = &'v mut T;
    type IntoIter = core::slice::IterMut<'v, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter_mut()
    }
}

pub mod prelude {
    pub use super::{Error, Flags, KVVec, Result};
    pub use crate::fmt;

    pub const GFP_KERNEL: Flags = Flags;
    pub const __GFP_NOWARN: Flags = Flags;

    macro_rules! errors {
        ($($name:ident)*) => {
            $(pub const $name: Error = Error(stringify!($name));)*
        };
    }

    errors!(E2BIG EEXIST EINVAL EIO ENAMETOOLONG ENODEV ENOENT ENOMEM ENOSPC ERANGE);
}

pub mod fmt {
    pub use core::fmt::*;
}

#[macro_export]
macro_rules! fmt {
    ($($arguments:tt)*) => {
        ::core::format_args!($($arguments)*)
    };
}

pub mod sync {
    pub use std::sync::Arc;
}

/// Of `include/linux/blk_types.h`.
#[allow(non_camel_case_types, non_upper_case_globals)]
pub mod bindings {
    pub type blk_opf_t = u32;

    pub const REQ_OP_BITS: u32 = 8;
    pub const req_op_REQ_OP_READ: u32 = 0;
    pub const req_op_REQ_OP_WRITE: u32 = 1;
    pub const req_op_REQ_OP_FLUSH: u32 = 2;
    pub const req_op_REQ_OP_DISCARD: u32 = 3;
    pub const req_op_REQ_OP_WRITE_ZEROES: u32 = 9;
    pub const req_flag_bits___REQ_SYNC: u32 = 11;
    pub const req_flag_bits___REQ_META: u32 = 12;
    pub const req_flag_bits___REQ_PRIO: u32 = 13;
    pub const req_flag_bits___REQ_FUA: u32 = 17;
    pub const req_flag_bits___REQ_PREFLUSH: u32 = 18;
    pub const req_flag_bits___REQ_ATOMIC: u32 = 23;
    pub const req_flag_bits___REQ_NOUNMAP: u32 = 25;
}
