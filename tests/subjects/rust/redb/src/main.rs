// SPDX-License-Identifier: GPL-2.0

//! redb; CONFIG is a durability, or `two-phase`.

use std::path::Path;

use redb::{Database, Durability, ReadableTable, TableDefinition, TableError};
use subject::{Pairs, Result, Store};

const TABLE: TableDefinition<&str, &str> = TableDefinition::new("pairs");

struct Redb {
    database: Database,
    durability: Durability,
    two_phase: bool,
}

impl Store for Redb {
    const PACKAGES: &[&str] = &["redb"];
    const UNMADE: bool = true;

    fn open(directory: &Path, config: &str) -> Result<Self> {
        let durability = match config {
            "immediate" | "two-phase" => Durability::Immediate,
            "eventual" => Durability::Eventual,
            "none" => Durability::None,
            _ => return Err(format!("no durability {config}").into()),
        };
        Ok(Self {
            database: Database::create(directory)?,
            durability,
            two_phase: config == "two-phase",
        })
    }

    fn put(&mut self, pairs: &Pairs) -> Result<()> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(self.durability);
        transaction.set_two_phase_commit(self.two_phase);
        {
            let mut table = transaction.open_table(TABLE)?;
            for (key, value) in pairs {
                table.insert(key.as_str(), value.as_str())?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn verify(&mut self) -> Result<()> {
        self.database.check_integrity()?;
        Ok(())
    }

    fn get(&mut self) -> Result<Pairs> {
        let transaction = self.database.begin_read()?;
        let table = match transaction.open_table(TABLE) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(Pairs::new()),
            table => table?,
        };
        let mut found = Pairs::new();
        for entry in table.iter()? {
            let (key, value) = entry?;
            found.insert(key.value().to_owned(), value.value().to_owned());
        }
        Ok(found)
    }
}

fn main() {
    subject::main::<Redb>();
}
