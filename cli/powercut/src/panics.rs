// SPDX-License-Identifier: GPL-2.0

//! Panics as answers, where somebody waits for one.

use std::any::Any;
use std::panic::{catch_unwind, AssertUnwindSafe};

/// What a task gives, or what it said when it panicked.
pub fn caught<T>(task: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(task)).map_err(|panic| message(&*panic).to_string())
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it did not say why")
}
