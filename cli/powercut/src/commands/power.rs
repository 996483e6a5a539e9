// SPDX-License-Identifier: GPL-2.0

//! `cut` and `restore`: the power of a disk in use.

use std::thread;
use std::time::Duration;

use anyhow::{bail, Context, Result};
use powercut_engine::choices::Choices;
use powercut_engine::id::StateId;
use powercut_engine::keep::Keep;
use powercut_model::Cut;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::manage::load;
use super::transfer;
use crate::args::{CutArgs, RestoreArgs};
use crate::device::{Disk, Root, Selection};
use crate::exit::Exit;
use crate::options::{self, Survivors};
use crate::output::{print, print_json};
use crate::signals::Signals;

/// How often `cut --wait` looks.
const GLANCE: Duration = Duration::from_millis(5);

pub fn cut(args: &CutArgs) -> Result<Exit> {
    let name = options::name(&args.name)?;
    let request = options::cut(args)?;
    let signals = Signals::install()?;
    let disk = Root::open()?.disk(&name)?;
    let request = request.within(disk.members());
    let request = request.map_err(anyhow::Error::msg).context("--on")?;
    disk.set("cut", request)?;
    if args.wait {
        wait(&disk, &signals)?;
    }
    Ok(Exit::NoViolation)
}

/// Waits until the power is cut.
fn wait(disk: &Disk, signals: &Signals) -> Result<()> {
    loop {
        // One look tells all: it may be cut between two.
        let cut = disk.get("cut")?;
        if cut.starts_with("cut ") {
            return Ok(());
        }
        if !cut.starts_with("armed") {
            bail!("{} was disarmed before its power was cut", disk.name());
        }
        signals.check()?;
        thread::sleep(GLANCE);
    }
}

/// What `restore --json` prints.
#[derive(Debug, Serialize)]
struct Restored {
    id: String,
    /// The power failed after this event.
    cut: u64,
    /// Pieces (of a write, in a unit) that were pending there, and those that survived.
    pending: usize,
    kept: usize,
}

pub fn restore(args: &RestoreArgs) -> Result<Exit> {
    let name = options::name(&args.name)?;
    let survivors = options::survivors(&args.keep)?;
    let root = Root::open()?;
    let disk = root.disk(&name)?;
    let Some(event) = disk.cut_event() else {
        bail!("the power of {name} is on: `powercut cut {name}` cuts it");
    };
    let recording = load(&root, name.as_str())?;
    let cut = Cut::new(&recording, event).map_err(|e| anyhow::anyhow!("{e}"))?;
    let (choices, keep) = match survivors {
        Survivors::Id(id) if id.cut != event => {
            bail!("state {id} is not of this cut: the power failed after event {event}")
        }
        Survivors::Id(id) => id.resolve(&recording)?,
        other => {
            let choices = Choices::new(&recording, cut);
            let keep = choose(&choices, &other);
            (choices, keep)
        }
    };
    let restored = Restored {
        id: StateId::of(&choices, &keep).to_string(),
        cut: event,
        pending: choices.pending().len(),
        kept: keep.iter().filter(|piece| !choices.is_loss(*piece)).count(),
    };
    if let Some(file) = &args.save {
        transfer::save(&root, name.as_str(), file)?;
    }
    root.control()
        .restore(name.as_str(), &Selection::of(&choices, &keep))?;
    if args.json {
        print_json(&restored)?;
    } else {
        print(format_args!("{}\n", restored.id))?;
    }
    Ok(Exit::NoViolation)
}

/// The survivors among what was pending.
fn choose(choices: &Choices<'_>, survivors: &Survivors) -> Keep {
    let keep = match survivors {
        Survivors::All => choices.all(),
        Survivors::Seed(seed) => {
            let mut rng = ChaCha8Rng::seed_from_u64(*seed);
            if choices.has_prefixes() {
                choices.prefixes_by(|len| rng.next_u32() % (len + 1))
            } else {
                Keep::that(choices.len(), |piece| {
                    // Most of what may be lost is there, as on a disk that was cut once.
                    let one_in = if choices.is_loss(piece) { 8 } else { 2 };
                    rng.next_u32() % one_in == 1
                })
            }
        }
        Survivors::None | Survivors::Id(_) => choices.none(),
    };
    choices.canonical(&keep)
}
