//! The processes that work at the same time, seen from the one that starts them.

use std::fmt::Display;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::worker::{NAME, READY};
use crate::interrupt;
use crate::sample::Sample;

/// How long it may take until Ctrl-C is noticed.
const LOOK_UP: Duration = Duration::from_millis(100);

/// Processes that wait to be told to begin.
pub(super) struct Crew(Vec<Worker>);

struct Worker {
    process: Child,
    orders: ChildStdin,
    /// Its lines. The thread that reads them ends with it.
    answers: Receiver<io::Result<String>>,
}

impl Crew {
    /// Starts so many, on one place.
    pub(super) fn start(
        program: &Path,
        processes: usize,
        place: &str,
        rounds: usize,
    ) -> Result<Self, String> {
        let workers = (0..processes).map(|_| Worker::start(program, place, rounds));
        workers.collect::<Result<_, _>>().map(Self)
    }

    /// Has all of them make the next kind of call, beginning together; what each call took.
    pub(super) fn work(&mut self) -> Result<Sample, String> {
        for worker in &mut self.0 {
            let answer = worker.answer()?;
            if answer != READY {
                return Err(format!("a process is not ready: {answer}"));
            }
        }
        for worker in &mut self.0 {
            if let Err(error) = writeln!(worker.orders, "begin") {
                return Err(worker.last_words(error));
            }
        }
        let mut sample = Sample::default();
        for worker in &mut self.0 {
            let answer = worker.answer()?;
            let nanos: Vec<u64> = serde_json::from_str(&answer).map_err(|error| {
                format!("a process answers what cannot be read ({error}): {answer}")
            })?;
            for nanos in nanos {
                sample.push(Duration::from_nanos(nanos));
            }
        }
        Ok(sample)
    }

    /// Waits until they have ended.
    pub(super) fn end(mut self) -> Result<(), String> {
        for worker in &mut self.0 {
            match worker.process.wait() {
                Ok(status) if status.success() => {}
                Ok(status) => return Err(worker.last_words(status)),
                Err(error) => return Err(worker.last_words(error)),
            }
        }
        Ok(())
    }
}

impl Worker {
    fn start(program: &Path, place: &str, rounds: usize) -> Result<Self, String> {
        let started = Command::new(program)
            .args([NAME, place, &rounds.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut process = started.map_err(|error| format!("a process does not start: {error}"))?;
        let (Some(orders), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("a process has no pipes".to_owned());
        };
        let (send, lines) = mpsc::channel();
        let reads = move || {
            let lines = BufReader::new(answers).lines();
            lines.into_iter().try_for_each(|line| send.send(line).ok())
        };
        let reader = thread::Builder::new().spawn(reads);
        let mut worker = Self {
            process,
            orders,
            answers: lines,
        };
        match reader {
            Ok(_) => Ok(worker),
            Err(error) => Err(worker.last_words(error)),
        }
    }

    /// Its next line.
    fn answer(&mut self) -> Result<String, String> {
        loop {
            interrupt::check();
            match self.answers.recv_timeout(LOOK_UP) {
                Ok(Ok(line)) => return Ok(line),
                Ok(Err(error)) => return Err(self.last_words(error)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(self.last_words("it ended")),
            }
        }
    }

    /// Why it came to its end, by its own word if it said one.
    fn last_words(&mut self, seen: impl Display) -> String {
        let _ = self.process.kill(); // or its standard error has no end
        let mut said = String::new();
        if let Some(mut stderr) = self.process.stderr.take() {
            let _ = stderr.read_to_string(&mut said);
        }
        let last = said
            .lines()
            .last()
            .map(|line| line.trim_start_matches("compare: "));
        last.map_or_else(|| format!("a process failed: {seen}"), str::to_owned)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // One that has ended needs neither.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
