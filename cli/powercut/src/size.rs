// SPDX-License-Identifier: GPL-2.0

//! Sizes, times and budgets as people type them.

use std::time::Duration;

use powercut_engine::budget::Budget;
use thiserror::Error;

pub const MIB: u64 = 1 << 20;
/// The largest disk, 16 TiB, in MiB.
const MAX_MIB: u64 = 1 << 24;

#[derive(Debug, Error, PartialEq, Eq)]
pub enum SizeError {
    #[error("{0:?} is not a size: give MiB or a number with K, M, G or T, such as 64M")]
    NotASize(String),
    #[error("{0:?} is too small: a disk has 1 MiB or more, and a plain number counts MiB")]
    TooSmall(String),
    #[error("{0:?} is too large: a disk has 16 TiB or less, and a plain number counts MiB")]
    TooLarge(String),
    #[error("{0:?} is not a whole number of MiB")]
    NotMib(String),
    #[error(
        "{0:?} is not a time: give seconds, or numbers with ms, s, m or h, such as 90s or 1h 30m"
    )]
    NotATime(String),
    #[error(
        "{0:?} is not a budget: give a number of states such as 300, a time such as 90s, or none"
    )]
    NotABudget(String),
}

/// The size of a disk in MiB. A plain number counts MiB.
pub fn disk_mib(text: &str) -> Result<u64, SizeError> {
    let not = || SizeError::NotASize(text.into());
    let (number, suffix) = split(text);
    let number = number.parse::<u128>().map_err(|_| not())?;
    let suffix = suffix.to_ascii_uppercase();
    let unit: u128 = match suffix
        .strip_suffix("IB")
        .or(suffix.strip_suffix('B').filter(|s| !s.is_empty()))
        .unwrap_or(&suffix)
    {
        "" | "M" => 1 << 20,
        "K" => 1 << 10,
        "G" => 1 << 30,
        "T" => 1 << 40,
        _ => return Err(not()),
    };
    let bytes = number
        .checked_mul(unit)
        .ok_or_else(|| SizeError::TooLarge(text.into()))?;
    if bytes < u128::from(MIB) {
        return Err(SizeError::TooSmall(text.into()));
    }
    if bytes > u128::from(MAX_MIB) << 20 {
        return Err(SizeError::TooLarge(text.into()));
    }
    if bytes % u128::from(MIB) != 0 {
        return Err(SizeError::NotMib(text.into()));
    }
    u64::try_from(bytes >> 20).map_err(|_| SizeError::TooLarge(text.into()))
}

/// A time, such as `90s` or `1h 30m`; a plain number counts seconds.
pub fn time(text: &str) -> Result<Duration, SizeError> {
    // To humantime, 5M is five months.
    let is_lower = !text.contains(|c: char| c.is_ascii_uppercase());
    let is_plain = text.bytes().all(|b| b.is_ascii_digit());
    let time = if is_plain {
        text.parse().ok().map(Duration::from_secs)
    } else {
        humantime::parse_duration(text).ok()
    };
    // The limit of what is kept of it, in milliseconds.
    let is_good = |time: &Duration| (1..=u128::from(u64::MAX)).contains(&time.as_millis());
    time.filter(|time| is_lower && is_good(time))
        .ok_or_else(|| SizeError::NotATime(text.into()))
}

/// A budget: `none`, or a plain number counts states, one with a unit is a time.
pub fn budget(text: &str) -> Result<Budget, SizeError> {
    let not = || SizeError::NotABudget(text.into());
    if text == "none" {
        return Ok(Budget::Unlimited);
    }
    if let Ok(states) = text.parse::<u64>() {
        return if states == 0 || text.starts_with('+') {
            Err(not())
        } else {
            Ok(Budget::States(states))
        };
    }
    time(text).map(Budget::Time).map_err(|_| not())
}

/// From what [`Budget`] displays as, in a report.
pub fn read_budget(text: &str) -> Result<Budget, SizeError> {
    let not = || SizeError::NotABudget(text.into());
    if let Some(states) = text.strip_suffix(" states") {
        return budget(states);
    }
    if let Some(seconds) = text.strip_suffix(" s") {
        let seconds = seconds.parse::<f64>().map_err(|_| not())?;
        let time = Duration::try_from_secs_f64(seconds).map_err(|_| not())?;
        return Ok(Budget::Time(time));
    }
    budget(text)
}

/// Bytes for people: exact up to 10 KiB, then in binary units.
pub fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if value.fract() == 0.0 || value >= 100.0 {
        format!("{value:.0} {}", UNITS[unit])
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

fn split(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, mib) in [
            ("64", 64),
            ("64M", 64),
            ("64MiB", 64),
            ("64mb", 64),
            ("1G", 1024),
            ("1024K", 1),
            ("16T", 1 << 24),
        ] {
            assert_eq!(disk_mib(text), Ok(mib), "{text}");
        }
        for text in ["", "M", "-1", "+1", "1.5G", "64X", "64 M", "0x10", "1B"] {
            assert!(
                matches!(disk_mib(text), Err(SizeError::NotASize(_))),
                "{text}"
            );
        }
        assert!(matches!(disk_mib("0"), Err(SizeError::TooSmall(_))));
        assert!(matches!(disk_mib("1K"), Err(SizeError::TooSmall(_))));
        assert!(matches!(disk_mib("1025K"), Err(SizeError::NotMib(_))));
        assert!(matches!(disk_mib("17T"), Err(SizeError::TooLarge(_))));
        assert!(matches!(
            disk_mib("99999999999999999999999999999999999T"),
            Err(SizeError::TooLarge(_))
        ));
    }

    #[test]
    fn times() {
        for (text, ms) in [
            ("90", 90_000),
            ("90s", 90_000),
            ("50ms", 50),
            ("5m", 300_000),
            ("5min", 300_000),
            ("1h", 3_600_000),
            ("1h 30m", 5_400_000),
            ("1h30m", 5_400_000),
            ("1m 500ms", 60_500),
        ] {
            assert_eq!(time(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in [
            "",
            "0",
            "0s",
            "999us",
            "s",
            "-1",
            "-1s",
            "+1",
            "+1s",
            "5x",
            "5M",
            "5S",
            "1h -30m",
            "0x5",
            "99999999999999999999",
            "99999999999999999999h",
            "18446744073709551615",
        ] {
            assert!(matches!(time(text), Err(SizeError::NotATime(_))), "{text}");
        }
    }

    #[test]
    fn the_unit_of_a_plain_number_is_told() {
        for text in ["0", "67108864"] {
            let told = disk_mib(text).unwrap_err().to_string();
            assert!(told.contains("a plain number counts MiB"), "{told}");
        }
        let told = time("0").unwrap_err().to_string();
        assert!(told.contains("give seconds"), "{told}");
    }

    #[test]
    fn budgets() {
        assert_eq!(budget("300"), Ok(Budget::States(300)));
        assert_eq!(budget("90s"), Ok(Budget::Time(Duration::from_secs(90))));
        assert_eq!(budget("2m"), Ok(Budget::Time(Duration::from_secs(120))));
        assert_eq!(budget("50ms"), Ok(Budget::Time(Duration::from_millis(50))));
        for text in ["", "0", "0s", "-3", "+3", "3x", "s"] {
            assert!(budget(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_for_people() {
        assert_eq!(human(512), "512 B");
        assert_eq!(human(64 << 20), "64 MiB");
        assert_eq!(human(1536), "1.5 KiB");
    }
}
