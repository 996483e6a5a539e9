// SPDX-License-Identifier: GPL-2.0

//! What a disk or a view is to do wrong: its rules and bad sectors.

use std::io;
use std::path::Path;

use rustix::io::Errno;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::attribute::{get, write};
use super::{errno, DeviceError, Disk, View};
use crate::faults::{BadBlocks, Rule};

/// A rule, and how often it was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleStatus {
    pub rule: String,
    pub hits: u64,
}

/// The faults of a disk or a view.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FaultStatus {
    pub rules: Vec<RuleStatus>,
    /// Runs of bad sectors of 512 bytes, first and last.
    pub badblocks: Vec<(u64, u64)>,
    pub badblocks_mode: String,
    pub badblocks_once: bool,
    pub badblocks_hits: u64,
}

/// The directory of a disk or a view.
#[derive(Debug, Clone, Copy)]
pub struct FaultDir<'d> {
    dir: &'d Path,
    name: &'d str,
}

impl Disk {
    pub fn faults(&self) -> FaultDir<'_> {
        FaultDir {
            dir: self.dir(),
            name: self.name().as_str(),
        }
    }
}

impl View {
    pub fn faults(&self) -> FaultDir<'_> {
        FaultDir {
            dir: self.dir(),
            name: self.name(),
        }
    }
}

impl FaultStatus {
    pub fn parse_rules(text: &str) -> Vec<RuleStatus> {
        let parse = |line: &str| {
            let (rule, hits) = line.rsplit_once(" hits=")?;
            Some(RuleStatus {
                rule: rule.into(),
                hits: hits.parse().ok()?,
            })
        };
        text.lines().filter_map(parse).collect()
    }

    /// The driver has a run a line, as first sector and number.
    pub fn parse_bad(text: &str) -> Vec<(u64, u64)> {
        let parse = |line: &str| {
            let (first, number) = line.split_once(' ')?;
            let (first, number): (u64, u64) = (first.parse().ok()?, number.parse().ok()?);
            Some((first, first.checked_add(number.checked_sub(1)?)?))
        };
        text.lines().filter_map(parse).collect()
    }

    /// The bad sectors as a rule, if there are any or were hit.
    pub fn bad_rule(&self) -> Option<RuleStatus> {
        if self.badblocks.is_empty() && self.badblocks_hits == 0 {
            return None;
        }
        let runs = self.badblocks.iter().map(|(a, b)| format!(" +{a}-{b}"));
        let once = if self.badblocks_once { " once=1" } else { "" };
        let mode = &self.badblocks_mode;
        Some(RuleStatus {
            rule: format!("badblocks mode={mode}{once}{}", runs.collect::<String>()),
            hits: self.badblocks_hits,
        })
    }
}

impl FaultDir<'_> {
    pub fn status(&self) -> Result<FaultStatus, DeviceError> {
        let get = |attribute| get(self.dir, attribute);
        Ok(FaultStatus {
            rules: FaultStatus::parse_rules(&get("faults")?),
            badblocks: FaultStatus::parse_bad(&get("badblocks")?),
            badblocks_mode: get("badblocks_mode")?,
            badblocks_once: get("badblocks_once")? == "1",
            badblocks_hits: get("badblocks_hits")?.parse().unwrap_or(0),
        })
    }

    /// Adds rules: all that the driver takes in one go, or none.
    pub fn add(&self, rules: &[Rule]) -> Result<(), DeviceError> {
        let texts = rules.iter().filter_map(|rule| match rule {
            Rule::Of(text) => Some(format!("+{text}")),
            Rule::Bad(_) => None,
        });
        let texts: Vec<String> = texts.collect();
        if !texts.is_empty() {
            self.set("faults", &texts.join("\n"))?;
        }
        for rule in rules {
            if let Rule::Bad(bad) = rule {
                self.set_bad(bad)?;
            }
        }
        Ok(())
    }

    fn set_bad(&self, bad: &BadBlocks) -> Result<(), DeviceError> {
        if let Some(mode) = &bad.mode {
            self.set("badblocks_mode", mode)?;
        }
        if let Some(once) = bad.once {
            self.set("badblocks_once", if once { "1" } else { "0" })?;
        }
        bad.changes
            .iter()
            .try_for_each(|change| self.set("badblocks", change))
    }

    /// No rules, no bad sectors.
    pub fn clear(&self) -> Result<(), DeviceError> {
        self.set("faults", "")?;
        for (first, last) in self.status()?.badblocks {
            self.set("badblocks", &format!("-{first}-{last}"))?;
        }
        self.set("badblocks_mode", "all")?;
        self.set("badblocks_once", "0")
    }

    fn set(&self, attribute: &str, value: &str) -> Result<(), DeviceError> {
        let path = self.dir.join(attribute);
        write(&path, value).map_err(|e| self.refused(value, &e))
    }

    fn refused(&self, value: &str, e: &io::Error) -> DeviceError {
        let why = errno(e).and_then(why_refused);
        DeviceError::Refused {
            what: format!("{:?} of {}", value.replace('\n', "; "), self.name),
            why: why.map_or_else(|| e.to_string(), String::from),
        }
    }
}

/// Why rules are refused with this error, where that is more than the error says.
pub fn why_refused(errno: Errno) -> Option<&'static str> {
    Some(match errno {
        Errno::NODEV => "it is powered off",
        Errno::INVAL => {
            "a value in it is not valid, or does not go with the others: see docs/faults.md"
        }
        Errno::RANGE => "it speaks of sectors beyond the end, or of a number of more than 64 bits",
        Errno::TOOBIG => "32 rules at most, and 4 KiB at a time",
        Errno::NOSPC => "512 runs of bad sectors at most",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_driver_shows_is_taken_apart() {
        let rules = FaultStatus::parse_rules("lost op=write hits=3\nstale hits=0\n");
        assert_eq!(
            (rules[0].rule.as_str(), rules[0].hits),
            ("lost op=write", 3)
        );
        assert_eq!(rules.len(), 2);
        let bad = FaultStatus::parse_bad("8 1\n16 16\n");
        assert_eq!(bad, [(8, 8), (16, 31)]);
        let none = "0 0\n18446744073709551615 2\n";
        assert!(FaultStatus::parse_bad(none).is_empty());
        let status = FaultStatus {
            badblocks: bad,
            badblocks_mode: "read".into(),
            badblocks_once: true,
            ..FaultStatus::default()
        };
        let rule = status.bad_rule().unwrap().rule;
        assert_eq!(rule, "badblocks mode=read once=1 +8-8 +16-31");
        // It can be typed again.
        assert!(rule.parse::<Rule>().is_ok());
    }
}
