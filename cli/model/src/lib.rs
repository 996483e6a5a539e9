// SPDX-License-Identifier: GPL-2.0

//! Which disk contents a power cut may legally leave: the kernel module's own model, compiled from
//! the module's source, for the tool and for tests.

#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs, rust_2018_idioms)]

#[path = "../../../src/model/mod.rs"]
mod model;

pub use model::*;
