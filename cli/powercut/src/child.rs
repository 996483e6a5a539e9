// SPDX-License-Identifier: GPL-2.0

//! The user's commands, and how they ended. An [`crate::executor`] runs them.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Variables for a command, over those of this process.
pub type Env = Vec<(String, OsString)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    Exited(i32),
    Killed(i32),
    TimedOut(Duration),
}

impl Ended {
    pub fn ok(self) -> bool {
        self == Self::Exited(0)
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit {code}"),
            Self::Killed(signal) => write!(f, "killed by signal {signal}"),
            Self::TimedOut(t) => write!(f, "no end within {} s", t.as_secs_f64()),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Finished {
    pub ended: Ended,
    /// Standard output and error, in the order they came.
    pub output: String,
}

/// Lines of the output that are shown of what failed before there was anything to check.
const TAIL: usize = 40;

impl Finished {
    /// The end of the output.
    pub fn tail(&self) -> String {
        let lines: Vec<&str> = self.output.trim_end().lines().collect();
        match lines.len().checked_sub(TAIL) {
            None | Some(0) => lines.join("\n"),
            Some(more) => format!("[{more} lines more]\n{}", lines[more..].join("\n")),
        }
    }
}

/// A program to run, with all that it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    pub name: OsString,
    pub args: Vec<OsString>,
    pub env: Env,
    /// How long it may take.
    pub limit: Option<Duration>,
    /// A file for its standard output alone.
    #[serde(default)]
    pub stdout: Option<PathBuf>,
}

impl Program {
    pub fn new(
        name: impl Into<OsString>,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Self {
        Self {
            name: name.into(),
            args: args.into_iter().map(|arg| arg.as_ref().into()).collect(),
            env: Env::new(),
            limit: None,
            stdout: None,
        }
    }

    #[must_use]
    pub fn env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    #[must_use]
    pub fn limit(mut self, limit: Option<Duration>) -> Self {
        self.limit = limit;
        self
    }

    /// What it prints on standard output goes to a file, which is made; the rest is its output.
    #[must_use]
    pub fn stdout(mut self, file: PathBuf) -> Self {
        self.stdout = Some(file);
        self
    }
}

/// A command line. How it is to be started is found out once, however often it is run.
#[derive(Debug, Clone)]
pub struct Line {
    text: String,
    /// The words, if it takes no shell to start it.
    words: Option<Vec<String>>,
}

impl Line {
    pub fn new(text: &str) -> Self {
        let words = words(text).map(|words| words.into_iter().map(String::from).collect());
        Self {
            text: text.into(),
            words,
        }
    }

    /// What does as `sh -c LINE` would.
    pub fn program(&self) -> Program {
        match self.words.as_deref() {
            Some([program, args @ ..]) => Program::new(program, args),
            _ => Program::new("sh", ["-c", &self.text]),
        }
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`sh -c {:?}`", self.text)
    }
}

/// The words of a command that a shell would do nothing to but start: a
/// program file by its path, and plain arguments. Saves the shell.
fn words(command: &str) -> Option<Vec<&str>> {
    let plain = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '/' | '.' | '_' | '-' | ' ' | ',' | '+' | ':' | '@' | '%')
    };
    let words: Vec<&str> = command.split(' ').filter(|w| !w.is_empty()).collect();
    let program = words.first().filter(|w| w.contains('/'))?;
    let mut start = [0; 2];
    let mut file = std::fs::File::open(program).ok()?;
    // Without a first line that says so, the shell is what runs a script.
    let read = io::Read::read(&mut file, &mut start).ok()?;
    let is_program = read == 2 && (&start == b"#!" || &start == b"\x7fE");
    let is_executable = rustix::fs::access(*program, rustix::fs::Access::EXEC_OK).is_ok();
    (command.chars().all(plain) && is_program && is_executable).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_is_not_needed_to_start_a_program() {
        assert_eq!(words("/bin/echo  a -b=c"), None);
        let plain = words("/bin/echo  a -b /c");
        assert_eq!(plain, Some(vec!["/bin/echo", "a", "-b", "/c"]));
        for other in [
            "echo a",
            "/bin/echo $HOME",
            "/bin/echo 'a'",
            "/no/such",
            "/etc/hosts",
            "",
        ] {
            assert_eq!(words(other), None, "{other}");
            assert_eq!(Line::new(other).program().name, "sh", "{other}");
        }
        let program = Line::new("/bin/echo a b").program();
        assert_eq!(
            (&*program.name, program.args.len()),
            (OsStr::new("/bin/echo"), 2)
        );
    }

    #[test]
    fn the_end_of_a_long_output_is_shown() {
        let finished = |lines: usize| Finished {
            ended: Ended::Exited(1),
            output: (1..=lines)
                .flat_map(|n| [n.to_string(), "\n".into()])
                .collect(),
        };
        assert_eq!(finished(2).tail(), "1\n2");
        assert!(finished(TAIL).tail().starts_with("1\n2\n"));
        assert!(finished(TAIL + 2).tail().starts_with("[2 lines more]\n3\n"));
        assert!(finished(TAIL + 2).tail().ends_with("\n42"));
    }
}
