// SPDX-License-Identifier: GPL-2.0

//! fjall; CONFIG is `sync-all`, `sync-data` or `buffer`; with `/flush` a memtable is written out in the middle.

use std::path::Path;

use fjall::{Config, Keyspace, PartitionCreateOptions, PartitionHandle, PersistMode};
use subject::{Pairs, Result, Store, text};

struct Fjall {
    keyspace: Keyspace,
    partition: PartitionHandle,
    mode: PersistMode,
    flush: bool,
}

impl Store for Fjall {
    const PACKAGES: &[&str] = &["fjall"];

    fn open(directory: &Path, config: &str) -> Result<Self> {
        let (mode, flush) = match config.split_once('/') {
            Some((mode, "flush")) => (mode, true),
            _ => (config, false),
        };
        let mode = match mode {
            "sync-all" => PersistMode::SyncAll,
            "sync-data" => PersistMode::SyncData,
            "buffer" => PersistMode::Buffer,
            _ => return Err(format!("no persist mode {mode}").into()),
        };
        let keyspace = Config::new(directory).open()?;
        let partition = keyspace.open_partition("pairs", PartitionCreateOptions::default())?;
        Ok(Self {
            keyspace,
            partition,
            mode,
            flush,
        })
    }

    fn put(&mut self, pairs: &Pairs) -> Result<()> {
        let mut batch = self.keyspace.batch().durability(Some(self.mode));
        for (key, value) in pairs {
            batch.insert(&self.partition, key.as_str(), value.as_str());
        }
        Ok(batch.commit()?)
    }

    fn after(&mut self, number: usize) -> Result<()> {
        if self.flush && number % 2 == 0 {
            self.partition.rotate_memtable_and_wait()?;
            self.partition.major_compact()?;
        }
        Ok(())
    }

    fn get(&mut self) -> Result<Pairs> {
        let entries = self.partition.iter();
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
    subject::main::<Fjall>();
}
