//! A child process, seen from its parent.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

use super::LONGEST;
use crate::child::{Launcher, Line, Task, Told};
use crate::stage::said;

/// A child at work. Dropping it kills it.
pub(crate) struct Offspring {
    process: Child,
    lines: Receiver<String>,
}

impl Offspring {
    pub(super) fn start(launcher: &Launcher, task: &Task) -> Result<Self, String> {
        let program = &launcher.program;
        let mut process = Command::new(program)
            .args(&launcher.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{} does not start: {error}", program.display()))?;
        let (to, lines) = channel();
        if let Some(out) = process.stdout.take() {
            thread::spawn(move || {
                let lines = BufReader::new(out).lines().map_while(Result::ok);
                lines.map_while(|line| to.send(line).ok()).for_each(drop);
            });
        }
        let stdin = process.stdin.take();
        let child = Self { process, lines };
        let task = serde_json::to_string(task).map_err(said)? + "\n";
        if let Some(mut stdin) = stdin {
            stdin.write_all(task.as_bytes()).map_err(said)?;
        }
        Ok(child)
    }

    /// Waits until it ends by itself, and gives what it told of each connection; the first that
    /// failed is an error.
    pub(crate) fn finish(mut self) -> Result<Vec<Told>, String> {
        let mut told = Vec::new();
        loop {
            match self.lines.recv_timeout(LONGEST) {
                Ok(line) => told.extend(read(&line)?),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!("a child hangs after {} connections", told.len()));
                }
            }
        }
        let status = self.process.wait().map_err(said)?;
        if status.success() {
            return Ok(told);
        }
        Err(format!("a child ended with {status}"))
    }

    /// Stops it (`SIGSTOP`), or lets it go on.
    pub(crate) fn set_stopped(&self, stopped: bool) -> Result<(), String> {
        let signal = if stopped { "-STOP" } else { "-CONT" };
        let id = self.process.id().to_string();
        // The shell's own, which is everywhere; this crate has no unsafe code.
        let script = ["-c", "kill \"$0\" \"$1\"", signal, &id];
        let status = Command::new("sh").args(script).status().map_err(said)?;
        if status.success() {
            return Ok(());
        }
        Err(format!("kill {signal} {id} ended with {status}"))
    }

    /// Kills it, as the system kills what uses too much memory.
    pub(crate) fn kill(mut self) -> Result<(), String> {
        self.process.kill().map_err(said)?;
        self.process.wait().map_err(said)?;
        Ok(())
    }
}

impl Drop for Offspring {
    fn drop(&mut self) {
        // One that has ended already is as good as killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a line tells, if it is one of the child's: a program that runs tests says more.
fn read(line: &str) -> Result<Option<Told>, String> {
    let Some(start) = line.find('{') else {
        return Ok(None);
    };
    let line: Line = serde_json::from_str(&line[start..]).map_err(said)?;
    line.map(Some)
        .map_err(|why| format!("a child's connection failed: {why}"))
}
