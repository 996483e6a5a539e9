// SPDX-License-Identifier: GPL-2.0

//! `powercut count`: how many legal states a record has.

use anyhow::{Context, Result};
use num_bigint::BigUint;
use powercut_engine::choices::Choices;
use powercut_engine::count;
use powercut_engine::explore::legal_states;
use powercut_engine::strategy::Space;
use powercut_model::Cut;
use serde::Serialize;

use super::manage::load;
use crate::args::CountArgs;
use crate::device::Root;
use crate::exit::Exit;
use crate::options;
use crate::output::{print, print_json};
use crate::report::{outside, Saved, DEFAULT_DIR};
use crate::words::{about, many};

#[derive(Debug, Serialize)]
struct Counted {
    /// That the log met.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<&'static str>,
    /// Of the states, those outside of the contract.
    #[serde(skip_serializing_if = "Option::is_none")]
    outside_states: Option<String>,
    /// In decimal.
    legal_states: String,
    /// There may be fewer: they could not be counted exactly.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    legal_at_most: bool,
    cuts: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<u64>,
    /// Those of the cut alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_pieces: Option<usize>,
}

pub fn count(args: &CountArgs) -> Result<Exit> {
    let recording = match &args.name {
        Some(name) => {
            let name = options::name(name)?;
            let root = Root::open()?;
            load(&root, root.disk(&name)?.name().as_str())?
        }
        None => {
            let dir = args.report.clone();
            Saved::at(dir.unwrap_or_else(|| DEFAULT_DIR.into())).recording()?
        }
    };
    let of = args.name.iter().map(|name| format!(" of {name}"));
    let of: String = of.collect();
    let (states, cuts, pieces, is_exact) = match args.cut {
        Some(event) => {
            let last = recording.header().newest_event;
            let cut = Cut::new(&recording, event)
                .with_context(|| format!("--cut {event}: the last event{of} is {last}"))?;
            let choices = Choices::new(&recording, cut);
            let states = count::states(&choices);
            let pending = choices.pending().len();
            (states, 1, Some(pending), count::is_exact(&choices))
        }
        None => {
            let space = Space::new(&recording, args.marks.0);
            let is_exact = space.is_counted();
            (legal_states(&space), space.cuts().len(), None, is_exact)
        }
    };
    let faults = match args.cut {
        Some(event) => recording.faults_at(event),
        None => recording.faults_at(recording.header().newest_event),
    };
    let outside = match (faults.is_empty(), args.cut) {
        (true, _) => None,
        (false, Some(_)) => Some(states.clone()),
        (false, None) => Some(outside(&Space::new(&recording, args.marks.0)).0),
    };
    if args.json {
        print_json(&Counted {
            faults: faults.names(),
            outside_states: outside.as_ref().map(BigUint::to_string),
            legal_states: states.to_string(),
            legal_at_most: !is_exact,
            cuts,
            cut: args.cut,
            pending_pieces: pieces,
        })?;
        return Ok(Exit::NoViolation);
    }
    let of = match (args.cut, pieces) {
        (Some(cut), Some(pieces)) => {
            let pieces = many(pieces as u64, "pending piece", "pending pieces");
            format!("at cut {cut}, {pieces}")
        }
        _ => format!("at {}", many(cuts as u64, "cut", "cuts")),
    };
    let (sort, outside) = match &outside {
        None => ("legal states", String::new()),
        Some(n) => (
            "states",
            format!(
                ", {} of them outside of the contract: faults {faults}",
                exact(n)
            ),
        ),
    };
    let at_most = if is_exact { "" } else { "at most " };
    let states = exact(&states);
    print(format_args!("{at_most}{states} {sort} {of}{outside}\n"))?;
    Ok(Exit::NoViolation)
}

/// The number, and what it comes to if it is long.
fn exact(n: &BigUint) -> String {
    let (digits, human) = (n.to_string(), about(n));
    if digits == human {
        digits
    } else {
        format!("{digits} ({human})")
    }
}
