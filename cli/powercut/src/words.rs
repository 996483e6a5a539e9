// SPDX-License-Identifier: GPL-2.0

//! Numbers as people say them.

use num_bigint::BigUint;
use powercut_engine::choices::Choices;
use powercut_engine::count;

/// Longer numbers are told by their power of ten.
const DIGITS: usize = 15;

/// So many things: `1 write`, `3 writes`.
pub fn many(n: u64, one: &str, more: &str) -> String {
    match n {
        1 => format!("1 {one}"),
        n => format!("{n} {more}"),
    }
}

/// A number of which only the size matters if it is long: `4812`, `about 10^162`.
pub fn about(n: &BigUint) -> String {
    match power_of_ten(&n.to_string()) {
        None => n.to_string(),
        Some(power) => format!("about 10^{power}"),
    }
}

/// The same for a column of a table: `~10^162`.
pub fn about_in_short(n: &BigUint) -> String {
    match power_of_ten(&n.to_string()) {
        None => n.to_string(),
        Some(power) => format!("~10^{power}"),
    }
}

/// Of a decimal number in a report.
pub fn about_text(decimal: &str) -> String {
    match decimal.parse() {
        Ok(n) => about(&n),
        Err(_) => decimal.into(),
    }
}

/// The number of legal states of a cut.
pub fn states_of(choices: &Choices<'_>) -> String {
    let states = about(&count::states(choices));
    if count::is_exact(choices) {
        states
    } else {
        format!("at most {states}")
    }
}

/// Whether a decimal number is told to its last digit.
pub fn is_short(decimal: &str) -> bool {
    decimal.len() <= DIGITS
}

/// The nearest power of ten of a number that is long.
fn power_of_ten(digits: &str) -> Option<usize> {
    // The root of ten is between the two.
    let is_upper = digits > "316";
    (!is_short(digits)).then(|| digits.len() - 1 + usize::from(is_upper))
}

/// The last place up to `at` where a character begins.
pub fn floor_char_boundary(text: &str, at: usize) -> usize {
    let mut end = at.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_is_cut_in_two() {
        let text = "aé€";
        let ends = [0, 1, 1, 3, 3, 3, 6, 6];
        for (at, end) in ends.into_iter().enumerate() {
            assert_eq!(floor_char_boundary(text, at), end, "{at}");
        }
    }

    #[test]
    fn long_numbers_are_told_by_their_size() {
        let big = |text: &str| text.parse::<BigUint>().unwrap();
        for (number, told, short) in [
            ("0", "0", "0"),
            ("999999999999999", "999999999999999", "999999999999999"),
            ("1000000000000000", "about 10^15", "~10^15"),
            ("3100000000000000", "about 10^15", "~10^15"),
            ("3170000000000000", "about 10^16", "~10^16"),
            ("9999999999999999", "about 10^16", "~10^16"),
        ] {
            assert_eq!(about(&big(number)), told);
            assert_eq!(about_text(number), told);
            assert_eq!(about_in_short(&big(number)), short);
        }
        assert_eq!(about(&(BigUint::from(1u8) << 539u32)), "about 10^162");
        assert_eq!(about_text("?"), "?");
    }

    #[test]
    fn one_thing_is_no_things() {
        assert_eq!(many(1, "flush", "flushes"), "1 flush");
        assert_eq!(many(0, "flush", "flushes"), "0 flushes");
        assert_eq!(many(2, "flush", "flushes"), "2 flushes");
    }
}
