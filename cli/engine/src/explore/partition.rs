// SPDX-License-Identifier: GPL-2.0

//! All legal states of one cut, taken apart by what a check reads.
//!
//! A part is a set of states, one of which a check is run on. All states of the part
//! that agree with this one in what the run read share its verdict: they are a
//! *leaf*. What is left of the part falls into parts that differ from it in the
//! first, the second... of the units that were read. So every legal state is in one
//! leaf, and only what the check looks at is ever multiplied out.

use num_bigint::BigUint;

use crate::keep::Keep;

/// How many states something stands for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Size {
    pub legal: BigUint,
    pub images: BigUint,
}

/// The parts of a cut that are left to look at, by their numbers; the last is the next.
pub trait Partition {
    fn len(&self) -> usize;

    /// The pieces kept in the state to run the check on: what is open is kept.
    fn keep(&self, part: usize) -> Keep;

    /// The hash of the image that this leaves.
    fn image(&self, part: usize) -> u128;

    /// The place of the unit in which alone a part differs from the leaf that it comes
    /// from, whose run had read it; none if there may be several.
    fn branch(&self, part: usize) -> Option<u32>;

    /// Makes a leaf of the next part, given the places of the units that its run read,
    /// and leaves the rest of it to do. The size of the leaf.
    fn settle(&mut self, reads: &[u32]) -> Size;

    /// Takes the next part out, to be looked at never.
    fn leave_out(&mut self);

    /// The share of the cut that is done, from 0 to 1.
    fn done(&self) -> f64;
}
