// SPDX-License-Identifier: GPL-2.0

//! jammdb; CONFIG is not used: it has no setting for durability.

use std::path::Path;

use jammdb::DB;
use subject::{Pairs, Result, Store, text};

const BUCKET: &str = "pairs";

struct Jammdb {
    database: DB,
}

impl Store for Jammdb {
    const PACKAGES: &[&str] = &["jammdb"];

    fn open(directory: &Path, _config: &str) -> Result<Self> {
        Ok(Self {
            database: DB::open(directory)?,
        })
    }

    fn put(&mut self, pairs: &Pairs) -> Result<()> {
        let transaction = self.database.tx(true)?;
        let bucket = transaction.get_or_create_bucket(BUCKET)?;
        for (key, value) in pairs {
            bucket.put(key.as_str(), value.as_str())?;
        }
        Ok(transaction.commit()?)
    }

    fn verify(&mut self) -> Result<()> {
        Ok(self.database.check()?)
    }

    fn get(&mut self) -> Result<Pairs> {
        let transaction = self.database.tx(false)?;
        let bucket = match transaction.get_bucket(BUCKET) {
            Err(jammdb::Error::BucketMissing) => return Ok(Pairs::new()),
            bucket => bucket?,
        };
        Ok(bucket
            .kv_pairs()
            .map(|pair| (text(pair.key()), text(pair.value())))
            .collect())
    }
}

fn main() {
    subject::main::<Jammdb>();
}
