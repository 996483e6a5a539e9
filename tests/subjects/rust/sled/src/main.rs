// SPDX-License-Identifier: GPL-2.0

//! sled; CONFIG is `flush`, `default` (a thread flushes every 500 ms) or `none`.

use std::path::Path;

use sled::{Batch, Config, Db};
use subject::{Pairs, Result, Store, text};

struct Sled {
    database: Db,
    flush: bool,
}

impl Store for Sled {
    const PACKAGES: &[&str] = &["sled"];

    fn open(directory: &Path, config: &str) -> Result<Self> {
        let every = match config {
            "default" | "flush" => Some(500),
            "none" => None,
            _ => return Err(format!("no configuration {config}").into()),
        };
        let database = Config::new().path(directory).flush_every_ms(every).open()?;
        Ok(Self {
            database,
            flush: config == "flush",
        })
    }

    fn put(&mut self, pairs: &Pairs) -> Result<()> {
        let mut batch = Batch::default();
        for (key, value) in pairs {
            batch.insert(key.as_str(), value.as_str());
        }
        self.database.apply_batch(batch)?;
        if self.flush {
            self.database.flush()?;
        }
        Ok(())
    }

    fn get(&mut self) -> Result<Pairs> {
        let entries = self.database.iter();
        entries
            .map(|entry| {
                entry
                    .map(|(key, value)| (text(&key), text(&value)))
                    .map_err(Into::into)
            })
            .collect()
    }
}

fn main() {
    subject::main::<Sled>();
}
