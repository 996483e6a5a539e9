// SPDX-License-Identifier: GPL-2.0

//! surrealkv; CONFIG is a durability, `immediate` or `eventual`; or `one-memtable`: immediate, and nothing is written out as a table.

use std::path::Path;
use std::time::Duration;

use subject::{Pairs, Result, Store, text};
use surrealkv::{Durability, LSMIterator, Mode, Options, Tree, TreeBuilder};
use tokio::runtime::{Builder, Runtime};

struct SurrealKv {
    durability: Durability,
    runtime: Runtime,
    tree: Tree,
}

impl Store for SurrealKv {
    const PACKAGES: &[&str] = &["surrealkv"];

    fn open(directory: &Path, config: &str) -> Result<Self> {
        let durability = match config {
            "immediate" | "one-memtable" => Durability::Immediate,
            "eventual" => Durability::Eventual,
            _ => return Err(format!("no durability {config}").into()),
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let mut options = Options::default().with_path(directory.to_owned());
        if config != "one-memtable" {
            // A memtable holds one transaction, and two tables are compacted.
            options.max_memtable_size = 2600;
            options.level0_max_files = 2;
        }
        let tree = runtime.block_on(async { TreeBuilder::with_options(options).build() })?;
        Ok(Self {
            durability,
            runtime,
            tree,
        })
    }

    fn put(&mut self, pairs: &Pairs) -> Result<()> {
        let mut transaction = self.tree.begin()?;
        transaction.set_durability(self.durability);
        for (key, value) in pairs {
            transaction.set(key.as_bytes(), value.as_bytes())?;
        }
        Ok(self.runtime.block_on(transaction.commit())?)
    }

    /// Leaves its threads the time to write out a memtable and to compact tables.
    fn after(&mut self, _number: usize) -> Result<()> {
        self.runtime
            .block_on(async { tokio::time::sleep(Duration::from_millis(500)).await });
        Ok(())
    }

    fn get(&mut self) -> Result<Pairs> {
        let transaction = self.tree.begin_with_mode(Mode::ReadOnly)?;
        let mut entries = transaction.range(b"0", b"~")?;
        entries.seek_first()?;
        let mut found = Pairs::new();
        while entries.valid() {
            found.insert(text(entries.key().user_key()), text(&entries.value()?));
            entries.next()?;
        }
        Ok(found)
    }

    fn close(self) -> Result<()> {
        Ok(self.runtime.block_on(self.tree.close())?)
    }
}

fn main() {
    subject::main::<SurrealKv>();
}
