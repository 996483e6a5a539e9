// SPDX-License-Identifier: GPL-2.0

//! fjall; CONFIG is a mode of `Keyspace::persist`, which is called after each batch: `sync-all`, `sync-data` or `buffer`.

use std::path::Path;

use fjall::{Config, Keyspace, PartitionCreateOptions, PartitionHandle, PersistMode};
use subject::{Pairs, Result, Store, text};

/// After this transaction its tables are written, and after this one merged.
const FLUSHED: [usize; 3] = [2, 4, 5];
const MERGED: usize = 5;

struct Fjall {
    keyspace: Keyspace,
    partition: PartitionHandle,
    mode: PersistMode,
}

impl Store for Fjall {
    const PACKAGES: &[&str] = &["fjall"];
    const UNMADE: bool = true;

    fn open(directory: &Path, config: &str) -> Result<Self> {
        let mode = match config {
            "sync-all" => PersistMode::SyncAll,
            "sync-data" => PersistMode::SyncData,
            "buffer" => PersistMode::Buffer,
            _ => return Err(format!("no mode {config}").into()),
        };
        let keyspace = Config::new(directory).open()?;
        let partition = keyspace.open_partition("pairs", PartitionCreateOptions::default())?;
        Ok(Self {
            keyspace,
            partition,
            mode,
        })
    }

    fn put(&mut self, pairs: &Pairs) -> Result<()> {
        let mut batch = self.keyspace.batch();
        for (key, value) in pairs {
            batch.insert(&self.partition, key.as_str(), value.as_str());
        }
        batch.commit()?;
        Ok(self.keyspace.persist(self.mode)?)
    }

    fn after(&mut self, number: usize) -> Result<()> {
        if FLUSHED.contains(&number) {
            self.partition.rotate_memtable_and_wait()?;
        }
        if number == MERGED {
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
