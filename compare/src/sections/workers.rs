//! The worker processes, as the parent process sees them.

use std::fmt::Display;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::worker::{NAME, READY};
use crate::durations::Durations;
use crate::interrupt;

/// The longest delay until Ctrl-C is noticed.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Processes that start each operation together.
pub(super) struct Workers(Vec<Worker>);

struct Worker {
    process: Child,
    stdin: ChildStdin,
    /// Lines of its standard output. The thread that reads them ends with the process.
    lines: Receiver<io::Result<String>>,
}

impl Workers {
    /// Starts `processes` workers on one tier.
    pub(super) fn start(
        program: &Path,
        processes: usize,
        url: &str,
        rounds: usize,
    ) -> Result<Self, String> {
        let workers = (0..processes).map(|_| Worker::start(program, url, rounds));
        workers.collect::<Result<_, _>>().map(Self)
    }

    /// Lets all workers run their next operation at the same time. Returns the time of each call.
    pub(super) fn run_next(&mut self) -> Result<Durations, String> {
        for worker in &mut self.0 {
            let line = worker.next_line()?;
            if line != READY {
                return Err(format!("a worker process is not ready: {line}"));
            }
        }
        for worker in &mut self.0 {
            if let Err(error) = writeln!(worker.stdin, "begin") {
                return Err(worker.error_message(error));
            }
        }
        let mut times = Durations::default();
        for worker in &mut self.0 {
            let line = worker.next_line()?;
            let nanos: Vec<u64> = serde_json::from_str(&line).map_err(|error| {
                format!("cannot read a worker process's output ({error}): {line}")
            })?;
            for nanos in nanos {
                times.push(Duration::from_nanos(nanos));
            }
        }
        Ok(times)
    }

    /// Waits until all workers have exited.
    pub(super) fn finish(mut self) -> Result<(), String> {
        for worker in &mut self.0 {
            match worker.process.wait() {
                Ok(status) if status.success() => {}
                Ok(status) => return Err(worker.error_message(status)),
                Err(error) => return Err(worker.error_message(error)),
            }
        }
        Ok(())
    }
}

impl Worker {
    fn start(program: &Path, url: &str, rounds: usize) -> Result<Self, String> {
        let started = Command::new(program)
            .args([NAME, url, &rounds.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut process =
            started.map_err(|error| format!("cannot start a worker process: {error}"))?;
        let (Some(stdin), Some(stdout)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("a worker process has no pipes".to_owned());
        };
        let (send, lines) = mpsc::channel();
        let read = move || {
            let lines = BufReader::new(stdout).lines();
            lines.into_iter().try_for_each(|line| send.send(line).ok())
        };
        let reader = thread::Builder::new().spawn(read);
        let mut worker = Self {
            process,
            stdin,
            lines,
        };
        match reader {
            Ok(_) => Ok(worker),
            Err(error) => Err(worker.error_message(error)),
        }
    }

    fn next_line(&mut self) -> Result<String, String> {
        loop {
            interrupt::check();
            match self.lines.recv_timeout(POLL_INTERVAL) {
                Ok(Ok(line)) => return Ok(line),
                Ok(Err(error)) => return Err(self.error_message(error)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(self.error_message("it exited")),
            }
        }
    }

    /// The last line of its standard error, else `symptom`. Kills the process.
    fn error_message(&mut self, symptom: impl Display) -> String {
        let _ = self.process.kill(); // or its standard error would not end
        let mut stderr = String::new();
        if let Some(mut pipe) = self.process.stderr.take() {
            let _ = pipe.read_to_string(&mut stderr);
        }
        let last = stderr
            .lines()
            .last()
            .map(|line| line.trim_start_matches("compare: "));
        last.map_or_else(
            || format!("a worker process failed: {symptom}"),
            str::to_owned,
        )
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both fail if the process has exited and was waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
