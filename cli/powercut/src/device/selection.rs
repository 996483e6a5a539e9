// SPDX-License-Identifier: GPL-2.0

//! A crash state as the driver takes it: `cut=K keep=LIST`, the pieces as
//! WRITE:UNIT or WRITE:FIRST-LAST, by the submit event of their write.

use std::fmt;
use std::ops::RangeInclusive;

use powercut_engine::choices::Choices;
use powercut_engine::keep::Keep;
use powercut_model::{Event, Piece};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    cut: Event,
    pieces: Vec<Run>,
}

/// Neighbouring units of one write.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    write: Event,
    first: u64,
    last: u64,
}

impl Selection {
    /// What the disk held when its record began.
    pub fn base() -> Self {
        Self {
            cut: 0,
            pieces: Vec::new(),
        }
    }

    /// The event that the power is cut after.
    pub fn cut(&self) -> Event {
        self.cut
    }

    /// What survived: writes by their submit events, and units of theirs.
    pub fn runs(&self) -> impl Iterator<Item = (Event, RangeInclusive<u64>)> + '_ {
        let runs = self.pieces.iter();
        runs.map(|run| (run.write, run.first..=run.last))
    }

    pub fn of(choices: &Choices<'_>, keep: &Keep) -> Self {
        let mut kept: Vec<Piece> = keep.iter().map(|index| choices.pieces()[index]).collect();
        // What writes cost comes after all that is pending.
        kept.sort_unstable();
        let mut pieces: Vec<Run> = Vec::new();
        for piece in kept {
            let write = choices.recording().entries()[piece.entry].submit();
            match pieces.last_mut() {
                Some(run) if run.write == write && run.last + 1 == piece.unit => {
                    run.last = piece.unit;
                }
                _ => pieces.push(Run {
                    write,
                    first: piece.unit,
                    last: piece.unit,
                }),
            }
        }
        Self {
            cut: choices.event(),
            pieces,
        }
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cut={} keep=", self.cut)?;
        if self.pieces.is_empty() {
            return f.write_str("none");
        }
        for (nr, run) in self.pieces.iter().enumerate() {
            let comma = if nr > 0 { "," } else { "" };
            write!(f, "{comma}{}:{}", run.write, run.first)?;
            if run.last != run.first {
                write!(f, "-{}", run.last)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use powercut_engine::recording::testing::History;
    use powercut_model::Cut;

    #[test]
    fn neighbours_of_one_write_are_one_run() {
        let recording = History::new()
            .write_run(4, &["a", "b", "c"])
            .write(7, "d")
            .done();
        let choices = Choices::new(&recording, Cut::new(&recording, 4).unwrap());
        let text = |keep: &Keep| Selection::of(&choices, keep).to_string();
        assert_eq!(text(&choices.none()), "cut=4 keep=none");
        assert_eq!(text(&choices.all()), "cut=4 keep=1:4-6,3:7");
        let torn = Keep::that(4, |i| i != 1);
        assert_eq!(text(&torn), "cut=4 keep=1:4,1:6,3:7");
    }

    #[test]
    fn what_writes_cost_is_in_its_place() {
        let recording = History::new().rmw().write(1, "a").write(9, "b").done();
        let choices = Choices::new(&recording, Cut::new(&recording, 4).unwrap());
        let text = |keep: &Keep| Selection::of(&choices, keep).to_string();
        assert_eq!(text(&choices.all()), "cut=4 keep=1:1,3:9");
        let every = Keep::all(choices.len());
        assert_eq!(text(&every), "cut=4 keep=1:0-7,3:8-15");
        let last = Keep::that(choices.len(), |i| i == choices.len() - 1);
        assert_eq!(text(&last), "cut=4 keep=3:15");
    }
}
