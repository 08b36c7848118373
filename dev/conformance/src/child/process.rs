//! A child process, in its parent.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::launcher::Launcher;
use super::task::{ConnectionReport, Report, Task};
use crate::check::message;

/// How long a child may take for a connection.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A running child. Dropping it kills it.
pub(crate) struct ChildProcess {
    process: Child,
    lines: Receiver<String>,
}

impl ChildProcess {
    pub(crate) fn start(launcher: &Launcher, task: &Task) -> Result<Self, String> {
        let program = &launcher.program;
        let mut process = Command::new(program)
            .args(&launcher.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{} does not start: {error}", program.display()))?;
        let (sender, lines) = channel();
        if let Some(stdout) = process.stdout.take() {
            thread::spawn(move || {
                let lines = BufReader::new(stdout).lines().map_while(Result::ok);
                lines
                    .map_while(|line| sender.send(line).ok())
                    .for_each(drop);
            });
        }
        let stdin = process.stdin.take();
        let child = Self { process, lines };
        let task = serde_json::to_string(task).map_err(message)? + "\n";
        if let Some(mut stdin) = stdin {
            stdin.write_all(task.as_bytes()).map_err(message)?;
        }
        Ok(child)
    }

    /// Waits until the child has ended, and returns its reports. A failed connection is an error.
    pub(crate) fn finish(mut self) -> Result<Vec<ConnectionReport>, String> {
        let mut reports = Vec::new();
        loop {
            match self.lines.recv_timeout(TIMEOUT) {
                Ok(line) => reports.extend(parse(&line)?),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("a child hangs after {} connections", reports.len()));
                }
            }
        }
        let status = self.process.wait().map_err(message)?;
        if status.success() {
            return Ok(reports);
        }
        Err(format!("a child ended with {status}"))
    }

    /// Stops the child (`SIGSTOP`), or continues it.
    pub(crate) fn set_stopped(&self, stopped: bool) -> Result<(), String> {
        let signal = if stopped { "-STOP" } else { "-CONT" };
        let id = self.process.id().to_string();
        // By the shell, since this crate has no unsafe code.
        let script = ["-c", "kill \"$0\" \"$1\"", signal, &id];
        let status = Command::new("sh").args(script).status().map_err(message)?;
        if status.success() {
            return Ok(());
        }
        Err(format!("kill {signal} {id} ended with {status}"))
    }

    /// Kills the child by `SIGKILL`.
    pub(crate) fn kill(mut self) -> Result<(), String> {
        self.process.kill().map_err(message)?;
        self.process.wait().map_err(message)?;
        Ok(())
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        // Fails if the child has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Parses a line of output. `None` if it is not the child's: a test program prints other lines.
fn parse(line: &str) -> Result<Option<ConnectionReport>, String> {
    let Some(start) = line.find('{') else {
        return Ok(None);
    };
    let report: Report = serde_json::from_str(&line[start..]).map_err(message)?;
    report
        .map(Some)
        .map_err(|error| format!("a child's connection failed: {error}"))
}
