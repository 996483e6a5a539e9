// SPDX-License-Identifier: GPL-2.0

//! What commands that were killed left behind, by their notes: found, told, and taken away.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{bail, Result};
use rustix::fs::{flock, FlockOperation};
use rustix::mount::{unmount, UnmountFlags};

use crate::device::{self, Removed};
use crate::mapper;
use crate::notes::{self, Item, Owner};

/// How long another command may look at notes that this one wants to lock.
const PATIENCE: Duration = Duration::from_millis(200);

/// An item and the file that notes it.
struct Noted {
    file: PathBuf,
    item: Item,
}

/// The notes of a process.
struct Notes {
    dir: PathBuf,
    owner: Owner,
    /// The newest first.
    items: Vec<Noted>,
    /// Of its owner file, if the process is gone: nobody else takes away the same.
    lock: Option<File>,
}

/// All notes there are, of living processes too.
fn read_all(root: &Path, patience: Duration) -> Vec<Notes> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let dirs = entries.map(|entry| entry.path());
    let is_new = |dir: &PathBuf| {
        let name = dir.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with('.'))
    };
    dirs.filter(|dir| !is_new(dir))
        .filter_map(|dir| read(dir, patience))
        .collect()
}

fn read(dir: PathBuf, patience: Duration) -> Option<Notes> {
    let file = File::open(dir.join(notes::OWNER)).ok()?;
    let lock = lock(file, patience);
    let owner = serde_json::from_slice(&fs::read(dir.join(notes::OWNER)).ok()?).ok()?;
    let mut numbered: Vec<(u64, Noted)> = Vec::new();
    for entry in fs::read_dir(&dir).ok()?.flatten() {
        let name = entry.file_name();
        let Some(nr) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let file = entry.path();
        let text = fs::read(&file).unwrap_or_default();
        // One that was not written to its end is of nothing yet.
        if let Ok(item) = serde_json::from_slice(&text) {
            numbered.push((nr, Noted { file, item }));
        }
    }
    numbered.sort_by_key(|(nr, _)| std::cmp::Reverse(*nr));
    Some(Notes {
        dir,
        owner,
        items: numbered.into_iter().map(|(_, noted)| noted).collect(),
        lock,
    })
}

/// The lock that a process holds as long as it lives, if it does not.
fn lock(owner: File, patience: Duration) -> Option<File> {
    let until = Instant::now() + patience;
    loop {
        match flock(&owner, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Some(owner),
            Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(10)),
            Err(_) => return None,
        }
    }
}

impl Noted {
    /// Whether it is there yet, and is what was noted.
    fn is_there(&self, owner: &Owner, boot: &str) -> bool {
        match &self.item {
            Item::Scratch { dir, inode } => notes::inode(dir) == Some(*inode),
            // They went with the boot that they were of.
            _ if owner.boot != boot => false,
            Item::Disk { dir, inode } => notes::inode(dir) == Some(*inode),
            Item::Mapper { name } => mapper::is_there(name),
            Item::Setting { file, set, .. } => value(file).as_deref() == Some(set),
        }
    }
}

fn value(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    Some(text.trim_end().to_string())
}

impl std::fmt::Display for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Disk { dir, .. } => {
                let name = device::name_of(dir);
                let what = if name.contains('.') { "view" } else { "disk" };
                write!(f, "{what} {name}")
            }
            Self::Scratch { dir, .. } => write!(f, "directory {}", dir.display()),
            Self::Mapper { name } => write!(f, "mapped device {name}"),
            Self::Setting { file, set, .. } => write!(f, "{} at {set}", file.display()),
        }
    }
}

/// Says in a line on standard error what there is that is stale, if there is. Never fails.
pub fn tell() {
    let Some(boot) = notes::boot() else { return };
    let mut found: Vec<String> = Vec::new();
    for notes in read_all(Path::new(notes::DIR), Duration::ZERO) {
        if notes.lock.is_some() {
            let left = notes.items.iter();
            let left = left.filter(|noted| noted.is_there(&notes.owner, &boot));
            found.extend(left.map(|noted| noted.item.to_string()));
        }
    }
    let first = match found.as_slice() {
        [] => return,
        [one] => one.clone(),
        [one, rest @ ..] => format!("{one} and {} more", rest.len()),
    };
    let _ = writeln!(
        io::stderr(),
        "powercut: warning: a command that was killed left {first}: `powercut remove --stale` \
         cleans up"
    );
}

/// Takes away what is stale. What was done, a line each.
pub fn remove() -> Result<Vec<String>> {
    if !rustix::process::geteuid().is_root() {
        return Err(device::DeviceError::NotRoot.into());
    }
    remove_in(Path::new(notes::DIR))
}

fn remove_in(root: &Path) -> Result<Vec<String>> {
    let Some(boot) = notes::boot() else {
        bail!("cannot tell this boot from others: is /proc mounted?");
    };
    let all = read_all(root, PATIENCE);
    let (dead, living): (Vec<_>, Vec<_>) = all.iter().partition(|notes| notes.lock.is_some());
    let is_in_use = |file: &Path| {
        let mut items = living.iter().flat_map(|notes| &notes.items);
        items.any(|noted| matches!(&noted.item, Item::Setting { file: other, .. } if other == file))
    };
    let stale = |notes: &Notes| {
        let there = |noted: &&Noted| noted.is_there(&notes.owner, &boot);
        notes.items.iter().filter(there).count()
    };
    // Disks can't go before what is mounted of them.
    for notes in &dead {
        for noted in &notes.items {
            if let Item::Scratch { dir, .. } = &noted.item {
                if noted.is_there(&notes.owner, &boot) {
                    unmount_below(dir);
                }
            }
        }
    }
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for notes in &dead {
        for noted in &notes.items {
            let taken = match &noted.item {
                _ if !noted.is_there(&notes.owner, &boot) => Ok(None),
                Item::Setting { file, .. } if is_in_use(file) => {
                    Err(format!("{}: another command uses it", file.display()))
                }
                item => take_away(item)
                    .map(Some)
                    .map_err(|e| format!("{item}: {e}")),
            };
            match taken {
                Ok(line) => {
                    let of = |line| format!("{line}, of process {}", notes.owner.pid);
                    done.extend(line.map(of));
                    let _ = fs::remove_file(&noted.file);
                }
                Err(e) => failed.push(e),
            }
        }
        if stale(notes) == 0 {
            let _ = fs::remove_dir_all(&notes.dir);
        }
    }
    if failed.is_empty() {
        return Ok(done);
    }
    done.extend(failed.into_iter().map(|e| format!("left {e}")));
    bail!("could not clean up all of it:\n{}", done.join("\n"))
}

/// Takes an item away; says what was done.
fn take_away(item: &Item) -> io::Result<String> {
    match item {
        Item::Disk { dir, .. } => Ok(match device::remove_tree(dir)? {
            Removed::Idle => format!("removed {item}"),
            Removed::InUse => format!("removed {item}, which a process still had open"),
        }),
        Item::Mapper { name } => {
            mapper::remove(name).map_err(io::Error::other)?;
            Ok(format!("removed {item}"))
        }
        Item::Scratch { dir, .. } => {
            if let Some(mount) = mounts_below(dir).first() {
                let why = format!("{} is mounted there", mount.display());
                return Err(io::Error::other(why));
            }
            fs::remove_dir_all(dir)?;
            Ok(format!("removed {item}"))
        }
        Item::Setting { file, before, .. } => {
            fs::write(file, format!("{before}\n"))?;
            Ok(format!("set {} back to {before}", file.display()))
        }
    }
}

/// Unmounts what is mounted below a directory; what is in use is taken out of sight.
fn unmount_below(dir: &Path) {
    for mount in mounts_below(dir) {
        let flags = UnmountFlags::NOFOLLOW;
        if unmount(&mount, flags).is_err() {
            let _ = unmount(&mount, flags | UnmountFlags::DETACH);
        }
    }
}

/// Mounts below a directory, the newest first.
fn mounts_below(dir: &Path) -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = table.lines().filter_map(|line| line.split(' ').nth(4));
    let mut below: Vec<PathBuf> = points
        .map(|point| PathBuf::from(unescape(point)))
        .filter(|point| point.starts_with(dir))
        .collect();
    below.reverse();
    below
}

/// A path as mountinfo has it, where blanks and the like are `\040`.
fn unescape(text: &str) -> String {
    let mut pieces = text.split('\\');
    let mut path = pieces.next().unwrap_or_default().to_string();
    for piece in pieces {
        let code = piece
            .get(..3)
            .and_then(|code| u8::from_str_radix(code, 8).ok());
        match code {
            Some(code) => {
                path.push(char::from(code));
                path.push_str(&piece[3..]);
            }
            None => {
                path.push('\\');
                path.push_str(piece);
            }
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notes::Notebook;

    /// A directory of notes, one to be noted, and a file with a setting.
    fn place() -> (tempfile::TempDir, PathBuf, PathBuf, PathBuf) {
        let top = tempfile::tempdir().unwrap();
        let [root, scratch] = ["notes", "scratch"].map(|name| top.path().join(name));
        let setting = top.path().join("setting");
        fs::create_dir(&scratch).unwrap();
        fs::write(scratch.join("file"), "x").unwrap();
        fs::write(&setting, "1\n").unwrap();
        (top, root, scratch, setting)
    }

    fn setting(file: &Path) -> Item {
        Item::Setting {
            file: file.into(),
            before: "500".into(),
            set: "1".into(),
        }
    }

    /// Writes notes, as a process that is killed leaves them.
    fn killed(root: &Path, items: &[Item]) {
        let book = Notebook::create(root).unwrap();
        items.iter().for_each(|item| book.note(item).keep());
    }

    #[test]
    fn what_the_dead_left_goes_and_what_the_living_have_stays() {
        let (_top, root, scratch, file) = place();
        let items = [Item::scratch(&scratch).unwrap(), setting(&file)];
        let living = Notebook::create(&root).unwrap();
        let notes = items.each_ref().map(|item| living.note(item));
        assert_eq!(remove_in(&root).unwrap(), Vec::<String>::new());
        assert!(scratch.exists() && value(&file).unwrap() == "1");
        notes.into_iter().for_each(notes::Note::keep);
        drop(living);
        let done = remove_in(&root).unwrap();
        assert_eq!(done.len(), 2, "{done:?}");
        assert!(!scratch.exists() && value(&file).unwrap() == "500");
        assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
    }

    #[test]
    fn a_setting_is_left_to_a_command_that_lives_or_to_who_changed_it() {
        let (_top, root, _, file) = place();
        killed(&root, &[setting(&file)]);
        let living = Notebook::create(&root).unwrap();
        let note = living.note(&setting(&file));
        let e = remove_in(&root).unwrap_err().to_string();
        assert!(e.contains("another command"), "{e}");
        assert_eq!(value(&file).unwrap(), "1");
        drop(note);
        fs::write(&file, "7\n").unwrap();
        assert_eq!(remove_in(&root).unwrap(), Vec::<String>::new());
        assert_eq!(value(&file).unwrap(), "7");
    }

    #[test]
    fn another_directory_of_the_same_name_is_not_taken_for_it() {
        let (top, root, scratch, _) = place();
        killed(&root, &[Item::scratch(&scratch).unwrap()]);
        // Kept, so that the new one can't get its number.
        fs::rename(&scratch, top.path().join("old")).unwrap();
        fs::create_dir(&scratch).unwrap();
        assert_eq!(remove_in(&root).unwrap(), Vec::<String>::new());
        assert!(scratch.exists());
    }

    #[test]
    fn settings_of_another_boot_are_forgotten_and_its_directories_are_not() {
        let (_top, root, scratch, file) = place();
        killed(&root, &[Item::scratch(&scratch).unwrap(), setting(&file)]);
        let dir = fs::read_dir(&root).unwrap().next().unwrap().unwrap().path();
        let owner = r#"{"pid":1,"boot":"another"}"#;
        fs::write(dir.join(notes::OWNER), owner).unwrap();
        assert_eq!(remove_in(&root).unwrap().len(), 1);
        assert!(!scratch.exists() && value(&file).unwrap() == "1");
    }

    #[test]
    fn half_a_note_and_none_are_no_failure() {
        let (top, root, ..) = place();
        assert_eq!(remove_in(&root).unwrap(), Vec::<String>::new());
        killed(&root, &[Item::scratch(top.path()).unwrap()]);
        let dir = fs::read_dir(&root).unwrap().next().unwrap().unwrap().path();
        fs::write(dir.join("0"), r#"{"scratch":{"di"#).unwrap();
        assert_eq!(remove_in(&root).unwrap(), Vec::<String>::new());
        assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
    }

    #[test]
    fn mount_points_are_as_they_are_called() {
        for (text, path) in [
            ("/tmp/a", "/tmp/a"),
            ("/tmp/a\\040b", "/tmp/a b"),
            ("/a\\134040", "/a\\040"),
            ("/a\\9", "/a\\9"),
        ] {
            assert_eq!(unescape(text), path);
        }
    }
}
