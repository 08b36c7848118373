//! What is said: how to use the server, a line for each connection, a summary.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use lab::server::{
    DeclineReason, Handshake, Library, ServerConnection, ServerResumption, ServerSettings,
};
use serde::Serialize;

use super::Options;
use crate::error::Error;

/// How much is shown of what a client says.
const SHOWN: usize = 100;

/// Writes text or JSON, a line at a time.
pub(super) struct Printer<W> {
    out: W,
    json: bool,
    summary: Summary,
}

/// Where the server listens and how it is used.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "listening")]
pub(super) struct Listening {
    address: SocketAddr,
    backend: &'static str,
    tls: Vec<&'static str>,
    curl: String,
    s_client: String,
}

/// One connection.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename = "connection")]
pub struct Row {
    /// Where the client is.
    pub peer: SocketAddr,
    /// The version, once the handshake is done.
    pub protocol: Option<&'static str>,
    /// Whether the client offered a session.
    pub offered: bool,
    /// Whether it was resumed.
    pub resumed: bool,
    /// Why it was not.
    pub declined: Option<Declined>,
    /// From the first byte of the client to the end of the handshake, as the server sees it.
    pub handshake_us: Option<u64>,
    /// How many tickets were sent.
    pub tickets: Option<usize>,
    /// The name that the client asked for; what cannot be printed stands as `?`.
    pub server_name: Option<String>,
    /// Why the handshake failed.
    pub error: Option<String>,
}

/// Why a session that was offered was not resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Declined {
    /// It was its turn: `--decline-every`.
    Told,
    /// It was sealed with keys that this server does not have, or not any more.
    OtherKeys,
    /// It is older than `--lifetime`.
    TooOld,
    /// Nothing is resumed: `--tickets 0`.
    Off,
    /// The library does not say.
    Unknown,
}

impl Declined {
    fn as_str(self) -> &'static str {
        match self {
            Self::Told => "told to",
            Self::OtherKeys => "sealed with other keys",
            Self::TooOld => "too old",
            Self::Off => "resumption is off",
            Self::Unknown => "the library does not say why",
        }
    }
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
        self.out.flush()?; // whoever looks on is in no hurry to see more lines come
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
        // Without names the certificate is for this machine only.
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
            // Twice, on a connection each: the second one can resume.
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
            "TLS {} with {} at {}; try `{}` or `{}`; Ctrl-C ends it",
            self.tls.join(" and "),
            self.backend,
            self.address,
            self.curl,
            self.s_client,
        )
    }
}

impl Row {
    pub(super) fn new(peer: SocketAddr) -> Self {
        Self {
            peer,
            protocol: None,
            offered: false,
            resumed: false,
            declined: None,
            handshake_us: None,
            tickets: None,
            server_name: None,
            error: None,
        }
    }

    pub(super) fn failed(peer: SocketAddr, why: &str) -> Self {
        let mut row = Self::new(peer);
        row.fail(why);
        row
    }

    pub(super) fn fail(&mut self, why: &str) {
        self.error = Some(one_line(why));
    }

    /// Fills in what the server knows when the handshake is done.
    pub(super) fn finish(
        &mut self,
        facts: &Handshake,
        connection: &ServerConnection,
        settings: &ServerSettings,
        took: Duration,
    ) {
        self.protocol = Some(facts.protocol.as_str());
        self.offered = facts.offered;
        self.resumed = facts.resumed;
        self.handshake_us = Some(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        self.tickets = connection.tickets_made();
        if facts.offered && !facts.resumed {
            self.declined = Some(match connection.decline_reason() {
                _ if settings.resumption == ServerResumption::Off => Declined::Off,
                Some(DeclineReason::Requested) => Declined::Told,
                Some(DeclineReason::UnknownKey) => Declined::OtherKeys,
                Some(DeclineReason::Expired) => Declined::TooOld,
                None => Declined::Unknown,
            });
        }
    }

    /// What the client is told.
    pub(super) fn page(&self, number: u64, library: Library) -> String {
        let yes = |is: bool| if is { "yes" } else { "no" };
        let declined = self
            .declined
            .map(|why| format!("declined: {}\n", why.as_str()));
        format!(
            "resumed: {}\noffered: {}\n{}protocol: TLS {}\ntickets sent: {}\nconnection: {number}\n\
             server: {library}\n",
            yes(self.resumed),
            yes(self.offered),
            declined.unwrap_or_default(),
            self.protocol.unwrap_or_default(),
            self.tickets.unwrap_or_default(),
        )
    }

    fn text(&self) -> String {
        let peer = self.peer;
        if let Some(why) = &self.error {
            return format!("{peer}  failed: {why}");
        }
        let outcome = match (self.offered, self.declined) {
            (false, _) => "nothing offered".to_owned(),
            (true, None) => "offered, resumed".to_owned(),
            (true, Some(why)) => format!("offered, declined: {}", why.as_str()),
        };
        let tickets = match self.tickets.unwrap_or_default() {
            1 => "1 ticket".to_owned(),
            count => format!("{count} tickets"),
        };
        let micros = self.handshake_us.unwrap_or_default();
        let millis = Duration::from_micros(micros).as_secs_f64() * 1e3;
        format!(
            "{peer}  TLS {}  {outcome:16}  {millis:.1} ms  {tickets}  {}",
            self.protocol.unwrap_or_default(),
            self.server_name.as_deref().unwrap_or("no name"),
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

/// A path as a shell reads it.
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

/// Text of a client or a library: short, printable, without spaces.
pub(super) fn one_word(text: &str) -> String {
    shown(
        text.chars()
            .map(|c| if c.is_ascii_graphic() { c } else { '?' }),
    )
}

fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    let line = words.join(" ");
    shown(line.chars().map(|c| {
        if c == ' ' || c.is_ascii_graphic() {
            c
        } else {
            '?'
        }
    }))
}

fn shown(mut chars: impl Iterator<Item = char>) -> String {
    let mut text: String = chars.by_ref().take(SHOWN).collect();
    if chars.next().is_some() {
        text.push_str("...");
    }
    text
}
