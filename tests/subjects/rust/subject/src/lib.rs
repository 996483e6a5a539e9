// SPDX-License-Identifier: GPL-2.0

//! Numbered transactions on any store of keys and values: `../../lib/transactions.py` for stores that are crates.
//!
//! A program of a subject is a [`Store`] and `fn main() { subject::main::<Its>() }`. It is called `NAME workload|check|resident CONFIG`.

mod check;
mod resident;
mod transaction;
mod verdict;
mod version;
mod workload;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Debug;
use std::path::Path;
use std::process::exit;

/// Keys and values.
pub type Pairs = BTreeMap<String, String>;

/// A result of a store, whatever errors it has.
pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A store of keys and values.
pub trait Store: Sized {
    /// The packages whose versions are on trial.
    const PACKAGES: &[&str];

    /// Whether a store that was being made when the power failed may be one that can't be opened.
    const UNMADE: bool = false;

    /// Opens the store, with its own recovery; makes it if it is not there.
    fn open(directory: &Path, config: &str) -> Result<Self>;

    /// Writes all of the pairs or none, and returns when they are durable as far as the store promises.
    fn put(&mut self, pairs: &Pairs) -> Result<()>;

    /// What a workload does between the `put` of a transaction and its promise.
    fn after(&mut self, _number: usize) -> Result<()> {
        Ok(())
    }

    /// The store's own checker.
    fn verify(&mut self) -> Result<()> {
        Ok(())
    }

    /// All that it holds.
    fn get(&mut self) -> Result<Pairs>;

    /// Closes it as a program does that ends.
    fn close(self) -> Result<()> {
        Ok(())
    }
}

/// A text of the store's.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Makes an error of what an interface hands out that has no `Error`.
pub fn error(error: impl Debug) -> Box<dyn Error> {
    format!("{error:?}").into()
}

/// The program.
pub fn main<S: Store>() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["version"] => println!("{}", version::of(S::PACKAGES)),
        ["workload", config] => {
            if let Err(error) = workload::run::<S>(config) {
                eprintln!("the workload fails: {error}");
                exit(1);
            }
        }
        ["check", config] => check::run::<S>(config),
        ["resident", config] => resident::run(config),
        _ => {
            eprintln!("give one of: version, workload CONFIG, check CONFIG, resident CONFIG");
            exit(2);
        }
    }
}
