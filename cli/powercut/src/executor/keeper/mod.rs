// SPDX-License-Identifier: GPL-2.0

//! Takes the marks of a workload, and keeps what that has in its files at each of them.
//!
//! The workload writes its marks to a file of the keeper's, and waits there. All its processes are
//! stopped, the files are copied, the mark is put into the record, and they go on. So a copy is of one
//! moment, and nothing that the software holds open, locks or keeps in memory is touched.
//!
//! Where nothing is to be copied, nobody is stopped: the keeper only passes marks on.

mod mark_file;
mod marks;
mod stop;

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{bail, Context, Result};
use rustix::io::Errno;
use rustix::mount::{mount_bind, mount_remount, unmount, MountFlags, UnmountFlags};
use serde::{Deserialize, Serialize};

use super::children::Children;
use mark_file::{MarkFile, Written};
pub use marks::MarksTo;
use stop::{Stopped, Writers};

/// What to take, and what to keep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Keep {
    /// Where the workload writes its marks: a file that is there.
    pub file: PathBuf,
    /// Where they go.
    pub marks: MarksTo,
    /// What to copy at each of them, if anything.
    pub copies: Option<Copies>,
}

/// What to copy, and where to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Copies {
    /// The files to copy.
    pub files: PathBuf,
    /// A directory to show them in, so that looking at them changes nothing.
    pub shown: PathBuf,
    /// A directory for the copies, by their numbers.
    pub to: PathBuf,
}

/// A moment whose files were copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Marks in the record from then on.
    pub marks: u64,
    /// The newest of them; empty at the start and at the end.
    pub mark: String,
}

#[derive(Debug)]
pub struct Keeper {
    copies: Option<Copies>,
    file: MarkFile,
    marks: marks::Marks,
    writers: Writers,
    kept: Vec<Kept>,
    /// Why a moment could not be kept.
    failed: Option<String>,
}

impl Keeper {
    /// Begins, with the files as they are now.
    pub fn new(keep: Keep) -> Result<Self> {
        if let Some(copies) = &keep.copies {
            mount_bind(&copies.files, &copies.shown)
                .context("cannot show the files of the workload")?;
            // Reading is not to set a time of last access.
            let flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOATIME;
            mount_remount(&copies.shown, flags, "").context("cannot show the files read-only")?;
        }
        let mut keeper = Self {
            file: MarkFile::mount(&keep.file)?,
            marks: marks::Marks::new(keep.marks),
            copies: keep.copies,
            writers: Writers::default(),
            kept: Vec::new(),
            failed: None,
        };
        keeper.moment(String::new())?;
        Ok(keeper)
    }

    /// Does what the writers of marks wait for.
    pub fn serve(&mut self, children: &Children) -> io::Result<()> {
        while let Some(written) = self.file.written()? {
            let answer = match &self.failed {
                Some(_) => Err(Errno::IO),
                None => self.mark(children, &written),
            };
            self.file.answer(&written, answer)?;
        }
        Ok(())
    }

    /// Keeps the moment of a mark, and puts it into the record.
    fn mark(&mut self, children: &Children, written: &Written) -> Result<(), Errno> {
        match self.keep_mark(children, written) {
            Ok(answer) => answer,
            Err(e) => {
                self.failed = Some(format!("{e:#}"));
                Err(Errno::IO)
            }
        }
    }

    fn keep_mark(&mut self, children: &Children, written: &Written) -> Result<Result<(), Errno>> {
        if self.copies.is_none() {
            return self.marks.put(&written.data);
        }
        if let Some(why) = self.writers.other(children.proc()?, written.thread) {
            bail!(SEVERAL.replace("{}", &why));
        }
        let text = String::from_utf8_lossy(&written.data);
        let text = text.trim_end_matches('\n').rsplit('\n').next();
        let mark = text.unwrap_or_default().to_string();
        let _stopped = self.stop(children, Some(written.thread))?;
        self.has_all_marks()?;
        let copy = self.copy()?;
        if let Err(e) = self.marks.put(&written.data)? {
            // No mark, or not all of them: the writer is told.
            if let Some(copy) = copy {
                fs::remove_dir_all(copy).context("cannot remove a copy")?;
            }
            self.has_all_marks()?;
            return Ok(Err(e));
        }
        let marks = self.marks.count()?;
        self.kept.push(Kept { marks, mark });
        Ok(Ok(()))
    }

    /// Ends with the files as the workload left them; the moments in their order. What still runs of the
    /// workload is stopped, and to be killed.
    pub fn end(mut self, children: &Children) -> Result<Vec<Kept>> {
        let last = match self.failed.take() {
            Some(why) => Err(anyhow::Error::msg(why)),
            None => self.last(children),
        };
        // Who waits for an answer gets an error once it is closed.
        self.file
            .unmount()
            .context("cannot unmount the file of marks")?;
        if let Some(copies) = &self.copies {
            unmount(&copies.shown, UnmountFlags::empty())
                .context("cannot unmount what shows the files of the workload")?;
        }
        last.map(|()| self.kept)
    }

    fn last(&mut self, children: &Children) -> Result<()> {
        if self.copies.is_none() {
            return Ok(());
        }
        let stopped = self.stop(children, None)?;
        self.has_all_marks()?;
        self.moment(String::new())?;
        stopped.stay();
        Ok(())
    }

    /// Keeps the files as they are, if anything is to be kept.
    fn moment(&mut self, mark: String) -> Result<()> {
        if self.copy()?.is_some() {
            let marks = self.marks.count()?;
            self.kept.push(Kept { marks, mark });
        }
        Ok(())
    }

    /// Stops the workload, unless another mark is written meanwhile.
    fn stop(&self, children: &Children, held: Option<u32>) -> Result<Stopped> {
        let file = &self.file;
        let is_in_vain = || {
            let Some(other) = file.written()? else {
                return Ok(false);
            };
            file.answer(&other, Err(Errno::IO))?;
            Ok(true)
        };
        let stopped = Stopped::all(children, held, is_in_vain);
        stopped.map_err(|why| anyhow::Error::msg(SEVERAL.replace("{}", &why.to_string())))
    }

    /// That no mark came to the record by another way.
    fn has_all_marks(&self) -> Result<()> {
        let (known, found) = (
            self.kept.last().map_or(0, |kept| kept.marks),
            self.marks.count()?,
        );
        if known != found {
            bail!(
                "there are {found} marks in the record, of which {known} were written to \
                 $POWERCUT_MARK: what was held at the others is not known; with --observe write all \
                 there, whole lines at a time"
            );
        }
        Ok(())
    }

    /// Copies the files as the next moment, if that is wanted; where to.
    fn copy(&self) -> Result<Option<PathBuf>> {
        let Some(copies) = &self.copies else {
            return Ok(None);
        };
        let to = copy_of(&copies.to, self.kept.len());
        fs::create_dir(&to).with_context(|| format!("cannot make {}", to.display()))?;
        let copied = Command::new("cp")
            .arg("-a")
            .arg("--")
            .arg(copies.shown.join("."))
            .arg(&to)
            .stdin(Stdio::null())
            .output();
        let copied = copied.context("cannot run cp")?;
        if !copied.status.success() {
            let said = String::from_utf8_lossy(&copied.stderr);
            bail!(
                "cannot copy the files of the workload to {} (they take the room of all its files at \
                 each mark; TMPDIR says where): {}",
                to.display(),
                said.trim_end()
            );
        }
        Ok(Some(to))
    }
}

impl AsFd for Keeper {
    /// Readable once somebody waits.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Where the copy of a moment is.
pub fn copy_of(to: &Path, moment: usize) -> PathBuf {
    to.join(moment.to_string())
}

const SEVERAL: &str =
    "{}: --observe is for a workload that does one thing after the other, as what \
                       several do at a time may be found in any mixture; have one process write \
                       the marks, or give a --check";
