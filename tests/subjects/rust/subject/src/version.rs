// SPDX-License-Identifier: GPL-2.0

//! The versions that the programs are built with.

/// What has the versions of all packages.
const LOCK: &str = include_str!("../../Cargo.lock");

/// The version of the one that is patched, if one is: the workspace is a copy then.
const PATCHED: Option<&str> = option_env!("SUBJECT_VERSION");

/// The versions of the packages, in one word.
pub fn of(packages: &[&str]) -> String {
    if let Some(version) = PATCHED {
        return version.to_owned();
    }
    let versions: Vec<&str> = packages
        .iter()
        .flat_map(|package| all_of(package))
        .collect();
    versions.join("/")
}

fn all_of(package: &str) -> impl Iterator<Item = &'static str> {
    let name = format!("name = \"{package}\"");
    LOCK.split("[[package]]")
        .filter(move |entry| entry.lines().any(|line| line == name))
        .filter_map(|entry| {
            entry
                .lines()
                .find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
        })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_version_is_that_of_the_lock() {
        assert_eq!(super::of(&["subject"]), "0.0.0");
        assert_eq!(super::of(&["no-such-package"]), "");
    }
}
