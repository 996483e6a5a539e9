// SPDX-License-Identifier: GPL-2.0

//! From a violation to its culprit: the smallest difference from a state that
//! passes, by trials of states in between.
//!
//! 1. Which promise is broken: the fewest marks to which the state, held, fails.
//! 2. A state of the same cut that passes: everything kept, if that does.
//! 3. The smallest part of the difference to it that fails: what was lost.
//! 4. Unless a promise says by when that had to be stable: the fewest others that
//!    have to be kept for it to fail, for before those it had to be stable.
//! 5. Where nothing pending at the cut mends it: the first write after the cut
//!    that does.

mod blend;
mod ddmin;
mod later;
mod passing;
mod promise;
mod search;
mod trials;

pub use search::{minimize, Found, Later};
pub use trials::{Answer, Trial, Trials};

#[cfg(test)]
mod tests;
