// SPDX-License-Identifier: GPL-2.0

//! Rules of injected faults, as they are typed.

use std::str::FromStr;

use thiserror::Error;

/// A rule as it is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// One that the driver has in `faults`.
    Of(String),
    Bad(BadBlocks),
}

/// Bad sectors as they are typed: `badblocks [mode=MODE] [once=0|1] +A-B...`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BadBlocks {
    pub mode: Option<String>,
    pub once: Option<bool>,
    /// `+A-B` or `-A-B`, as null_blk has it.
    pub changes: Vec<String>,
}

/// Kinds of rules and the keys that only they have.
const RULES: [(&str, &[&str]); 8] = [
    ("flush-lies", &[]),
    ("fua-ignored", &["lba"]),
    ("lost", &["op", "lba"]),
    ("misdirected", &["lba", "to"]),
    ("corrupt", &["lba", "bytes"]),
    ("stale", &["lba"]),
    ("eio", &["op", "lba"]),
    ("latency", &["op", "lba", "usec"]),
];
const KEYS: [&str; 5] = ["after", "every", "count", "prob", "seed"];
const MODES: [&str; 4] = ["all", "read", "write", "until-rewritten"];

#[derive(Debug, Error, PartialEq, Eq)]
pub enum RuleError {
    #[error(
        "{rule:?} is not a rule: {kind:?} is no kind of fault; give {}, badblocks",
        kinds()
    )]
    Kind { rule: String, kind: String },
    #[error("{rule:?} is not a rule: {word:?} is not KEY=VALUE with one of {keys}")]
    Key {
        rule: String,
        word: String,
        keys: String,
    },
    #[error("{0:?} is not a rule: give badblocks [mode=all|read|write|until-rewritten] [once=0|1] [+A-B|-A-B]...")]
    Bad(String),
    #[error("a rule is one line, {0:?} is not")]
    Lines(String),
}

/// Several rules, each as it is typed.
pub fn rules(texts: &[String]) -> Result<Vec<Rule>, RuleError> {
    texts.iter().map(|text| text.parse()).collect()
}

fn kinds() -> String {
    RULES.map(|(kind, _)| kind).join(", ")
}

/// Kinds and keys are looked at here, as the driver can't say what is wrong; values it sees to.
impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        if text.contains(['\n', '\0']) {
            return Err(RuleError::Lines(text.into()));
        }
        let mut words = text.split(' ');
        let kind = words.next().unwrap_or_default();
        if kind == "badblocks" {
            let bad = BadBlocks::of(words).ok_or_else(|| RuleError::Bad(text.into()))?;
            return Ok(Self::Bad(bad));
        }
        let Some((_, own)) = RULES.iter().find(|(name, _)| *name == kind) else {
            return Err(RuleError::Kind {
                rule: text.into(),
                kind: kind.into(),
            });
        };
        let known = |key: &&str| own.contains(key) || KEYS.contains(key);
        for word in words {
            if !word.split_once('=').is_some_and(|(key, _)| known(&key)) {
                let keys: Vec<&str> = own.iter().chain(&KEYS).copied().collect();
                return Err(RuleError::Key {
                    rule: text.into(),
                    word: word.into(),
                    keys: keys.join(", "),
                });
            }
        }
        Ok(Self::Of(text.into()))
    }
}

impl BadBlocks {
    fn of<'t>(words: impl Iterator<Item = &'t str>) -> Option<Self> {
        let mut bad = Self::default();
        for word in words {
            if let Some(mode) = word.strip_prefix("mode=") {
                let known = MODES.contains(&mode) && bad.mode.is_none();
                bad.mode = known.then(|| Some(mode.to_string()))?;
            } else if let Some(once) = word.strip_prefix("once=") {
                let known = matches!(once, "0" | "1") && bad.once.is_none();
                bad.once = known.then_some(Some(once == "1"))?;
            } else {
                let range = word.strip_prefix(['+', '-'])?;
                let (first, last) = range.split_once('-')?;
                let ends: (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
                if ends.0 > ends.1 || range.contains('+') {
                    return None;
                }
                bad.changes.push(word.into());
            }
        }
        let is_something = bad.mode.is_some() || bad.once.is_some() || !bad.changes.is_empty();
        is_something.then_some(bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_looked_at_before_the_driver_is_asked() {
        for good in [
            "flush-lies",
            "lost op=write lba=1-2 count=3",
            "latency usec=5 prob=1/2 seed=1",
            "badblocks +1-2",
            "badblocks mode=until-rewritten once=0 +1-2 -3-4",
        ] {
            assert!(good.parse::<Rule>().is_ok(), "{good}");
        }
        let told = |text: &str| text.parse::<Rule>().unwrap_err().to_string();
        assert!(told("lots").contains("\"lots\" is no kind of fault"));
        assert!(told("").contains("no kind"));
        assert!(told("lost  count=1").contains("\"\" is not KEY=VALUE"));
        assert!(told("stale op=read").contains("\"op=read\""));
        assert!(told("lost count").contains("lba, after, every"));
        assert!(told("lost\nlost").contains("one line"));
        for bad in [
            "badblocks",
            "badblocks 1-2",
            "badblocks +2-1",
            "badblocks ++1-2",
            "badblocks +1",
            "badblocks mode=once",
            "badblocks mode=all mode=all +1-2",
            "badblocks once=yes",
        ] {
            assert!(told(bad).contains("give badblocks"), "{bad}");
        }
    }
}
