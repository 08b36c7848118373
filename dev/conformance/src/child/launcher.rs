//! How child processes are started.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// The first argument of a program that [`Launcher::this_program`] starts.
const CHILD_ARGUMENT: &str = "__conformance-child";

/// Starts child processes: a program with the arguments that make it call [`main`](super::main), or
/// [`Task::run`](super::Task::run) for another client.
#[derive(Clone, Debug)]
pub struct Launcher {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
}

impl Launcher {
    /// Starts this program.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
        }
    }

    /// Starts the running program, which has to call [`main`](super::main) if a child
    /// [`is_requested`].
    pub fn this_program() -> Self {
        // If the path is unknown, starting the child fails, and so does the claim.
        let program = env::current_exe().unwrap_or_else(|_| "this program".into());
        Self::new(program).argument(CHILD_ARGUMENT)
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }
}

/// Whether this process was started as a child, by [`Launcher::this_program`].
pub fn is_requested() -> bool {
    env::args_os()
        .nth(1)
        .is_some_and(|first| first == CHILD_ARGUMENT)
}
