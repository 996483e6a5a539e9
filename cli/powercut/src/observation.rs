// SPDX-License-Identifier: GPL-2.0

//! What a command printed that observes what software holds, and how that is held against what it
//! printed at the moments of the workload.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use powercut_engine::oracle::{Finding, Kind, Verdict};
use powercut_engine::truths::{Difference, Truths};
use similar::{Algorithm, TextDiff};

use crate::child::Ended;

/// What may be printed at one moment, in bytes.
pub const MOST: usize = 16 << 20;
/// How long to look for a small difference.
const PATIENCE: Duration = Duration::from_millis(500);
/// Lines of a difference that are shown, and bytes of each.
const LINES: usize = 60;
const LINE: usize = 200;
/// Lines shown around each difference.
const AROUND: usize = 2;

/// The exit status of a command that can't tell.
pub const SKIP: i32 = 125;

/// What was printed, as far as it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Printed {
    Text(String),
    /// It is no text, or is longer than any that is kept; what it begins with.
    Other(String),
}

impl Printed {
    pub fn read(file: &Path) -> Result<Self> {
        let mut bytes = Vec::new();
        let opened = File::open(file);
        let read = opened.and_then(|file| file.take(MOST as u64 + 1).read_to_end(&mut bytes));
        read.context("cannot read what was printed")?;
        bytes.truncate(MOST + 1);
        Ok(Self::of(bytes))
    }

    fn of(bytes: Vec<u8>) -> Self {
        let is_long = bytes.len() > MOST;
        match String::from_utf8(bytes) {
            Ok(text) if !is_long => Self::Text(text),
            Ok(text) => Self::Other(text),
            Err(e) => Self::Other(String::from_utf8_lossy(e.as_bytes()).into_owned()),
        }
    }
}

/// What to say of a state, by how the command ended and what it printed; `errors` is what it printed
/// on standard error.
pub fn verdict(
    truths: &Truths,
    marks: u64,
    ended: Ended,
    printed: impl FnOnce() -> Result<Printed>,
    errors: String,
) -> Result<Verdict> {
    let kind = match ended {
        Ended::Exited(0) => return Ok(compared(truths, marks, &printed()?)),
        Ended::Exited(SKIP) => return Ok(Verdict::Skipped),
        Ended::TimedOut(_) => Kind::Timeout,
        _ => Kind::Refusal,
    };
    Ok(Verdict::Violation(Finding::new(
        kind,
        ended.to_string(),
        errors,
    )))
}

fn compared(truths: &Truths, marks: u64, printed: &Printed) -> Verdict {
    let (found, text) = match printed {
        Printed::Text(text) => (truths.difference(marks, text), text),
        // It is none of those that were kept, whatever it is.
        Printed::Other(text) => (
            Some(Difference {
                kind: Kind::Mixture,
                equals: None,
                acknowledged: *truths.allowed(marks).start(),
            }),
            text,
        ),
    };
    let Some(found) = found else {
        return Verdict::Consistent;
    };
    let how = match found.kind {
        Kind::Loss => "equal to an older moment",
        Kind::Resurrection => "equal to an older moment, and what was removed is back",
        Kind::Newer => "equal to a later moment",
        _ => "equal to no moment",
    };
    let output = explained(truths, marks, &found, text);
    Verdict::Violation(Finding::new(found.kind, how, output))
}

/// The difference to what was acknowledged, and a line that says what was found.
fn explained(truths: &Truths, marks: u64, found: &Difference, text: &str) -> String {
    let acknowledged = truths.name(found.acknowledged);
    let mut output = diff(
        (&acknowledged, truths.text(found.acknowledged)),
        ("after the power cut", text),
    );
    let allowed = truths.allowed(marks);
    let may = if allowed.end() > allowed.start() {
        format!("{acknowledged} or {}", truths.name(*allowed.end()))
    } else {
        acknowledged
    };
    output.push_str(&match found.equals {
        Some(moment) => format!("it matches {}, and may match {may}\n", truths.name(moment)),
        None => format!("it matches no moment, and may match {may}\n"),
    });
    output
}

/// A unified difference of two texts with their names, not longer than can be read.
pub fn diff(old: (&str, &str), new: (&str, &str)) -> String {
    let diff = TextDiff::configure()
        .algorithm(Algorithm::Myers)
        .timeout(PATIENCE)
        .diff_lines(old.1, new.1);
    let mut unified = diff.unified_diff();
    let text = unified
        .context_radius(AROUND)
        .header(old.0, new.0)
        .to_string();
    let mut lines = text.lines();
    let mut shown = String::new();
    for line in lines.by_ref().take(LINES) {
        let end = crate::words::floor_char_boundary(line, LINE);
        shown.push_str(&line[..end]);
        if end < line.len() {
            shown.push_str(&format!(" [{} more bytes]", line.len() - end));
        }
        shown.push('\n');
    }
    match lines.count() {
        0 => {}
        n => shown.push_str(&format!("[{n} more lines of difference]\n")),
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truths() -> Truths {
        let moments = [(0, "", ""), (1, "a", "a=1\n"), (2, "b", "a=1\nb=2\n")];
        let end = (2, "", "a=1\nb=2\n");
        let moments = moments.into_iter().chain([end]);
        Truths::new(moments.map(|(n, mark, text)| (n, mark.into(), text.into()))).unwrap()
    }

    fn told(marks: u64, ended: Ended, printed: Printed) -> (Option<Kind>, String) {
        let verdict = verdict(&truths(), marks, ended, || Ok(printed), "oops\n".into());
        match verdict.unwrap() {
            Verdict::Consistent => (None, "consistent".into()),
            Verdict::Skipped => (None, "skipped".into()),
            Verdict::Violation(f) => (Some(f.kind), format!("{}: {}", f.how, f.output)),
        }
    }

    #[test]
    fn an_exit_status_is_that_of_a_check() {
        let nothing = || Printed::Text(String::new());
        for (ended, kind, says) in [
            (Ended::Exited(0), None, "consistent"),
            (Ended::Exited(125), None, "skipped"),
            (Ended::Exited(1), Some(Kind::Refusal), "exit 1: oops\n"),
            (
                Ended::Killed(11),
                Some(Kind::Refusal),
                "killed by signal 11: oops\n",
            ),
            (
                Ended::TimedOut(Duration::from_secs(1)),
                Some(Kind::Timeout),
                "no end within 1 s: oops\n",
            ),
        ] {
            assert_eq!(told(0, ended, nothing()), (kind, says.to_string()));
        }
    }

    #[test]
    fn what_is_wrong_is_a_difference_and_a_line_that_says_it() {
        let text = |text: &str| Printed::Text(text.into());
        assert_eq!(
            told(2, Ended::Exited(0), text("a=1\n")),
            (
                Some(Kind::Loss),
                "equal to an older moment: --- mark 2 \"b\"\n+++ after the power cut\n\
                 @@ -1,2 +1 @@\n a=1\n-b=2\n\
                 it matches mark 1 \"a\", and may match mark 2 \"b\" or the end of the workload\n"
                    .into()
            )
        );
        let (kind, says) = told(1, Ended::Exited(0), text("b=2\n"));
        assert_eq!(kind, Some(Kind::Mixture));
        let last = "it matches no moment, and may match mark 1 \"a\" or mark 2 \"b\"\n";
        assert!(says.ends_with(last), "{says}");
        assert_eq!(told(1, Ended::Exited(0), text("a=1\nb=2\n")).0, None);
    }

    #[test]
    fn what_is_no_text_is_never_equal_to_one() {
        let of = |bytes: &[u8]| Printed::of(bytes.to_vec());
        assert_eq!(of(b"a=1\n"), Printed::Text("a=1\n".into()));
        for bytes in [&b"a=1\n\xff"[..], &vec![b'x'; MOST + 1]] {
            let printed = of(bytes);
            assert!(matches!(printed, Printed::Other(_)));
            assert_eq!(told(1, Ended::Exited(0), printed).0, Some(Kind::Mixture));
        }
        // Not even to one that has the sign for what is no text.
        let sign = Truths::new(
            [(0, "", "\u{fffd}"), (0, "", "\u{fffd}")]
                .map(|(n, mark, text)| (n, mark.to_string(), text.to_string())),
        );
        let verdict = compared(&sign.unwrap(), 0, &of(b"\xff"));
        assert!(matches!(verdict, Verdict::Violation(_)));
    }

    #[test]
    fn a_difference_is_never_too_long_to_read() {
        let lines = |word: &str| -> String {
            let lines: Vec<String> = (0..5000).map(|n| format!("{word}{n}")).collect();
            lines.join("\n") + "\n"
        };
        let (old, new) = (lines("a"), lines("b"));
        let long = "é".repeat(500);
        for text in [
            diff(("x", &old), ("y", &new)),
            diff(("x", ""), ("y", &long)),
        ] {
            assert!(text.lines().count() <= LINES + 1, "{text}");
            assert!(text.lines().all(|line| line.len() < LINE + 40), "{text}");
        }
        let text = diff(("x", &old), ("y", &new));
        assert!(text.ends_with(" more lines of difference]\n"), "{text}");
    }
}
