//! Processes that deliver: how they are started, and what each does.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tls_resume::Shareable;
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls_preview::RustlsPreview;

use super::arguments::{Backend, Orders};
use super::delivery::{self, Delivery};

/// The mail: that one could be anything.
const MAIL: &str = "Subject: resumption\r\n\r\nOne of many.";

/// Follows orders: what a process does. It tells of each delivery on `out`.
pub fn deliver(orders: &Orders, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    match orders.backend {
        Backend::Openssl => deliver_with::<OpenSsl>(orders, out),
        Backend::RustlsPreview => deliver_with::<RustlsPreview>(orders, out),
    }
}

fn deliver_with<B: Shareable>(orders: &Orders, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let connector = delivery::connector::<B>(orders)?;
    for number in 0..orders.messages {
        let to = &orders.to[(orders.first + number) % orders.to.len()];
        let delivered = delivery::deliver(&connector, to, MAIL)?;
        writeln!(out, "{}", serde_json::to_string(&delivered)?)?;
    }
    // The connector goes now, and leaves what it has in memory to the processes after this one.
    Ok(())
}

/// Those who deliver: processes of `mta`, some at a time.
#[derive(Clone, Debug)]
pub struct Crew {
    mta: PathBuf,
    at_a_time: usize,
}

impl Crew {
    /// A crew of processes of this program.
    pub fn of(mta: impl Into<PathBuf>, at_a_time: usize) -> Self {
        let mta = mta.into();
        Self { mta, at_a_time }
    }

    /// Starts one process.
    pub fn start(&self, orders: &Orders) -> io::Result<Process> {
        let mut child = Command::new(&self.mta)
            .args(orders.arguments())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Process {
            child,
            out: BufReader::new(out),
        })
    }

    /// Has all orders followed, each by a process, and returns what each process told.
    pub fn deliver(&self, all: &[Orders]) -> io::Result<Vec<Vec<Delivery>>> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut told = Vec::new();
            while let Some(orders) = all.get(next.fetch_add(1, Ordering::SeqCst)) {
                told.push(self.start(orders)?.finish()?);
            }
            Ok(told)
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..self.at_a_time).map(|_| scope.spawn(work)).collect();
            let mut told = Vec::new();
            for worker in workers {
                let by_one: io::Result<_> = worker
                    .join()
                    .map_err(|_| io::Error::other("a thread that waits for processes panicked"))?;
                told.append(&mut by_one?);
            }
            Ok(told)
        })
    }
}

/// A process that delivers. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
}

impl Process {
    /// Its number, for signals.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it tells next; nothing when it has ended, or was killed.
    pub fn hear(&mut self) -> io::Result<Option<Delivery>> {
        let mut line = String::new();
        self.out.read_line(&mut line)?;
        if !line.ends_with('\n') {
            return Ok(None);
        }
        Ok(Some(serde_json::from_str(&line)?))
    }

    /// Waits for its end, which must be a good one, and returns what it told.
    pub fn finish(mut self) -> io::Result<Vec<Delivery>> {
        let mut told = Vec::new();
        while let Some(delivery) = self.hear()? {
            told.push(delivery);
        }
        let status = self.child.wait()?;
        if status.success() {
            Ok(told)
        } else {
            Err(io::Error::other(format!(
                "a process that delivers failed: {status}"
            )))
        }
    }

    /// Kills it, and returns what it had told until then.
    pub fn kill(mut self) -> io::Result<Vec<Delivery>> {
        self.child.kill()?;
        self.child.wait()?;
        let mut told = Vec::new();
        while let Some(delivery) = self.hear()? {
            told.push(delivery);
        }
        Ok(told)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
