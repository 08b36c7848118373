//! `compare watch`: the metrics of a running program on the terminal, drawn again each second.

mod address;
mod history;
mod scrape;
mod view;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;
use std::{fmt, thread};

use clap::Args;
use tls_resume::rustls::Connector;

pub use self::address::Address;
use self::history::History;
use self::scrape::Scrape;
use crate::error::{Error, Outcome};

/// The time between two frames.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Puts the cursor at the top left.
const TOP: &[u8] = b"\x1b[H";
/// Clears the rest of a line, and of the screen.
const END_OF_LINE: &str = "\x1b[K\n";
const REST: &[u8] = b"\x1b[J";

/// Arguments of `compare watch`.
#[derive(Clone, Debug, Args)]
pub struct Options {
    /// Where the program's metrics are read
    #[arg(value_name = "URL")]
    #[arg(help = "Where the program's metrics are read, such as http://127.0.0.1:9464/metrics")]
    pub url: Address,
    /// Print what the metrics say now, and exit
    #[arg(long)]
    pub once: bool,
    /// PEM file of root certificates for an https URL [default: Mozilla's roots]
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

/// Prints a frame each second, until it is interrupted. Fails if the first one cannot be read.
pub fn run(options: &Options, out: &mut impl Write) -> Result<Outcome, Error> {
    let mut watch = Watch::new(options)?;
    let mut frame = watch.frame()?;
    if options.once {
        out.write_all(frame.as_bytes())?;
        return Ok(Outcome::Passed);
    }
    let is_terminal = io::stdout().is_terminal();
    loop {
        if is_terminal {
            // Not by `out`, which removes escape sequences if NO_COLOR is set.
            io::stdout().write_all(TOP)?;
            out.write_all(frame.replace('\n', END_OF_LINE).as_bytes())?;
            io::stdout().write_all(REST)?;
        } else {
            out.write_all(frame.as_bytes())?;
        }
        out.flush()?;
        thread::sleep(INTERVAL);
        // A program that is restarted is watched again.
        frame = watch.frame().unwrap_or_else(|error| watch.without(&error));
    }
}

/// A program that is watched.
pub struct Watch {
    url: Address,
    agent: ureq::Agent,
    history: History,
}

impl Watch {
    /// Reads nothing yet.
    pub fn new(options: &Options) -> Result<Self, Error> {
        let mut builder = Connector::builder().domain("compare watch");
        if let Some(file) = &options.ca {
            builder = builder.roots_pem_file(file);
        }
        let connector = builder.build();
        let connector = connector.map_err(|error| Error::BadInput(format!("--ca: {error}")))?;
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .proxy(None)
            .build();
        Ok(Self {
            url: options.url.clone(),
            agent: tls_resume::ureq::agent_with(config, &connector),
            history: History::default(),
        })
    }

    /// Reads the metrics, and shows them.
    pub fn frame(&mut self) -> Result<String, Error> {
        let text = self
            .read()
            .map_err(|error| Error::Metrics(format!("no metrics from {}: {error}", self.url)))?;
        let scrape = Scrape::parse(&text);
        if scrape.is_empty() {
            return Err(Error::BadInput(format!(
                "{} answers, but not with metrics of tls-resume: give the URL that Prometheus reads, of \
                 a program that calls `record_metrics`",
                self.url
            )));
        }
        self.history.push(scrape);
        Ok(view::frame(&self.url, &self.history))
    }

    fn read(&self) -> Result<String, ureq::Error> {
        let mut answer = self.agent.get(self.url.uri()).call()?;
        answer.body_mut().read_to_string()
    }

    /// What is shown while the metrics cannot be read.
    fn without(&self, error: &Error) -> String {
        format!("{error}\n\n{}", view::frame(&self.url, &self.history))
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}
