// SPDX-License-Identifier: GPL-2.0

//! Which part this process plays in which test.

use std::env;
use std::ffi::OsString;

/// Says which part, and of which test: `workload NAME` or `check NAME`.
pub const VARIABLE: &str = "POWERCUT_TEST";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The test that `cargo test` runs.
    Test,
    Workload,
    Check,
}

impl Role {
    /// That of this process in a test.
    pub fn in_test(name: &str) -> Self {
        let told = env::var_os(VARIABLE);
        [Self::Workload, Self::Check]
            .into_iter()
            .find(|role| told == role.told(name))
            .unwrap_or(Self::Test)
    }

    /// What the variable holds for it.
    pub fn told(self, name: &str) -> Option<OsString> {
        match self {
            Self::Test => None,
            Self::Workload => Some(format!("workload {name}").into()),
            Self::Check => Some(format!("check {name}").into()),
        }
    }
}
