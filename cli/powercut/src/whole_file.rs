// SPDX-License-Identifier: GPL-2.0

//! Files that are there whole, or as they were.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

/// Has a file written beside that of this name, and gives it the name then.
pub fn write_whole(file: &Path, write: impl FnOnce(&File) -> Result<()>) -> Result<()> {
    let failed = || format!("cannot write {}", file.display());
    let dir = match file.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let temporary = NamedTempFile::new_in(dir).with_context(failed)?;
    write(temporary.as_file()).with_context(failed)?;
    temporary.persist(file).with_context(failed)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use anyhow::bail;

    use super::*;

    #[test]
    fn a_file_that_could_not_be_written_is_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        let put = |text: &'static str| {
            move |mut out: &File| {
                out.write_all(text.as_bytes())?;
                match text {
                    "bad" => bail!("it can't be told"),
                    _ => Ok(()),
                }
            }
        };
        write_whole(&file, put("old")).unwrap();
        let error = format!("{:#}", write_whole(&file, put("bad")).unwrap_err());
        assert!(
            error.contains("cannot write") && error.ends_with("can't be told"),
            "{error}"
        );
        assert_eq!(fs::read(&file).unwrap(), b"old");
        write_whole(&file, put("new")).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
