//! The output: how to connect to the server, a line for each connection, a summary.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use lab::server::Library;
use serde::Serialize;

use super::options::Options;
use super::row::Row;
use crate::error::Error;

/// Prints lines of text or JSON.
pub(super) struct Printer<W> {
    out: W,
    json: bool,
    summary: Summary,
}

/// Where the server listens, and commands that connect to it.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "listening")]
pub(super) struct Listening {
    address: SocketAddr,
    backend: &'static str,
    tls: Vec<&'static str>,
    curl: String,
    s_client: String,
}

#[derive(Debug, Default, Serialize)]
#[serde(tag = "type", rename = "summary")]
struct Summary {
    connections: u64,
    offered: u64,
    resumed: u64,
    declined: u64,
    failed: u64,
}

impl<W: Write> Printer<W> {
    pub(super) fn new(out: W, json: bool) -> Self {
        let summary = Summary::default();
        Self { out, json, summary }
    }

    pub(super) fn listening(&mut self, listening: &Listening) -> Result<(), Error> {
        let text = listening.text();
        self.line(listening, &text)
    }

    pub(super) fn connection(&mut self, row: &Row) -> Result<(), Error> {
        self.summary.add(row);
        self.line(row, &row.text())
    }

    pub(super) fn summary(&mut self) -> Result<(), Error> {
        let summary = std::mem::take(&mut self.summary);
        let text = summary.text();
        self.line(&summary, &text)
    }

    fn line(&mut self, object: &impl Serialize, text: &str) -> Result<(), Error> {
        if self.json {
            let json =
                serde_json::to_string(object).map_err(|why| Error::Setup(why.to_string()))?;
            writeln!(self.out, "{json}")?;
        } else {
            writeln!(self.out, "{text}")?;
        }
        self.out.flush()?; // a pipe's reader sees each line at once
        Ok(())
    }
}

impl Listening {
    pub(super) fn new(address: SocketAddr, options: &Options) -> Self {
        let port = address.port();
        let at = match address.ip() {
            ip if !ip.is_unspecified() => ip,
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        // The default names are those of the local machine.
        let named = options
            .name
            .first()
            .filter(|name| name.parse::<IpAddr>().is_err());
        let connect = SocketAddr::new(at, port);
        let local = at.is_loopback() && options.name.is_empty();
        let resolve =
            named.map_or_else(String::new, |name| format!("--resolve {name}:{port}:{at} "));
        let url = match named {
            Some(name) => format!("https://{name}:{port}/"),
            None if local => format!("https://localhost:{port}/"),
            None => format!("https://{connect}/"),
        };
        let name = named.map(|name| format!(" -servername {name}"));
        let root = options.cert_out.as_deref().map(quoted);
        let trust = root.as_deref().unwrap_or_default();
        let cacert = match &root {
            Some(file) => format!("--cacert {file}"),
            None => "--insecure".to_owned(),
        };
        let ca_file = root.as_ref().map(|_| format!(" -CAfile {trust}"));
        Self {
            address,
            backend: Library::from(options.backend).as_str(),
            tls: options
                .tls
                .protocols()
                .iter()
                .map(|protocol| protocol.as_str())
                .collect(),
            // Two requests on two connections: the second one can resume.
            curl: format!("curl {cacert} -H 'Connection: close' {resolve}{url} {url}"),
            s_client: format!(
                "openssl s_client -connect {connect}{}{}",
                name.unwrap_or_default(),
                ca_file.unwrap_or_default(),
            ),
        }
    }

    fn text(&self) -> String {
        format!(
            "TLS {} with {} at {}; try `{}` or `{}`; Ctrl-C stops it",
            self.tls.join(" and "),
            self.backend,
            self.address,
            self.curl,
            self.s_client,
        )
    }
}

impl Summary {
    fn add(&mut self, row: &Row) {
        self.connections += 1;
        self.failed += u64::from(row.error.is_some());
        let done = row.error.is_none();
        self.offered += u64::from(done && row.offered);
        self.resumed += u64::from(row.resumed);
        self.declined += u64::from(row.declined.is_some());
    }

    fn text(&self) -> String {
        format!(
            "connections: {}; sessions offered: {}, resumed: {}, declined: {}; failed handshakes: {}",
            self.connections, self.offered, self.resumed, self.declined, self.failed,
        )
    }
}

/// A path, quoted for a shell if necessary.
fn quoted(file: &Path) -> String {
    let file = file.display().to_string();
    if file
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
    {
        file
    } else {
        format!("'{}'", file.replace('\'', r"'\''"))
    }
}
