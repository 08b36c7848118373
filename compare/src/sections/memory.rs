//! What a session takes in memory, with the chain that came with it.
//!
//! Each row is a process of its own, this program again ([`worker`]). It makes full handshakes with
//! many servers over memory, each server with a certificate of its own and three certificates to
//! send, as large as those of public authorities, and weighs what is in use afterwards: of the whole
//! process, by the C library, which all of rustls, aws-lc, OpenSSL and the store allocate from. Then
//! it uses every session in a resumed handshake, which gives another in its place, and weighs again.
//! Client and server both have to say that each handshake was full, or resumed; and when the store is
//! dropped, as much has to be free as before.
//!
//! Every store has limits that hold all of it, and what an empty store of that size takes counts. Two
//! kinds of population: few servers with four sessions each, each from a full handshake of its own,
//! so that the chain arrives four times; and many servers with two sessions each from one handshake.
//! A run of this section alone has 100,000 of them, one of all sections fewer, for the time it takes.

mod client;
mod crowd;
mod heap;
mod openssl;
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

pub use self::client::Holder;
use super::Section;
use crate::interrupt;
use crate::progress::Progress;
use crate::run::Run;
use report::{MemoryRow, Report};

/// Processes at a time: nothing here is timed.
const AT_A_TIME: usize = 2;
/// How long it may take until a process that has ended, or Ctrl-C, is noticed.
const LOOK_UP: Duration = Duration::from_millis(20);

/// Servers and what they give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Population {
    /// The version of TLS.
    pub protocol: Protocol,
    /// How many servers.
    pub servers: usize,
    /// Full handshakes with each.
    pub handshakes: usize,
    /// Tickets from each of them.
    pub tickets: usize,
}

impl Population {
    fn of(self, servers: usize) -> Self {
        Self { servers, ..self }
    }

    /// Sessions of one server. Of TLS 1.2 there is one, whatever it gives.
    pub fn sessions_per_server(&self) -> usize {
        match self.protocol {
            Protocol::Tls12 => 1,
            Protocol::Tls13 => self.handshakes * self.tickets,
        }
    }

    /// Sessions of all.
    pub fn sessions(&self) -> usize {
        self.servers * self.sessions_per_server()
    }
}

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Populations, each for every store.
    pub populations: Vec<Population>,
    /// The program `compare`.
    pub program: PathBuf,
}

impl Plan {
    /// Ends within seconds.
    pub fn quick(program: PathBuf) -> Self {
        Self::new([250, 80, 80], program)
    }

    /// Ends within some minutes.
    pub fn full(program: PathBuf) -> Self {
        Self::new([20_000, 1_000, 1_000], program)
    }

    /// The same with a large population, which takes a quarter of an hour.
    pub fn large(program: PathBuf) -> Self {
        Self::new([100_000, 1_000, 1_000], program)
    }

    /// Numbers of servers with two sessions of one handshake, with four of four, with one of TLS 1.2.
    fn new([two, four, one]: [usize; 3], program: PathBuf) -> Self {
        let of = |protocol, servers, handshakes, tickets| Population {
            protocol,
            servers,
            handshakes,
            tickets,
        };
        let populations = vec![
            of(Protocol::Tls13, two, 1, 2),
            of(Protocol::Tls13, four, 4, 1),
            of(Protocol::Tls12, one, 1, 1),
        ];
        Self {
            populations,
            program,
        }
    }

    /// How often [`measure`] reports progress.
    pub fn steps(&self) -> usize {
        self.populations.len() * Holder::ALL.len()
    }
}

/// Measures all stores, and puts the rows into the report.
pub(crate) fn run(run: &Run, report: &mut Report, progress: &mut Progress) -> Vec<String> {
    let measured = match env::current_exe() {
        Ok(program) => {
            let plan = match (run.quick, run.only.as_slice()) {
                (true, _) => Plan::quick(program),
                (false, [Section::Memory]) => Plan::large(program),
                (false, _) => Plan::full(program),
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

/// What was measured, and what was not.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// A row for each population and store.
    pub rows: Vec<MemoryRow>,
    /// What went wrong, a line each.
    pub failed: Vec<String>,
}

/// Measures every store with every population. `progress` is called [`Plan::steps`] times.
pub fn measure(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Measured {
    let work = plan
        .populations
        .iter()
        .flat_map(|population| Holder::ALL.map(|holder| (holder, *population)));
    let work: VecDeque<_> = work.enumerate().collect();
    let work = Mutex::new(work);
    let (send, receive) = mpsc::channel();
    let mut done = Vec::new();
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            let (send, work) = (send.clone(), &work);
            scope.spawn(move || {
                let next = || {
                    work.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .pop_front()
                };
                while !interrupt::is_asked()
                    && let Some((number, (holder, population))) = next()
                {
                    let row = row(&plan.program, holder, population);
                    if send.send((number, holder, row)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        loop {
            interrupt::check();
            match receive.recv_timeout(LOOK_UP) {
                Ok((number, holder, row)) => {
                    progress(holder.as_str());
                    done.push((number, holder, row));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    });
    done.sort_by_key(|(number, ..)| *number);
    let mut measured = Measured::default();
    for (_, holder, row) in done {
        match row {
            Ok(row) => measured.rows.push(row),
            Err(why) => measured
                .failed
                .push(format!("memory: {}: {why}", holder.as_str())),
        }
    }
    compare_with_reference(&mut measured.rows);
    measured
}

/// Has a process of its own fill a store and weigh it.
fn row(program: &Path, holder: Holder, population: Population) -> Result<MemoryRow, String> {
    let Population {
        protocol,
        servers,
        handshakes,
        tickets,
    } = population;
    let numbers = [servers, handshakes, tickets].map(|number| number.to_string());
    let mut process = Command::new(program)
        .args([worker::NAME, holder.as_str(), protocol.as_str()])
        .args(numbers)
        .env(heap::EXACT.0, heap::EXACT.1)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("a process does not start: {error}"))?;
    // What it says is a line, which waits in the pipe.
    while let Ok(None) = process.try_wait() {
        if interrupt::is_asked() {
            let _ = process.kill(); // it may have ended meanwhile
        }
        thread::sleep(LOOK_UP);
    }
    let output = process
        .wait_with_output()
        .map_err(|error| format!("a process is lost: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().last().unwrap_or("a process failed");
        return Err(last.trim_start_matches("compare: ").to_owned());
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("a process answers what cannot be read: {error}"))
}

/// Fills the column that puts a row next to rustls's own cache with the same sessions.
fn compare_with_reference(rows: &mut [MemoryRow]) {
    let of = |row: &MemoryRow| (row.protocol.clone(), row.servers, row.sessions);
    let references: Vec<_> = rows
        .iter()
        .filter(|row| row.store == Holder::RustlsMemory.store())
        .map(|row| (of(row), row.bytes_per_session))
        .collect();
    for row in rows {
        let same = references.iter().find(|(which, _)| *which == of(row));
        row.ratio_to_rustls_memory =
            same.map(|(_, bytes)| (row.bytes_per_session / bytes * 1_000.0).round() / 1_000.0);
    }
}
