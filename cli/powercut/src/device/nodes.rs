// SPDX-License-Identifier: GPL-2.0

//! The block devices of a disk or a view: one, or one for each member of a group.

use std::path::{Path, PathBuf};

use powercut_engine::members::Members;

use super::NODES;
use crate::child::Env;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nodes {
    /// The block device, or the directory with those of a group.
    whole: PathBuf,
    /// Of a group, by their names.
    members: Vec<(String, PathBuf)>,
    /// As sysfs calls them, in the order of [`Self::all`].
    sysfs: Vec<String>,
}

impl Nodes {
    /// Of the disk or view of that name.
    pub fn of(name: &str, members: &Members) -> Self {
        let whole = Path::new(NODES).join(name);
        let in_sysfs = format!("powercut!{name}");
        Self {
            members: members
                .names()
                .map(|member| (member.to_string(), whole.join(member)))
                .collect(),
            whole,
            sysfs: if members.is_empty() {
                vec![in_sysfs]
            } else {
                let of_member = |member| format!("{in_sysfs}!{member}");
                members.names().map(of_member).collect()
            },
        }
    }

    /// A block device of another driver.
    pub fn at(node: PathBuf, name: &str) -> Self {
        Self {
            whole: node,
            members: Vec::new(),
            sysfs: vec![name.into()],
        }
    }

    /// Block devices of another driver by their names in /dev: one, or one for each member.
    pub fn of_devices(names: Vec<String>, members: &Members) -> Self {
        let dev = Path::new("/dev");
        let nodes = names.iter().map(|name| dev.join(name));
        let members = members.names().map(str::to_string);
        let members: Vec<_> = members.zip(nodes).collect();
        Self {
            whole: match names.first() {
                Some(name) if members.is_empty() => dev.join(name),
                _ => dev.into(),
            },
            members,
            sysfs: names,
        }
    }

    /// Has the kernel read no more than is asked for, where it would guess: the
    /// less is read, the fewer states differ. Where it can't be set, it is not.
    pub fn read_no_more(&self) {
        for disk in self.sysfs() {
            let _ = std::fs::write(disk.join("queue/read_ahead_kb"), "0\n");
        }
    }

    /// The block device, or the directory with those of a group.
    pub fn whole(&self) -> &Path {
        &self.whole
    }

    /// The first block device: what is mounted.
    pub fn first(&self) -> &Path {
        self.members.first().map_or(&self.whole, |(_, node)| node)
    }

    /// All block devices.
    pub fn all(&self) -> impl Iterator<Item = &Path> {
        let one = self.members.is_empty().then_some(self.whole.as_path());
        one.into_iter()
            .chain(self.members.iter().map(|(_, node)| node.as_path()))
    }

    /// The members of a group, with their names.
    pub fn members(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.members
            .iter()
            .map(|(name, node)| (name.as_str(), node.as_path()))
    }

    /// The directories of all of them in sysfs.
    pub fn sysfs(&self) -> impl Iterator<Item = PathBuf> + '_ {
        let names = self.sysfs.iter();
        names.map(|name| Path::new("/sys/block").join(name))
    }

    /// A text with the path of each member in the place of `{its name}`.
    pub fn fill(&self, text: &str) -> String {
        self.members.iter().fold(text.into(), |text, (name, node)| {
            text.replace(&format!("{{{name}}}"), &node.display().to_string())
        })
    }

    /// The variables that tell of them: POWERCUT_DEV, and of a group
    /// POWERCUT_DEV_NAME.
    pub fn env(&self) -> Env {
        let mut env: Env = vec![("POWERCUT_DEV".into(), self.first().into())];
        let members = self.members.iter();
        env.extend(members.map(|(name, node)| (variable(name), node.into())));
        env
    }
}

/// The variable of a member.
pub fn variable(member: &str) -> String {
    format!(
        "POWERCUT_DEV_{}",
        member.to_ascii_uppercase().replace('-', "_")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_device() {
        let nodes = Nodes::of("a", &Members::default());
        assert_eq!(nodes.first(), Path::new("/dev/powercut/a"));
        assert!(nodes.all().eq([nodes.whole()]));
        assert!(nodes.sysfs().eq([PathBuf::from("/sys/block/powercut!a")]));
        assert_eq!(nodes.fill("{data}"), "{data}");
        assert_eq!(nodes.env().len(), 1);
    }

    #[test]
    fn a_device_for_each_member() {
        let members = Members::read("data:48 my-log:16").unwrap();
        let nodes = Nodes::of("a.v", &members);
        assert_eq!(nodes.first(), Path::new("/dev/powercut/a.v/data"));
        assert_eq!(nodes.whole(), Path::new("/dev/powercut/a.v"));
        assert_eq!(
            nodes.fill("-J device={my-log} {data} {x}"),
            "-J device=/dev/powercut/a.v/my-log /dev/powercut/a.v/data {x}"
        );
        let env = nodes.env();
        let names: Vec<&str> = env.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["POWERCUT_DEV", "POWERCUT_DEV_DATA", "POWERCUT_DEV_MY_LOG"]
        );
        let last = nodes.sysfs().last().unwrap();
        assert_eq!(last, Path::new("/sys/block/powercut!a.v!my-log"));
    }

    #[test]
    fn devices_of_another_driver() {
        let one = Nodes::of_devices(vec!["ublkb3".into()], &Members::default());
        assert_eq!(one, Nodes::at("/dev/ublkb3".into(), "ublkb3"));
        let names = vec!["ublkb0".into(), "ublkb2".into()];
        let both = Nodes::of_devices(names, &Members::read("data:48 log:16").unwrap());
        assert_eq!(both.first(), Path::new("/dev/ublkb0"));
        assert!(both
            .all()
            .eq([Path::new("/dev/ublkb0"), Path::new("/dev/ublkb2")]));
        assert_eq!(both.fill("{log}"), "/dev/ublkb2");
        assert!(both
            .sysfs()
            .eq(["ublkb0", "ublkb2"].map(|name| Path::new("/sys/block").join(name))));
    }
}
