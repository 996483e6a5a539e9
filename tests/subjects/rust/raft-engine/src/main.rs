// SPDX-License-Identifier: GPL-2.0

//! raft-engine; CONFIG is `sync` or `async`, the second argument of `write`.

use std::path::Path;

use raft_engine::env::DefaultFileSystem;
use raft_engine::{Config, Engine, LogBatch, ReadableSize};
use subject::{Pairs, Result, Store, text};

const REGION: u64 = 1;

struct RaftEngine {
    engine: Engine,
    sync: bool,
}

impl Store for RaftEngine {
    const PACKAGES: &[&str] = &["raft-engine"];

    fn open(directory: &Path, config: &str) -> Result<Self> {
        let sync = match config {
            "sync" => true,
            "async" => false,
            _ => return Err(format!("no configuration {config}").into()),
        };
        let engine = Engine::open_with_file_system(
            Config {
                dir: directory.to_string_lossy().into_owned(),
                // So small that a file is begun every other transaction.
                target_file_size: ReadableSize::kb(2),
                ..Config::default()
            },
            DefaultFileSystem.into(),
        )?;
        Ok(Self { engine, sync })
    }

    fn put(&mut self, pairs: &Pairs) -> Result<()> {
        let mut batch = LogBatch::default();
        for (key, value) in pairs {
            batch.put(REGION, key.clone().into_bytes(), value.clone().into_bytes())?;
        }
        self.engine.write(&mut batch, self.sync)?;
        Ok(())
    }

    fn get(&mut self) -> Result<Pairs> {
        let mut found = Pairs::new();
        self.engine
            .scan_raw_messages(REGION, None, None, false, |key, value| {
                found.insert(text(key), text(value));
                true
            })?;
        Ok(found)
    }
}

fn main() {
    subject::main::<RaftEngine>();
}
