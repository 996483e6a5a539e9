// SPDX-License-Identifier: GPL-2.0

//! persy; CONFIG is `default` or `background-sync`.

use std::path::Path;

use persy::{Config, Persy, TransactionConfig, ValueMode};
use subject::{Pairs, Result, Store, error};

const INDEX: &str = "pairs";

struct Its {
    persy: Persy,
    background: bool,
}

impl Store for Its {
    const PACKAGES: &[&str] = &["persy"];
    const UNMADE: bool = true;

    fn open(directory: &Path, config: &str) -> Result<Self> {
        let background = match config {
            "default" => false,
            "background-sync" => true,
            _ => return Err(format!("no configuration {config}").into()),
        };
        let persy =
            Persy::open_or_create_with(directory, Config::new(), |_| Ok(())).map_err(error)?;
        Ok(Self { persy, background })
    }

    fn put(&mut self, pairs: &Pairs) -> Result<()> {
        let config = TransactionConfig::new().set_background_sync(self.background);
        let mut transaction = self.persy.begin_with(config).map_err(error)?;
        if !transaction.exists_index(INDEX).map_err(error)? {
            transaction
                .create_index::<String, String>(INDEX, ValueMode::Replace)
                .map_err(error)?;
        }
        for (key, value) in pairs {
            transaction
                .put(INDEX, key.clone(), value.clone())
                .map_err(error)?;
        }
        transaction
            .prepare()
            .map_err(error)?
            .commit()
            .map_err(error)
    }

    fn get(&mut self) -> Result<Pairs> {
        if !self.persy.exists_index(INDEX).map_err(error)? {
            return Ok(Pairs::new());
        }
        let entries = self
            .persy
            .range::<String, String, _>(INDEX, ..)
            .map_err(error)?;
        Ok(entries
            .map(|(key, values)| (key, values.collect()))
            .collect())
    }
}

fn main() {
    subject::main::<Its>();
}
