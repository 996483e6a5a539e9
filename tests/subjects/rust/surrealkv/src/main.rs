// SPDX-License-Identifier: GPL-2.0

//! surrealkv; CONFIG is `before` or `after` the fix of surrealdb/surrealkv#391, and a durability: before/immediate.

mod engine;

use std::path::Path;

use engine::Engine;
use subject::{Pairs, Result, Store};

struct SurrealKv {
    engine: Box<dyn Engine>,
}

impl Store for SurrealKv {
    const PACKAGES: &[&str] = &["surrealkv"];

    fn open(directory: &Path, config: &str) -> Result<Self> {
        Ok(Self {
            engine: engine::open(directory, config)?,
        })
    }

    fn put(&mut self, pairs: &Pairs) -> Result<()> {
        self.engine.put(pairs)
    }

    fn after(&mut self, _number: usize) -> Result<()> {
        self.engine.settle();
        Ok(())
    }

    fn get(&mut self) -> Result<Pairs> {
        self.engine.get()
    }

    fn close(mut self) -> Result<()> {
        self.engine.close()
    }
}

fn main() {
    subject::main::<SurrealKv>();
}
