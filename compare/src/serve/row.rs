//! One connection: its outcome as a row, as text, and as the page that the client gets.

use std::net::SocketAddr;
use std::time::Duration;

use lab::server::{
    DeclineReason, Handshake, Library, ServerConnection, ServerResumption, ServerSettings,
};
use serde::Serialize;

/// Characters of a client's text that are printed at most.
const MAX_CHARS: usize = 100;

/// One connection.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename = "connection")]
pub struct Row {
    /// The client's address.
    pub peer: SocketAddr,
    /// The version, once the handshake is done.
    pub protocol: Option<&'static str>,
    /// Whether the client offered a session.
    pub offered: bool,
    /// Whether the session was resumed.
    pub resumed: bool,
    /// Why it was not resumed.
    pub declined: Option<Declined>,
    /// Time from the client's first byte to the end of the handshake, seen by the server.
    pub handshake_us: Option<u64>,
    /// Tickets sent.
    pub tickets: Option<usize>,
    /// The server name that the client sent; characters that cannot be printed are `?`.
    pub server_name: Option<String>,
    /// Why the handshake failed.
    pub error: Option<String>,
}

/// Why a session that was offered was not resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Declined {
    /// By `--decline-every`.
    Told,
    /// It was encrypted with keys that this server does not have, or no longer has.
    OtherKeys,
    /// It is older than `--lifetime`.
    TooOld,
    /// Resumption is off: `--tickets 0`.
    Off,
    /// The library does not say.
    Unknown,
}

impl Declined {
    fn as_str(self) -> &'static str {
        match self {
            Self::Told => "by --decline-every",
            Self::OtherKeys => "encrypted with other keys",
            Self::TooOld => "too old",
            Self::Off => "resumption is off",
            Self::Unknown => "the library does not say why",
        }
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

    /// Fills in the outcome of a finished handshake.
    pub(super) fn finish(
        &mut self,
        handshake: &Handshake,
        connection: &ServerConnection,
        settings: &ServerSettings,
        took: Duration,
    ) {
        self.protocol = Some(handshake.protocol.as_str());
        self.offered = handshake.offered;
        self.resumed = handshake.resumed;
        self.handshake_us = Some(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        self.tickets = connection.tickets_made();
        if handshake.offered && !handshake.resumed {
            self.declined = Some(match connection.decline_reason() {
                _ if settings.resumption == ServerResumption::Off => Declined::Off,
                Some(DeclineReason::Requested) => Declined::Told,
                Some(DeclineReason::UnknownKey) => Declined::OtherKeys,
                Some(DeclineReason::Expired) => Declined::TooOld,
                None => Declined::Unknown,
            });
        }
    }

    /// The page that the client gets.
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

    pub(super) fn text(&self) -> String {
        let peer = self.peer;
        if let Some(why) = &self.error {
            return format!("{peer}  failed: {why}");
        }
        let outcome = match (self.offered, self.declined) {
            (false, _) => "no session offered".to_owned(),
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

/// Text of a client, shortened and printable, without spaces.
pub(super) fn one_word(text: &str) -> String {
    shorten(
        text.chars()
            .map(|c| if c.is_ascii_graphic() { c } else { '?' }),
    )
}

/// Text of a client or a library, shortened and printable, on one line.
fn one_line(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    let line = words.join(" ");
    shorten(line.chars().map(|c| {
        if c == ' ' || c.is_ascii_graphic() {
            c
        } else {
            '?'
        }
    }))
}

fn shorten(mut chars: impl Iterator<Item = char>) -> String {
    let mut text: String = chars.by_ref().take(MAX_CHARS).collect();
    if chars.next().is_some() {
        text.push_str("...");
    }
    text
}
