//! The memory that a session takes, with the certificate chain that came with it.
//!
//! Each row is measured by a child process, this program again ([`worker`]). It makes full
//! handshakes over memory with many servers. Each server has a certificate of its own and sends
//! three certificates as large as those of public authorities. The bytes in use are those of the
//! whole process, as the C library counts them: rustls, aws-lc, OpenSSL and the store all allocate
//! from it. Then every session is used in a resumed handshake, which stores another in its place,
//! and the bytes are counted again. Client and server must agree that each handshake was full, or
//! resumed. When the store is dropped, as much must be free as before.
//!
//! Every store has limits that hold all sessions, and the bytes of an empty store of that size are
//! included. There are two kinds of population: few servers with four sessions each, each from a
//! full handshake of its own, so that the chain arrives four times; and many servers with two
//! sessions each from one handshake. A full run of this section alone has 100,000 of the latter,
//! other runs have fewer, to take less time.

mod client;
mod heap;
mod openssl;
mod population;
mod rustls;
mod servers;
mod subject;
mod transport;
pub mod worker;

use std::collections::VecDeque;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use lab::server::Protocol;
use report::{MemoryRow, Report, Section};

pub use self::population::Population;
pub use self::subject::Subject;
use super::options::Options;
use crate::interrupt;
use crate::progress::Progress;

/// Child processes at a time: nothing here is timed.
const MAX_PROCESSES: usize = 2;
/// The longest delay until the end of a child, or Ctrl-C, is noticed.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Populations; every store is filled from each.
    pub populations: Vec<Population>,
    /// The program `compare`.
    pub program: PathBuf,
}

impl Plan {
    /// Takes a few seconds.
    pub fn short(program: PathBuf) -> Self {
        Self::new([250, 80, 80], program)
    }

    /// Takes two minutes.
    pub fn full(program: PathBuf) -> Self {
        Self::new([20_000, 1_000, 1_000], program)
    }

    /// [`full`](Self::full) with a population of 100,000 servers. Takes a quarter of an hour.
    pub fn large(program: PathBuf) -> Self {
        Self::new([100_000, 1_000, 1_000], program)
    }

    /// Takes the numbers of servers with two tickets from one handshake, with one ticket from each of
    /// four handshakes, and with one TLS 1.2 session.
    fn new([two, four, one]: [usize; 3], program: PathBuf) -> Self {
        let population = |protocol, servers, handshakes, tickets| Population {
            protocol,
            servers,
            handshakes,
            tickets,
        };
        let populations = vec![
            population(Protocol::Tls13, two, 1, 2),
            population(Protocol::Tls13, four, 4, 1),
            population(Protocol::Tls12, one, 1, 1),
        ];
        Self {
            populations,
            program,
        }
    }

    /// How often [`measure`] reports progress.
    pub fn steps(&self) -> usize {
        self.populations.len() * Subject::ALL.len()
    }
}

/// Measures all stores and adds the rows to the report.
pub(crate) fn run(options: &Options, report: &mut Report, progress: &mut Progress) -> Vec<String> {
    let measured = match env::current_exe() {
        Ok(program) => {
            let plan = match (options.full, options.large_memory) {
                (false, _) => Plan::short(program),
                (true, false) => Plan::full(program),
                (true, true) => Plan::large(program),
            };
            progress.expect(plan.steps());
            measure(&plan, &mut |what| progress.step(what))
        }
        Err(error) => Measured {
            failed: vec![format!(
                "memory: cannot find this program to start it again: {error}"
            )],
            ..Measured::default()
        },
    };
    if measured.rows.is_empty() {
        let reason = measured.failed.first().cloned().unwrap_or_default();
        report
            .skipped
            .insert(Section::Memory.as_str().to_owned(), reason);
    }
    report.memory.clone_from(&measured.rows);
    measured.failed
}

/// Rows and failures.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// A row for each population and store.
    pub rows: Vec<MemoryRow>,
    /// What failed, a line each.
    pub failed: Vec<String>,
}

/// Measures every store with every population. `progress` is called [`Plan::steps`] times.
pub fn measure(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Measured {
    let work = plan
        .populations
        .iter()
        .flat_map(|population| Subject::ALL.map(|subject| (subject, *population)));
    let work: VecDeque<_> = work.enumerate().collect();
    let work = Mutex::new(work);
    let (send, receive) = mpsc::channel();
    let mut done = Vec::new();
    thread::scope(|scope| {
        for _ in 0..MAX_PROCESSES {
            let (send, work) = (send.clone(), &work);
            scope.spawn(move || {
                let next = || {
                    work.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .pop_front()
                };
                while !interrupt::is_requested()
                    && let Some((number, (subject, population))) = next()
                {
                    let row = run_child(&plan.program, subject, population);
                    if send.send((number, subject, row)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        loop {
            interrupt::check();
            match receive.recv_timeout(POLL_INTERVAL) {
                Ok((number, subject, row)) => {
                    progress(subject.as_str());
                    done.push((number, subject, row));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    });
    done.sort_by_key(|(number, ..)| *number);
    let mut measured = Measured::default();
    for (_, subject, row) in done {
        match row {
            Ok(row) => measured.rows.push(row),
            Err(why) => measured
                .failed
                .push(format!("memory: {}: {why}", subject.as_str())),
        }
    }
    add_ratios(&mut measured.rows);
    measured
}

/// Starts a child process that fills a store and weighs it. Returns its row.
fn run_child(
    program: &Path,
    subject: Subject,
    population: Population,
) -> Result<MemoryRow, String> {
    let Population {
        protocol,
        servers,
        handshakes,
        tickets,
    } = population;
    let numbers = [servers, handshakes, tickets].map(|number| number.to_string());
    let mut process = Command::new(program)
        .args([worker::NAME, subject.as_str(), protocol.as_str()])
        .args(numbers)
        .env(heap::EXACT_COUNT.0, heap::EXACT_COUNT.1)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start a child process: {error}"))?;
    // Its output is one line, which fits the pipe.
    while let Ok(None) = process.try_wait() {
        if interrupt::is_requested() {
            let _ = process.kill(); // it may have ended meanwhile
        }
        thread::sleep(POLL_INTERVAL);
    }
    let output = process
        .wait_with_output()
        .map_err(|error| format!("cannot wait for a child process: {error}"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let last = stderr.lines().last().unwrap_or("a child process failed");
        return Err(last.trim_start_matches("compare: ").to_owned());
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("cannot read a child process's output: {error}"))
}

/// Fills in each row's ratio to rustls's own cache with the same population.
fn add_ratios(rows: &mut [MemoryRow]) {
    let population = |row: &MemoryRow| (row.protocol.clone(), row.servers, row.sessions);
    let references: Vec<_> = rows
        .iter()
        .filter(|row| row.store == Subject::RustlsMemory.store())
        .map(|row| (population(row), row.bytes_per_session))
        .collect();
    for row in rows {
        let reference = references.iter().find(|(of, _)| *of == population(row));
        row.ratio_to_rustls_memory =
            reference.map(|(_, bytes)| (row.bytes_per_session / bytes * 1_000.0).round() / 1_000.0);
    }
}
