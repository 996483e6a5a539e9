// SPDX-License-Identifier: GPL-2.0

//! Keeps what a workload has in its files at each mark.
//!
//! The workload writes its marks to a file of the keeper's, and waits there. All its processes are
//! stopped, the files are copied, the mark is put into the record, and they go on. So a copy is of one
//! moment, and nothing that the software holds open, locks or keeps in memory is touched.

mod mark_file;
mod stop;

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{bail, Context, Result};
use rustix::io::Errno;
use rustix::mount::{mount_bind, mount_remount, unmount, MountFlags, UnmountFlags};
use serde::{Deserialize, Serialize};

use super::children::Children;
use mark_file::{MarkFile, Written};
use stop::{Stopped, Writers};

/// What to keep, and where.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Keep {
    /// Where the workload writes its marks: a file that is there.
    pub file: PathBuf,
    /// Where they go: the disk's own.
    pub marks: PathBuf,
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
    keep: Keep,
    file: MarkFile,
    writers: Writers,
    kept: Vec<Kept>,
    /// Why a moment could not be kept.
    failed: Option<String>,
}

impl Keeper {
    /// Begins, with the files as they are now.
    pub fn new(keep: Keep) -> Result<Self> {
        mount_bind(&keep.files, &keep.shown).context("cannot show the files of the workload")?;
        // Reading is not to set a time of last access.
        let flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOATIME;
        mount_remount(&keep.shown, flags, "").context("cannot show the files read-only")?;
        let file = MarkFile::mount(&keep.file)?;
        let mut keeper = Self {
            keep,
            file,
            writers: Writers::default(),
            kept: Vec::new(),
            failed: None,
        };
        keeper.copy()?;
        let marks = keeper.marks()?;
        keeper.kept.push(Kept {
            marks,
            mark: String::new(),
        });
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
        if let Some(why) = self.writers.other(children.proc()?, written.thread) {
            bail!(SEVERAL.replace("{}", &why));
        }
        let text = String::from_utf8_lossy(&written.data);
        let text = text.trim_end_matches('\n').rsplit('\n').next();
        let mark = text.unwrap_or_default().to_string();
        let _stopped = self.stop(children, Some(written.thread))?;
        self.has_all_marks()?;
        let copy = self.copy()?;
        let file = OpenOptions::new().write(true).open(&self.keep.marks);
        let mut file = file.context("cannot open the disk's file of marks")?;
        if let Err(e) = file.write_all(&written.data) {
            // No mark, or not all of them: the writer is told.
            fs::remove_dir_all(&copy).context("cannot remove a copy")?;
            self.has_all_marks()?;
            return Ok(Err(Errno::from_io_error(&e).unwrap_or(Errno::IO)));
        }
        let marks = self.marks()?;
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
        unmount(&self.keep.shown, UnmountFlags::empty())
            .context("cannot unmount what shows the files of the workload")?;
        last.map(|()| self.kept)
    }

    fn last(&mut self, children: &Children) -> Result<()> {
        let stopped = self.stop(children, None)?;
        self.has_all_marks()?;
        self.copy()?;
        let marks = self.marks()?;
        self.kept.push(Kept {
            marks,
            mark: String::new(),
        });
        stopped.stay();
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
        let (known, found) = (self.kept.last().map_or(0, |kept| kept.marks), self.marks()?);
        if known != found {
            bail!(
                "there are {found} marks in the record, of which {known} were written to \
                 $POWERCUT_MARK: what was held at the others is not known; with --observe write all \
                 there, whole lines at a time"
            );
        }
        Ok(())
    }

    /// How many marks there are in the record.
    fn marks(&self) -> Result<u64> {
        let text =
            fs::read_to_string(&self.keep.marks).context("cannot read the number of marks")?;
        text.trim()
            .parse()
            .context("cannot read the number of marks")
    }

    /// Copies the files as the next moment; where to.
    fn copy(&self) -> Result<PathBuf> {
        let to = copy_of(&self.keep.to, self.kept.len());
        fs::create_dir(&to).with_context(|| format!("cannot make {}", to.display()))?;
        let copied = Command::new("cp")
            .arg("-a")
            .arg("--")
            .arg(self.keep.shown.join("."))
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
        Ok(to)
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
