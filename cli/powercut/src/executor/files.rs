// SPDX-License-Identifier: GPL-2.0

//! What there is in a mounted filesystem.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A file or a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    pub path: PathBuf,
    pub inode: u64,
    pub is_dir: bool,
}

/// The files and directories below one, itself included, in order; not more than `limit`.
pub fn below(dir: &Path, limit: usize) -> Vec<File> {
    let mut found: Vec<File> = file(dir.to_path_buf()).into_iter().collect();
    let mut at = 0;
    while at < found.len() && found.len() < limit {
        let entries = std::fs::read_dir(&found[at].path).into_iter().flatten();
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut inside: Vec<File> = paths.filter_map(file).collect();
        inside.sort_by(|a, b| a.path.cmp(&b.path));
        found.extend(inside);
        at += 1;
    }
    found.truncate(limit);
    found
}

fn file(path: PathBuf) -> Option<File> {
    let metadata = path.symlink_metadata().ok()?;
    (metadata.is_file() || metadata.is_dir()).then(|| File {
        path,
        inode: metadata.ino(),
        is_dir: metadata.is_dir(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_directories_and_no_more_than_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir(root.join("d")).unwrap();
        std::fs::write(root.join("d/f"), "").unwrap();
        std::os::unix::fs::symlink("/", root.join("link")).unwrap();
        let names = |limit| -> Vec<PathBuf> {
            let found = below(root, limit).into_iter();
            let inside = found.map(|f| f.path.strip_prefix(root).unwrap().into());
            inside.collect()
        };
        assert_eq!(names(9), ["", "d", "d/f"].map(PathBuf::from));
        assert_eq!(names(2), ["", "d"].map(PathBuf::from));
    }
}
