//! The program as a child process.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Output};

/// What a run of the program came to.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Asserts that standard error is one line which says `what`, and gives it.
    pub(crate) fn one_line(&self, what: &str) -> &str {
        let lines: Vec<_> = self.err.lines().collect();
        assert_eq!(lines.len(), 1, "{}", self.err);
        assert!(lines[0].starts_with("compare: "), "{}", self.err);
        assert!(lines[0].contains(what), "{what:?} is not in {}", self.err);
        lines[0]
    }
}

/// Runs `compare` with these arguments.
pub(crate) fn compare(args: &[impl AsRef<OsStr>]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_compare"))
        .args(args)
        .output()
        .expect("the program starts");
    ran(output)
}

/// What a run that has ended came to.
pub(crate) fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().expect("the program ends by itself"),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}

/// Writes a file that one test has for itself.
pub(crate) fn file(name: &str, contents: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, contents).expect("the directory for tests is writable");
    path
}
