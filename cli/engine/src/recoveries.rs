// SPDX-License-Identifier: GPL-2.0

//! What became of recoveries that were cut in their turn.

use num_bigint::BigUint;
use serde::{Deserialize, Serialize};

/// Recoveries from a first power cut that others cut.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recoveries {
    pub recorded: u64,
    /// Legal states that cutting them may leave.
    #[serde(with = "decimal")]
    pub legal: BigUint,
    /// Those examined.
    pub checked: u64,
    /// Recoveries all of whose legal states have a known verdict.
    pub complete: u64,
}

impl Recoveries {
    pub fn add(&mut self, other: &Self) {
        self.recorded += other.recorded;
        self.legal += &other.legal;
        self.checked += other.checked;
        self.complete += other.complete;
    }
}

/// Large numbers in text.
mod decimal {
    use num_bigint::BigUint;
    use serde::{de::Error, Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(n: &BigUint, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(n)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<BigUint, D::Error> {
        String::deserialize(d)?.parse().map_err(D::Error::custom)
    }
}
