// SPDX-License-Identifier: GPL-2.0

//! Modules that the kernel does not load by itself.

use std::process::{Command, Stdio};

/// Has a module loaded. Whether it is there is seen afterwards: it may be built in, or there may be none.
pub fn load(module: &str) {
    let _ = Command::new("modprobe")
        .args(["--quiet", module])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}
