//! Child processes that share a store.
//!
//! A child connects to a server of its parent, with a store that it shares with other children; or
//! it writes to the tier without end, so that the parent can stop it during a write.
//!
//! The child reads its [`Task`] from standard input, as one line of JSON, and writes one line of
//! JSON for each connection to standard output. Whether a session was resumed, and with which
//! ticket, is reported by the parent's server.

mod launcher;
mod process;
mod task;

pub use launcher::{Launcher, is_requested};
pub(crate) use process::ChildProcess;
pub(crate) use task::ConnectionReport;
pub use task::{Task, main};
