// SPDX-License-Identifier: GPL-2.0

//! rkv with its SafeMode backend; CONFIG is `default`, or `sync`: its file and directory are synced after the commit.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rkv::backend::{SafeMode, SafeModeDatabase, SafeModeEnvironment};
use rkv::{Rkv, SingleStore, StoreOptions, Value};
use subject::{Pairs, Result, Store, text};

const FILE: &str = "data.safe.bin";

struct Its {
    directory: PathBuf,
    rkv: Rkv<SafeModeEnvironment>,
    store: SingleStore<SafeModeDatabase>,
    sync: bool,
}

impl Store for Its {
    const PACKAGES: &[&str] = &["rkv"];

    fn open(directory: &Path, config: &str) -> Result<Self> {
        let sync = match config {
            "default" => false,
            "sync" => true,
            _ => return Err(format!("no configuration {config}").into()),
        };
        fs::create_dir_all(directory)?;
        let rkv = Rkv::new::<SafeMode>(directory)?;
        let store = rkv.open_single("pairs", StoreOptions::create())?;
        Ok(Self {
            directory: directory.to_owned(),
            rkv,
            store,
            sync,
        })
    }

    fn put(&mut self, pairs: &Pairs) -> Result<()> {
        let mut writer = self.rkv.write()?;
        for (key, value) in pairs {
            self.store.put(&mut writer, key, &Value::Str(value))?;
        }
        writer.commit()?;
        if self.sync {
            File::open(self.directory.join(FILE))?.sync_all()?;
            File::open(&self.directory)?.sync_all()?;
        }
        Ok(())
    }

    fn get(&mut self) -> Result<Pairs> {
        let reader = self.rkv.read()?;
        let mut found = Pairs::new();
        for entry in self.store.iter_start(&reader)? {
            match entry? {
                (key, Value::Str(value)) => found.insert(text(key), value.to_owned()),
                (key, other) => return Err(format!("{} is {other:?}", text(key)).into()),
            };
        }
        Ok(found)
    }
}

fn main() {
    subject::main::<Its>();
}
