// SPDX-License-Identifier: GPL-2.0

//! A program for people: as a shell script, as C, as a test of xfstests.

mod c;
mod shell;

use crate::op::Op;
use crate::program::{before, Program};

pub use c::c;

/// As a shell script of xfs_io and coreutils that is the workload of `powercut run`.
pub fn script(program: &Program) -> String {
    let mut text = String::from(
        "#!/bin/sh -e\n\
         # What `powercut fuzz` found, as a workload: powercut run --workload 'sh THIS' ...\n\
         cd \"${POWERCUT_MNT:?}\"\n\n\
         # What is there before, made durable.\n",
    );
    text.push_str(&prepared());
    text.push_str("\n# The program.\n");
    for (nr, op) in (1..).zip(&program.ops) {
        text.push_str(&shell::command(nr, op));
        text.push_str(&format!(
            "\necho '{}' >\"$POWERCUT_MARK\"\n",
            crate::trace::mark(nr, op)
        ));
    }
    text
}

/// What every program finds.
fn prepared() -> String {
    let mut text = String::new();
    for op in before() {
        text.push_str(&shell::command(0, &op));
        text.push_str(if op.is_optional() { " || :\n" } else { "\n" });
    }
    text
}

/// A text as lines that begin with #.
pub fn comment(text: &str) -> String {
    text.lines().flat_map(|line| ["# ", line, "\n"]).collect()
}

/// As a test in the form of xfstests: it drops what is not durable after the program, and shows what
/// there is then.
pub fn xfstest(program: &Program, problem: &str) -> String {
    let mut commands = String::new();
    for (nr, op) in (1..).zip(&program.ops) {
        commands.push_str(&shell::command(nr, op));
        commands.push('\n');
    }
    let told = comment(problem);
    format!(
        "#! /bin/bash\n\
         # SPDX-License-Identifier: GPL-2.0\n\
         #\n\
         # FS QA Test NNN\n\
         #\n\
         # After a power failure:\n\
         {told}\
         #\n\
         . ./common/preamble\n\
         _begin_fstest auto quick log\n\n\
         _cleanup()\n\
         {{\n\
         \t_cleanup_flakey\n\
         \tcd /\n\
         \trm -f $tmp.*\n\
         }}\n\n\
         . ./common/filter\n\
         . ./common/dmflakey\n\n\
         _require_scratch\n\
         _require_dm_target flakey\n\n\
         _scratch_mkfs >>$seqres.full 2>&1 || _fail \"mkfs failed\"\n\
         _require_metadata_journaling $SCRATCH_DEV\n\
         _init_flakey\n\
         _mount_flakey\n\
         cd $SCRATCH_MNT\n\n\
         {before}\n\
         {commands}\n\
         {released}cd /\n\
         _flakey_drop_and_remount\n\n\
         # What is there now goes into the output that is compared.\n\
         cd $SCRATCH_MNT\n\
         find . -path ./lost+found -prune -o -printf '%p %y %n\\n' | sort\n\
         find . -type f -exec md5sum {{}} + | sort -k 2\n\
         cd /\n\n\
         _unmount_flakey\n\n\
         status=0\n\
         exit\n",
        before = prepared(),
        released = if program.ops.iter().any(|op| matches!(op, Op::Open(_))) {
            "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-\n"
        } else {
            ""
        },
    )
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::execute::{execute, prepare};
    use crate::instances::{all_persistence, operations, Set};
    use crate::level::Level;
    use crate::namespace::Namespace;
    use crate::op::RenameHow;
    use crate::tree::Tree;
    use crate::walk::walk;

    /// Names and kinds.
    fn shape(tree: &Tree) -> Vec<String> {
        let mut shape: Vec<String> = tree
            .names
            .iter()
            .map(|name| {
                format!(
                    "{}/{} {}",
                    tree.path(name.dir),
                    name.name,
                    tree.files[&name.inode].kind
                )
            })
            .collect();
        shape.sort();
        shape
    }

    /// Operations on names that succeed, but for those that no tool does.
    fn programs() -> impl Iterator<Item = Program> {
        let namespace = Namespace::after(&before());
        let is_told = |op: &Op| {
            !matches!(op, Op::Tmpfile(_))
                && !matches!(op, Op::Rename { how, .. } if *how != RenameHow::Plain)
        };
        let ops = operations(Set::Names).into_iter();
        ops.filter(move |op| namespace.allows(op) && is_told(op))
            .map(|op| Program { ops: vec![op] })
    }

    #[test]
    fn a_script_does_what_the_program_does() {
        for program in programs() {
            let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            prepare(ours.path(), &before(), false).unwrap();
            let trace = execute(
                ours.path(),
                &program,
                Level::Posix,
                false,
                |_| Ok(()),
                || Ok(()),
            )
            .unwrap();
            // Of what xfs_io does no name depends.
            let script = script(&program)
                .replace("xfs_io ", ": ")
                .replace("\nsync\n", "\n:\n");
            let status = Command::new("sh")
                .args(["-e", "-c", &script])
                .env("POWERCUT_MNT", theirs.path())
                .env("POWERCUT_MARK", "/dev/null")
                .status();
            assert!(status.unwrap().success(), "{script}");
            let root = std::fs::File::open(theirs.path()).unwrap();
            let tree = walk(&root).unwrap();
            assert_eq!(shape(trace.moment(1)), shape(&tree), "{program}");
        }
    }

    #[test]
    fn c_compiles() {
        let has_liburing = std::path::Path::new("/usr/include/liburing.h").exists();
        let program = Program {
            ops: operations(Set::All)
                .into_iter()
                .chain(all_persistence())
                .filter(|op| has_liburing || !op.to_string().contains("io_uring"))
                .collect(),
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("program.c");
        std::fs::write(&path, c(&program)).unwrap();
        let status = Command::new("cc")
            .args(["-fsyntax-only", "-Wall", "-Werror"])
            .arg(&path)
            .status();
        assert!(status.unwrap().success());
    }

    #[test]
    fn each_operation_is_a_command() {
        for op in operations(Set::All) {
            let program = Program {
                ops: vec![op.clone()],
            };
            let command = shell::command(1, &op);
            assert!(!command.is_empty() && !command.contains('\n'), "{command}");
            assert!(xfstest(&program, "it is gone").contains(&command));
        }
    }
}
