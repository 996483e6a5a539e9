// SPDX-License-Identifier: GPL-2.0

//! raft-engine; CONFIG is `sync` or `no-sync`; with `/purge` its files are small, and old ones are purged.

use std::path::Path;

use raft_engine::{Config, Engine, LogBatch, ReadableSize};
use subject::{Pairs, Result, Store, text};

const REGION: u64 = 1;

struct RaftEngine {
    engine: Engine,
    sync: bool,
    purge: bool,
}

impl Store for RaftEngine {
    const PACKAGES: &[&str] = &["raft-engine"];

    fn open(directory: &Path, config: &str) -> Result<Self> {
        let (sync, purge) = match config {
            "sync" => (true, false),
            "sync/purge" => (true, true),
            "no-sync" => (false, false),
            _ => return Err(format!("no configuration {config}").into()),
        };
        let mut config = Config {
            dir: directory.to_string_lossy().into_owned(),
            ..Config::default()
        };
        if purge {
            config.target_file_size = ReadableSize(2048);
            config.purge_threshold = ReadableSize(4096);
        }
        Ok(Self {
            engine: Engine::open(config)?,
            sync,
            purge,
        })
    }

    fn put(&mut self, pairs: &Pairs) -> Result<()> {
        let mut batch = LogBatch::default();
        for (key, value) in pairs {
            batch.put(REGION, key.clone().into_bytes(), value.clone().into_bytes())?;
        }
        self.engine.write(&mut batch, self.sync)?;
        Ok(())
    }

    fn after(&mut self, _number: usize) -> Result<()> {
        if self.purge {
            self.engine.purge_expired_files()?;
        }
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
