//! Worker processes, this program again, which work at the same time; and the lines by which they and
//! their parent process tell each other when.

use std::fmt::Display;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::interrupt;

/// The line that a worker prints when it is ready for the next step.
const READY: &str = "ready";

/// The longest delay until Ctrl-C is noticed.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Processes that start each step together.
pub(super) struct Workers(Vec<Worker>);

struct Worker {
    process: Child,
    stdin: ChildStdin,
    /// Lines of its standard output. The thread that reads them ends with the process.
    lines: Receiver<io::Result<String>>,
}

impl Workers {
    /// Starts a worker for each of these argument lists.
    pub(super) fn start(
        program: &Path,
        arguments: impl IntoIterator<Item = Vec<String>>,
    ) -> Result<Self, String> {
        let workers = arguments.into_iter();
        let workers = workers.map(|arguments| Worker::start(program, &arguments));
        workers.collect::<Result<_, _>>().map(Self)
    }

    /// Waits until all workers are ready, lets them take their next step at the same time, and returns
    /// what each reports.
    pub(super) fn run_next<T: DeserializeOwned>(&mut self) -> Result<Vec<T>, String> {
        self.begin_next()?;
        self.end_next()
    }

    /// Waits until all workers are ready, and lets them begin their next step.
    pub(super) fn begin_next(&mut self) -> Result<(), String> {
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
        Ok(())
    }

    /// Waits until all workers have done the step that has begun, and returns what each reports.
    pub(super) fn end_next<T: DeserializeOwned>(&mut self) -> Result<Vec<T>, String> {
        let reports = self.0.iter_mut().map(|worker| {
            let line = worker.next_line()?;
            serde_json::from_str(&line)
                .map_err(|error| format!("cannot read a worker process's output ({error}): {line}"))
        });
        reports.collect()
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
    fn start(program: &Path, arguments: &[String]) -> Result<Self, String> {
        let started = Command::new(program)
            .args(arguments)
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

/// In a worker: says that it is ready, and waits until the parent process lets it take its next step.
pub(super) fn wait_for_parent(out: &mut impl Write) -> Result<(), Error> {
    writeln!(out, "{READY}")?;
    out.flush()?;
    if io::stdin().lock().read_line(&mut String::new())? == 0 {
        return Err(Error::Setup("standard input was closed".to_owned()));
    }
    Ok(())
}

/// In a worker: reports the step to the parent process.
pub(super) fn report(out: &mut impl Write, step: &impl Serialize) -> Result<(), Error> {
    serde_json::to_writer(&mut *out, step).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(out.flush()?)
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both fail if the process has exited and was waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
