//! Runs the program as a child process.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

/// The exit code and output of the program.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Asserts that standard error is one line that contains `text`, and returns it.
    pub(crate) fn one_line(&self, text: &str) -> &str {
        let lines: Vec<_> = self.err.lines().collect();
        assert_eq!(lines.len(), 1, "{}", self.err);
        assert!(lines[0].starts_with("compare: "), "{}", self.err);
        assert!(lines[0].contains(text), "{text:?} is not in {}", self.err);
        lines[0]
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("the program exits by itself"),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

/// Runs `compare` with these arguments.
pub(crate) fn compare(args: &[impl AsRef<OsStr>]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_compare"))
        .args(args)
        .output();
    output.expect("the program starts").into()
}

/// Writes a file. `name` is used by one test only.
pub(crate) fn file(name: &str, contents: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, contents).expect("the directory for tests is writable");
    path
}

/// Creates an empty directory. `name` is used by one test only.
pub(crate) fn directory(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path); // it need not exist
    fs::create_dir_all(&path).expect("the directory for tests is writable");
    path
}
