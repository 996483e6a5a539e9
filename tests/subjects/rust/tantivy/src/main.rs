// SPDX-License-Identifier: GPL-2.0

//! tantivy, a document a pair; CONFIG is `commit`, or `sync`: the directory is synced after the commit.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use subject::{Pairs, Result, Store};
use tantivy::directory::MmapDirectory;
use tantivy::schema::{Field, STORED, STRING, Schema, TEXT, Value};
use tantivy::{Index, IndexWriter, TantivyDocument, Term, doc};

struct Tantivy {
    directory: PathBuf,
    index: Index,
    writer: IndexWriter,
    key: Field,
    value: Field,
    sync: bool,
}

impl Store for Tantivy {
    const PACKAGES: &[&str] = &["tantivy"];

    fn open(directory: &Path, config: &str) -> Result<Self> {
        let sync = match config {
            "commit" => false,
            "sync" => true,
            _ => return Err(format!("no configuration {config}").into()),
        };
        fs::create_dir_all(directory)?;
        let mut schema = Schema::builder();
        let key = schema.add_text_field("key", STRING | STORED);
        let value = schema.add_text_field("value", TEXT | STORED);
        let index = Index::open_or_create(MmapDirectory::open(directory)?, schema.build())?;
        let writer = index.writer_with_num_threads(1, 15_000_000)?;
        Ok(Self {
            directory: directory.to_owned(),
            index,
            writer,
            key,
            value,
            sync,
        })
    }

    fn put(&mut self, pairs: &Pairs) -> Result<()> {
        for (key, value) in pairs {
            self.writer
                .delete_term(Term::from_field_text(self.key, key));
            self.writer
                .add_document(doc!(self.key => key.as_str(), self.value => value.as_str()))?;
        }
        self.writer.commit()?;
        if self.sync {
            File::open(&self.directory)?.sync_all()?;
        }
        Ok(())
    }

    fn verify(&mut self) -> Result<()> {
        let damaged = self.index.validate_checksum()?;
        if damaged.is_empty() {
            return Ok(());
        }
        Err(format!("validate_checksum: {damaged:?}").into())
    }

    fn get(&mut self) -> Result<Pairs> {
        let mut found = Pairs::new();
        for segment in self.index.reader()?.searcher().segment_readers() {
            let store = segment.get_store_reader(1)?;
            for document in segment.doc_ids_alive() {
                let document: TantivyDocument = store.get(document)?;
                let text = |field| {
                    document
                        .get_first(field)
                        .and_then(|value| value.as_str())
                        .unwrap_or("")
                        .to_owned()
                };
                found.insert(text(self.key), text(self.value));
            }
        }
        Ok(found)
    }

    fn close(self) -> Result<()> {
        Ok(self.writer.wait_merging_threads()?)
    }
}

fn main() {
    subject::main::<Tantivy>();
}
