// SPDX-License-Identifier: GPL-2.0

//! Whose fault it is that a state could not be mounted. Any number that mount() gives may come from
//! a filesystem's recovery: what the machine lacks is looked for, not guessed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{anyhow, Result};
use rustix::io::Errno;

use crate::executor::is_held;
use crate::fs::{lack, mounted_twin};

/// How many times a mount is tried that says nothing of the state, and the time between.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(100);

/// What a mount needs besides a state, to be looked at.
pub trait Machine {
    /// Why a device can't be opened.
    fn device_gone(&self) -> Option<(PathBuf, Errno)>;
    fn has_mount_point(&self) -> bool;
    /// What is wrong with the filesystem's name, if the kernel has none of that name.
    fn missing_filesystem(&self) -> Option<String>;
    /// A device that is in use elsewhere.
    fn device_held(&self) -> Option<PathBuf>;
    /// The id of a mounted filesystem that keeps the kernel from mounting this one.
    fn twin(&self) -> Option<String>;
}

/// What is needed to mount a device.
pub struct Needed<'a> {
    pub fs: &'a str,
    pub nodes: Vec<&'a Path>,
    pub dir: &'a Path,
}

impl Machine for Needed<'_> {
    fn device_gone(&self) -> Option<(PathBuf, Errno)> {
        self.nodes.iter().find_map(|node| {
            let e = File::open(node).err()?;
            let errno = Errno::from_io_error(&e)?;
            // What can't be read is there.
            let gone = [Errno::NOENT, Errno::NODEV, Errno::NXIO, Errno::NOTDIR];
            gone.contains(&errno).then(|| (node.to_path_buf(), errno))
        })
    }

    fn has_mount_point(&self) -> bool {
        self.dir.is_dir()
    }

    fn missing_filesystem(&self) -> Option<String> {
        lack(self.fs)
    }

    fn device_held(&self) -> Option<PathBuf> {
        self.nodes
            .iter()
            .find(|node| is_held(node))
            .map(|node| node.to_path_buf())
    }

    fn twin(&self) -> Option<String> {
        let is_known_by_id = self.fs == "btrfs";
        let mut nodes = self.nodes.iter().filter(|_| is_known_by_id);
        nodes.find_map(|node| mounted_twin(node))
    }
}

/// Mounts a state, by `mount`; what that said if it is the state's fault. An error if it is not.
pub fn mount_state(
    mut mount: impl FnMut() -> Result<Option<Errno>>,
    machine: &dyn Machine,
) -> Result<Option<Errno>> {
    let mut errno = mount()?;
    for _ in 1..TRIES {
        if !matches!(errno, Some(Errno::NOMEM | Errno::INTR)) {
            break;
        }
        std::thread::sleep(PAUSE);
        errno = mount()?;
    }
    match errno.and_then(|errno| not_the_state(errno, machine)) {
        Some(why) => Err(anyhow!("cannot mount a state: {why}")),
        None => Ok(errno),
    }
}

/// What failed if it was not the state.
fn not_the_state(errno: Errno, machine: &dyn Machine) -> Option<String> {
    if let Some((node, e)) = machine.device_gone() {
        return Some(format!("{} is gone: {e}", node.display()));
    }
    if !machine.has_mount_point() {
        return Some("the directory to mount it on is gone".into());
    }
    match errno {
        Errno::NOMEM | Errno::INTR => Some(format!("{errno}, {TRIES} times in a row")),
        Errno::NODEV => machine.missing_filesystem(),
        Errno::BUSY => machine.device_held().map(|node| {
            format!(
                "{} is in use by something else: end that first",
                node.display()
            )
        }),
        Errno::EXIST => machine.twin().map(|id| {
            format!(
                "the filesystem {id} is mounted already, and this kernel mounts one of an id at a time (btrfs before \
                 Linux 6.7): give --jobs 1, or unmount what is mounted"
            )
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine that lacks nothing, or one thing.
    #[derive(Clone, Copy, PartialEq)]
    enum Lacks {
        Nothing,
        Device,
        MountPoint,
        Filesystem,
        /// A device that nobody else uses.
        FreeDevice,
        /// That no other filesystem of the same id is mounted.
        OnlyOne,
    }
    use Lacks::{Device, Filesystem, FreeDevice, MountPoint, Nothing, OnlyOne};

    impl Machine for Lacks {
        fn device_gone(&self) -> Option<(PathBuf, Errno)> {
            (*self == Device).then(|| ("/dev/x".into(), Errno::NXIO))
        }
        fn has_mount_point(&self) -> bool {
            *self != MountPoint
        }
        fn missing_filesystem(&self) -> Option<String> {
            (*self == Filesystem).then(|| "no filesystem nofs".into())
        }
        fn device_held(&self) -> Option<PathBuf> {
            (*self == FreeDevice).then(|| "/dev/x".into())
        }
        fn twin(&self) -> Option<String> {
            (*self == OnlyOne).then(|| "0-1".into())
        }
    }

    fn told(errno: Errno, machine: Lacks) -> String {
        match mount_state(|| Ok(Some(errno)), &machine) {
            Ok(Some(errno)) => format!("violation {errno:?}"),
            Ok(None) => "mounted".into(),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn only_what_the_machine_lacks_is_no_violation() {
        for (errno, machine, says) in [
            (Errno::INVAL, Nothing, "violation"),
            (Errno::IO, Nothing, "violation"),
            (Errno::UCLEAN, Nothing, "violation"),
            (Errno::PERM, Nothing, "violation"),
            (Errno::ACCESS, Nothing, "violation"),
            // What btrfs says if a tree it needs is not there.
            (Errno::NOENT, Nothing, "violation"),
            (Errno::NOENT, Device, "/dev/x is gone"),
            (Errno::NOENT, MountPoint, "the directory"),
            (Errno::NXIO, Device, "/dev/x is gone"),
            (Errno::NXIO, Nothing, "violation"),
            (Errno::NODEV, Nothing, "violation"),
            (Errno::NODEV, Filesystem, "no filesystem nofs"),
            (Errno::INVAL, Filesystem, "violation"),
            (Errno::BUSY, Nothing, "violation"),
            (Errno::BUSY, FreeDevice, "in use by something else"),
            (Errno::INVAL, FreeDevice, "violation"),
            // What btrfs says of a name that its log has twice, too.
            (Errno::EXIST, Nothing, "violation"),
            (Errno::EXIST, OnlyOne, "give --jobs 1"),
            (Errno::IO, OnlyOne, "violation"),
            (Errno::NOMEM, Nothing, "5 times in a row"),
            (Errno::INTR, Nothing, "5 times in a row"),
        ] {
            let told = told(errno, machine);
            assert!(told.contains(says), "{errno:?}: {told}");
        }
    }

    #[test]
    fn what_says_nothing_of_the_state_is_tried_again() {
        for (first, last) in [(Errno::NOMEM, None), (Errno::INTR, Some(Errno::INVAL))] {
            let mut tries = 0;
            let mount = || {
                tries += 1;
                Ok(if tries < 3 { Some(first) } else { last })
            };
            assert_eq!(mount_state(mount, &Nothing).unwrap(), last);
            assert_eq!(tries, 3);
        }
    }

    #[test]
    fn what_a_mount_needs_is_looked_for() {
        let dir = tempfile::tempdir().unwrap();
        let device = dir.path().join("device");
        let needed = |fs: &'static str, at: &'static Path| Needed {
            fs,
            nodes: vec![],
            dir: at,
        };
        let root = Path::new("/");
        let missing = needed("nofs", root).missing_filesystem();
        assert!(missing.is_some_and(|why| why.contains("no filesystem nofs")));
        assert!(needed("proc", root).has_mount_point());
        assert!(!needed("proc", Path::new("/no/such")).has_mount_point());
        let mut with = needed("proc", root);
        with.nodes.push(&device);
        assert_eq!(with.device_gone(), Some((device.clone(), Errno::NOENT)));
        std::fs::write(&device, "").unwrap();
        assert_eq!((with.device_gone(), with.device_held()), (None, None));
    }
}
