//! Processes that deliver mail: the pool that starts them, and the work of each.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tls_resume::Shareable;
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls_preview::RustlsPreview;

use super::arguments::{Backend, Job};
use super::delivery::{self, Delivery};

/// The mail to deliver.
const MAIL: &str = "Subject: resumption\r\n\r\nOne of many.";

/// Does the job of a worker process. Writes each delivery to `out` as a line of JSON.
pub fn deliver(job: &Job, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    match job.backend {
        Backend::Openssl => deliver_with::<OpenSsl>(job, out),
        Backend::RustlsPreview => deliver_with::<RustlsPreview>(job, out),
    }
}

fn deliver_with<B: Shareable>(job: &Job, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let connector = delivery::connector::<B>(job)?;
    for number in 0..job.messages {
        let to = &job.to[(job.first + number) % job.to.len()];
        let delivery = delivery::deliver(&connector, to, MAIL)?;
        writeln!(out, "{}", serde_json::to_string(&delivery)?)?;
    }
    // Dropping the connector writes its unused sessions to the store, for the processes after this
    // one.
    Ok(())
}

/// A pool of worker processes.
#[derive(Clone, Debug)]
pub struct Workers {
    program: PathBuf,
    concurrency: usize,
}

impl Workers {
    /// A pool that runs at most `concurrency` processes of `program` at a time.
    pub fn new(program: impl Into<PathBuf>, concurrency: usize) -> Self {
        Self {
            program: program.into(),
            concurrency,
        }
    }

    /// Starts a process.
    pub fn start(&self, job: &Job) -> io::Result<Worker> {
        let mut child = Command::new(&self.program)
            .args(job.arguments())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Worker {
            child,
            out: BufReader::new(out),
        })
    }

    /// Runs each job in a process; the deliveries of each process.
    pub fn run(&self, jobs: &[Job]) -> io::Result<Vec<Vec<Delivery>>> {
        let next = AtomicUsize::new(0);
        let run_jobs = || -> io::Result<Vec<Vec<Delivery>>> {
            let mut deliveries = Vec::new();
            while let Some(job) = jobs.get(next.fetch_add(1, Ordering::SeqCst)) {
                deliveries.push(self.start(job)?.finish()?);
            }
            Ok(deliveries)
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..self.concurrency)
                .map(|_| scope.spawn(run_jobs))
                .collect();
            let mut all = Vec::new();
            for thread in threads {
                let deliveries = thread
                    .join()
                    .map_err(|_| io::Error::other("a thread that runs processes panicked"))?;
                all.append(&mut deliveries?);
            }
            Ok(all)
        })
    }
}

/// A worker process. Dropping it kills the process.
#[derive(Debug)]
pub struct Worker {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Worker {
    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next delivery; `None` after the last one, also if the process was killed.
    pub fn next_delivery(&mut self) -> io::Result<Option<Delivery>> {
        let mut line = String::new();
        self.out.read_line(&mut line)?;
        if !line.ends_with('\n') {
            return Ok(None);
        }
        Ok(Some(serde_json::from_str(&line)?))
    }

    /// Waits for the process, which must succeed; its remaining deliveries.
    pub fn finish(mut self) -> io::Result<Vec<Delivery>> {
        let deliveries = self.rest()?;
        let status = self.child.wait()?;
        if status.success() {
            Ok(deliveries)
        } else {
            Err(io::Error::other(format!(
                "a process that delivers failed: {status}"
            )))
        }
    }

    /// Kills the process; its remaining deliveries.
    pub fn kill(mut self) -> io::Result<Vec<Delivery>> {
        self.child.kill()?;
        self.child.wait()?;
        self.rest()
    }

    fn rest(&mut self) -> io::Result<Vec<Delivery>> {
        let mut deliveries = Vec::new();
        while let Some(delivery) = self.next_delivery()? {
            deliveries.push(delivery);
        }
        Ok(deliveries)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
