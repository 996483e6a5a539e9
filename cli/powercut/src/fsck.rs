// SPDX-License-Identifier: GPL-2.0

//! What the exit status of a filesystem checker says. fsck(8) fixes that 1, 2 and 3 stand for
//! errors that were corrected; the manuals of some programs say otherwise.

/// The statuses with which a checker says that the filesystem is sound now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statuses {
    /// fsck(8): 0, no errors; 1, corrected; 2, corrected, reboot; 3, both.
    Fsck,
    /// fsck.fat(8): 0, no errors; 1, errors that were corrected; 2, wrong usage.
    Fat,
    /// 0, no errors: xfs_repair(8), btrfs-check(8), ntfsfix(8), and fsck.fat(8) if it may correct
    /// nothing.
    Zero,
}

impl Statuses {
    /// Of a command line, by the names of the programs in it. Any other program, a script say, is
    /// held to fsck(8). With several programs the strictest manual counts.
    pub fn of(command: &str) -> Self {
        let words: Vec<&str> = command
            .split(|c: char| c.is_whitespace() || "\"'`;&|(){}<>$\\".contains(c))
            .filter(|word| !word.is_empty())
            .collect();
        let mut statuses = Self::Fsck;
        for (at, word) in words.iter().enumerate() {
            let rest = &words[at + 1..];
            match word.rsplit('/').next() {
                Some("xfs_repair" | "btrfsck" | "ntfsfix") => return Self::Zero,
                Some("btrfs") if rest.contains(&"check") => return Self::Zero,
                Some("fsck.fat" | "fsck.vfat" | "fsck.msdos" | "dosfsck") => {
                    if rest.iter().any(|option| is_no(option)) {
                        return Self::Zero;
                    }
                    statuses = Self::Fat;
                }
                _ => {}
            }
        }
        statuses
    }

    pub fn is_sound(self, status: i32) -> bool {
        match self {
            Self::Fsck => matches!(status, 0..=3),
            Self::Fat => matches!(status, 0 | 1),
            Self::Zero => status == 0,
        }
    }
}

/// Whether an option of fsck.fat has `-n` in it: correct nothing.
fn is_no(option: &str) -> bool {
    let letters = option.strip_prefix('-');
    letters.is_some_and(|letters| !letters.starts_with('-') && letters.contains('n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checker_is_held_to_its_manual() {
        for (command, sound) in [
            ("e2fsck -fy $POWERCUT_DEV", &[0, 1, 2, 3][..]),
            ("e2fsck -fn $POWERCUT_DEV", &[0, 1, 2, 3]),
            ("/sbin/fsck.ext4 -p \"$POWERCUT_DEV\"", &[0, 1, 2, 3]),
            ("fsck -t ext4 -y $POWERCUT_DEV", &[0, 1, 2, 3]),
            ("fsck.f2fs -f $POWERCUT_DEV", &[0, 1, 2, 3]),
            ("./my-fsck", &[0, 1, 2, 3]),
            ("xfs_repair -n $POWERCUT_DEV", &[0]),
            ("xfs_repair -e $POWERCUT_DEV", &[0]),
            ("cd /tmp && /usr/sbin/xfs_repair \"$POWERCUT_DEV\"", &[0]),
            ("LC_ALL=C timeout 9 xfs_repair -L $POWERCUT_DEV", &[0]),
            ("(xfs_repair $POWERCUT_DEV)", &[0]),
            ("btrfs check --readonly $POWERCUT_DEV", &[0]),
            ("btrfs -q check $POWERCUT_DEV", &[0]),
            ("btrfs rescue zero-log $POWERCUT_DEV", &[0, 1, 2, 3]),
            ("btrfsck $POWERCUT_DEV", &[0]),
            ("ntfsfix -d $POWERCUT_DEV", &[0]),
            ("fsck.fat -a $POWERCUT_DEV", &[0, 1]),
            ("fsck.vfat -n $POWERCUT_DEV", &[0]),
            ("fsck.vfat -vn $POWERCUT_DEV", &[0]),
            ("dosfsck -w -n $POWERCUT_DEV", &[0]),
            ("dosfsck --variant=atari -y $POWERCUT_DEV", &[0, 1]),
            ("e2fsck -y $A; xfs_repair $B", &[0]),
        ] {
            let statuses = Statuses::of(command);
            let found: Vec<i32> = (-1..=255)
                .filter(|status| statuses.is_sound(*status))
                .collect();
            assert_eq!(found, sound, "{command}");
        }
    }
}
