// SPDX-License-Identifier: GPL-2.0

//! Which guarantees of a record a check watches over.
//!
//! A *guarantee* is what made writes stable: a flush, the flush that comes before a write, or the FUA of one.
//! It *protects* the writes that nothing else had made stable by then. Without it they could be lost for as
//! long as nothing else makes them stable, and everything else be as it is. [`States`] are such states: those
//! that the record with this guarantee forbids, and without it allows.
//!
//! They are states of another record, [`WithoutGuarantees`], which differs in that its flushes and FUAs made
//! nothing stable. So a driver that has that record can show them.

mod guarantees;
mod states;
mod without;

pub use guarantees::{guarantees, Guarantee, Promise, Protected};
pub use states::{Forbidden, Loss, States};
pub use without::WithoutGuarantees;
