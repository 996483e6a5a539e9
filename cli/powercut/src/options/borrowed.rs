// SPDX-License-Identifier: GPL-2.0

//! Commands that come from a report, and not from the command line.

use std::path::Path;

use crate::examination::Examination;
use crate::output::say;

/// Commands that were given in place of those of a report.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given {
    pub check: bool,
    pub fsck: bool,
    pub cleanup: bool,
}

/// What to say of the commands of a report, before they are run.
pub fn borrowed(dir: &Path, what: &Examination, given: Given) -> Vec<String> {
    let dir = dir.display();
    let check = Some(&what.check).filter(|check| !check.is_empty() && !given.check);
    let fsck = what.fsck.as_ref().filter(|_| !given.fsck);
    let cleanup = what.cleanup.as_ref().filter(|_| !given.cleanup);
    let commands = [
        ("check", check),
        ("filesystem checker", fsck),
        ("clean-up", cleanup),
    ];
    let lines = commands.iter().filter_map(|(name, command)| {
        let command = command.as_ref()?;
        Some(format!(
            "runs the {name} `{command}` of the report {dir} as root"
        ))
    });
    lines.collect()
}

/// Says it.
pub fn say_borrowed(lines: &[String]) {
    for line in lines {
        say(format_args!("{line}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commands_of_the_report_are_told() {
        let what = Examination {
            check: "./check".into(),
            resident: false,
            truths: None,
            fsck: Some("e2fsck -fn".into()),
            cleanup: Some("./stop".into()),
            mount: None,
            view_faults: Vec::new(),
            timeout_ms: 1000,
            mount_timeout_ms: 1000,
        };
        let given = |check, fsck, cleanup| Given {
            check,
            fsck,
            cleanup,
        };
        for (given, told) in [
            (
                Given::default(),
                vec![
                    "check `./check`",
                    "checker `e2fsck -fn`",
                    "clean-up `./stop`",
                ],
            ),
            (given(true, false, false), vec!["checker", "clean-up"]),
            (given(true, true, true), vec![]),
        ] {
            let lines = borrowed(Path::new("d"), &what, given);
            assert_eq!(lines.len(), told.len(), "{lines:?}");
            for (line, part) in lines.iter().zip(told) {
                assert!(line.contains(part), "{line}");
                assert!(line.ends_with("of the report d as root"), "{line}");
            }
        }
    }
}
