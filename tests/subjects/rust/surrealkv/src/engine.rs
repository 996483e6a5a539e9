// SPDX-License-Identifier: GPL-2.0

//! A version of surrealkv.

use std::path::Path;

use subject::{Pairs, Result};

/// One version as the other is used.
pub trait Engine {
    fn put(&mut self, pairs: &Pairs) -> Result<()>;

    /// Leaves its threads the time to write out a memtable and to compact tables.
    fn settle(&self);

    fn get(&self) -> Result<Pairs>;

    fn close(&mut self) -> Result<()>;
}

/// A module with the function `open` for the version that is called $version in Cargo.toml.
macro_rules! engine {
    ($version:ident) => {
        pub mod $version {
            use std::path::Path;
            use std::time::Duration;

            use subject::{Pairs, Result, text};
            use tokio::runtime::{Builder, Runtime};
            use $version::{Durability, LSMIterator, Mode, Options, Tree, TreeBuilder};

            struct Its {
                durability: Durability,
                runtime: Runtime,
                // None once it is closed.
                tree: Option<Tree>,
            }

            pub fn open(path: &Path, immediate: bool) -> Result<Box<dyn super::Engine>> {
                let durability = if immediate {
                    Durability::Immediate
                } else {
                    Durability::Eventual
                };
                let runtime = Builder::new_multi_thread()
                    .worker_threads(1)
                    .enable_all()
                    .build()?;
                let tree = Some(runtime.block_on(async { tree(path) })?);
                Ok(Box::new(Its {
                    durability,
                    runtime,
                    tree,
                }))
            }

            fn tree(path: &Path) -> Result<Tree> {
                // A memtable holds one transaction, and two tables are compacted.
                let options = Options {
                    path: path.to_owned(),
                    max_memtable_size: 2600,
                    level0_max_files: 2,
                    ..Options::default()
                };
                Ok(TreeBuilder::with_options(options).build()?)
            }

            impl Its {
                fn tree(&self) -> Result<&Tree> {
                    self.tree
                        .as_ref()
                        .ok_or_else(|| "the tree is closed".into())
                }
            }

            impl super::Engine for Its {
                fn put(&mut self, pairs: &Pairs) -> Result<()> {
                    let mut transaction = self.tree()?.begin()?;
                    transaction.set_durability(self.durability);
                    for (key, value) in pairs {
                        transaction.set(key.as_bytes(), value.as_bytes())?;
                    }
                    Ok(self.runtime.block_on(transaction.commit())?)
                }

                fn settle(&self) {
                    self.runtime
                        .block_on(tokio::time::sleep(Duration::from_millis(500)));
                }

                fn get(&self) -> Result<Pairs> {
                    let transaction = self.tree()?.begin_with_mode(Mode::ReadOnly)?;
                    let mut entries = transaction.range(b"0", b"~")?;
                    entries.seek_first()?;
                    let mut found = Pairs::new();
                    while entries.valid() {
                        found.insert(text(entries.key().user_key()), text(&entries.value()?));
                        entries.next()?;
                    }
                    Ok(found)
                }

                fn close(&mut self) -> Result<()> {
                    if let Some(tree) = self.tree.take() {
                        self.runtime.block_on(tree.close())?;
                    }
                    Ok(())
                }
            }
        }
    };
}

engine!(after);
engine!(before);

/// Opens the version of a configuration: before/immediate, say.
pub fn open(path: &Path, config: &str) -> Result<Box<dyn Engine>> {
    match config.split_once('/') {
        Some((version @ ("before" | "after"), durability @ ("immediate" | "eventual"))) => {
            let open = if version == "before" {
                before::open
            } else {
                after::open
            };
            open(path, durability == "immediate")
        }
        _ => Err(format!("no version and durability {config}").into()),
    }
}
