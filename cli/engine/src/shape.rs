// SPDX-License-Identifier: GPL-2.0

//! What is the same in the outputs of a check that fails in one way.
//!
//! Two runs of one check name other numbers, addresses, hashes, files and times for one
//! bug. In the shape of a text each of these is a placeholder, and a line that would then
//! stand there again stands there once.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;

/// Stands for numbers, hexadecimal words, dates and durations.
const NUMBER: &str = "#";

const DAY: &str = "(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?";
const MONTH: &str = "(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|\
                     Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)";
/// With its number. A single letter but `s` follows without a blank.
const DURATION: &str = r"\b\d+(?:\.\d+)?(?:[mhd]| ?(?:[nuµμm]?s|[num]?secs?|(?:nano|micro|milli)?seconds?|mins?|minutes?|hrs?|hours?|days?|weeks?))\b";
/// What a path ends before.
const AFTER_PATH: &str = r#"\s"'`’”»<>:;,|()\[\]{}"#;

/// Patterns and what to put in their place, in this order, before [`words`].
fn rules() -> Vec<(String, &'static str)> {
    vec![
        // Absolute paths in quotes, which may hold blanks.
        (r#""/[^"\n]*""#.into(), r#""<path>""#),
        (r"'/[^'\n]*'".into(), "'<path>'"),
        (r"‘/[^’\n]*’".into(), "‘<path>’"),
        // Other absolute paths: they follow neither a letter nor a digit, as in "and/or" and
        // "1/2", and don't end with what ends a sentence.
        (
            format!(
                r#"(?m)(^|[\s"'`‘“«=(\[{{>,;:|])(?:\$\{{?POWERCUT_MNT\}}?)?/[^{AFTER_PATH}]*[^{AFTER_PATH}.?!]"#
            ),
            "$1<path>",
        ),
        // Days and months beside numbers: "Wed Nov 25", "Nov  5", "25 Nov 2026", "25/Nov/2026".
        (
            format!(r"\b(?:(?:{DAY}|{MONTH})\b[.,]?[ \t/-]+)+\d+"),
            NUMBER,
        ),
        (format!(r"\b\d+(?:st|nd|rd|th)?[ \t/-]+{MONTH}\b"), NUMBER),
        // Hexadecimal in parts, of which one may lack a digit: UUIDs, loose objects of git,
        // positions in PostgreSQL's log.
        (
            r"\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b".into(),
            NUMBER,
        ),
        (
            r"\b[0-9a-f]{2}/(?:[0-9a-f]{38}|[0-9a-f]{62})\b".into(),
            NUMBER,
        ),
        (r"\b\d[0-9A-F]*/[0-9A-F]+\b".into(), NUMBER),
        // Durations of one unit or several: "950ms", "1.2 s", "1h 30m", "2 minutes, 3 seconds".
        (format!("{DURATION}(?:,? ?{DURATION})*"), NUMBER),
        // Fractions, versions, addresses of the Internet; exponents.
        (
            r"\b\d+(?:\.\d+)+(?:[eE][+-]?\d+\b)?|\b\d+[eE][+-]\d+\b".into(),
            NUMBER,
        ),
    ]
}

/// The same, after [`words`]: signs, and lists of numbers.
fn rules_after() -> Vec<(String, &'static str)> {
    vec![
        (r"(?m)(^|[\s=(\[{,:])[+-]#".into(), "$1#"),
        (r"#(?:, ?#)+".into(), NUMBER),
    ]
}

struct Patterns(Vec<(Regex, &'static str)>);

impl Patterns {
    /// Those that compile: all, as a test says.
    fn of(rules: Vec<(String, &'static str)>) -> Self {
        let compiled = rules
            .into_iter()
            .filter_map(|(pattern, by)| Some((Regex::new(&pattern).ok()?, by)));
        Self(compiled.collect())
    }

    fn replace(&self, text: &str) -> String {
        self.0.iter().fold(text.into(), |text, (pattern, by)| {
            pattern.replace_all(&text, *by).into_owned()
        })
    }
}

static BEFORE: LazyLock<Patterns> = LazyLock::new(|| Patterns::of(rules()));
static AFTER: LazyLock<Patterns> = LazyLock::new(|| Patterns::of(rules_after()));

/// A text without what differs from run to run.
pub(crate) fn shape(text: &str) -> String {
    let shape = AFTER.replace(&words(&BEFORE.replace(text)));
    let mut seen = HashSet::new();
    let lines = shape.lines().filter(|line| seen.insert(*line));
    lines.collect::<Vec<_>>().join("\n")
}

/// Numbers and hexadecimal words as [`NUMBER`]; within other words, the digits.
fn words(text: &str) -> String {
    let mut shape = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_word = first.is_ascii_alphanumeric();
        let end = rest.find(|c: char| c.is_ascii_alphanumeric() != is_word);
        let (piece, after) = rest.split_at(end.unwrap_or(rest.len()));
        if is_word && is_hex(piece) {
            shape.push_str(NUMBER);
        } else if is_word {
            digits(&mut shape, piece);
        } else {
            shape.push_str(piece);
        }
        rest = after;
    }
    shape
}

/// Hexadecimal with `0x`, or with a digit: "dead" and "beef" are English.
fn is_hex(word: &str) -> bool {
    let is_hex = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    match word.strip_prefix("0x").or(word.strip_prefix("0X")) {
        Some(digits) => is_hex(digits),
        None => is_hex(word) && word.bytes().any(|b| b.is_ascii_digit()),
    }
}

/// Adds a word, each run of digits in it as [`NUMBER`].
fn digits(shape: &mut String, word: &str) {
    let mut in_digits = false;
    for c in word.chars() {
        if !c.is_ascii_digit() {
            shape.push(c);
        } else if !in_digits {
            shape.push_str(NUMBER);
        }
        in_digits = c.is_ascii_digit();
    }
}

#[cfg(test)]
mod tests;
