// SPDX-License-Identifier: GPL-2.0

//! Transaction N has the keys N and N', and the key `newest`, whose value is N: so a check sees what is lost, what goes back,
//! and what is there in part.

use crate::Pairs;

/// How many there are.
pub const COUNT: usize = 6;
/// The key that each transaction replaces.
pub const NEWEST: &str = "newest";

const LENGTH: usize = 600;

/// The keys that only transaction `number` has.
pub fn keys(number: usize) -> [String; 2] {
    [format!("{number:04}"), format!("{number:04}'")]
}

/// The transaction that a key is of.
pub fn number(key: &str) -> Option<usize> {
    let number = key.strip_suffix('\'').unwrap_or(key).parse().ok()?;
    (1..=COUNT).contains(&number).then_some(number)
}

pub fn value(number: usize) -> String {
    format!("value {number} ")
        .chars()
        .cycle()
        .take(LENGTH)
        .collect()
}

pub fn pairs(number: usize) -> Pairs {
    let mut pairs: Pairs = keys(number)
        .into_iter()
        .map(|key| (key, value(number)))
        .collect();
    pairs.insert(NEWEST.to_owned(), number.to_string());
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_of_the_transaction_that_has_it() {
        for written in 1..=COUNT {
            assert!(keys(written).iter().all(|key| number(key) == Some(written)));
        }
        for other in ["0000", "0007", NEWEST, ""] {
            assert_eq!(number(other), None);
        }
    }
}
