//! The contents of `report.json`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub use conformance::{Outcome, Verdict};

use crate::environment::Environment;
use crate::sample::Quantiles;

/// The version of the format; it changes when a field changes its meaning or goes away.
pub const SCHEMA: u32 = 1;

/// Everything that a run found out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What was measured, where, and how.
    pub environment: Environment,
    /// What a handshake costs.
    pub handshakes: Vec<HandshakeRow>,
    /// What places beyond the process take.
    pub tiers: Vec<TierRow>,
    /// The rules, and whether each backend follows them.
    pub equivalence: Vec<EquivalenceRow>,
    /// The sections that are missing here, each with the reason.
    pub skipped: BTreeMap<String, String>,
}

impl Report {
    /// A report without results. Every section is skipped until it is filled.
    pub fn new(environment: Environment) -> Self {
        let skipped = ["store_ops", "contention", "hit_rate", "burst", "memory"]
            .map(|section| (section.to_owned(), "not built yet".to_owned()));
        Self {
            schema: SCHEMA,
            environment,
            handshakes: Vec::new(),
            tiers: Vec::new(),
            equivalence: Vec::new(),
            skipped: skipped.into(),
        }
    }

    /// Writes the report; a reader sees the old file or the new one, never a part.
    pub fn save(&self, file: &Path) -> io::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        let unfinished = file.with_extension("json.part");
        fs::write(&unfinished, text)?;
        fs::rename(&unfinished, file)
    }
}

/// Handshakes of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandshakeRow {
    /// The client's library: the one that is measured.
    pub backend: String,
    /// The client's cryptography.
    pub provider: String,
    /// The server's library.
    pub server: String,
    /// The version of TLS.
    pub protocol: String,
    /// The kind of every key in the server's chain.
    pub key: String,
    /// The group of the key exchange.
    pub group: String,
    /// The cipher suite, by its IANA name. Empty if no handshake succeeded.
    pub cipher: String,
    /// `full` or `resumed`.
    pub kind: String,
    /// Where the session came from: `none`, `in-hand` or `tls-resume`.
    pub store: String,
    /// Handshakes that were measured.
    pub rounds: usize,
    /// The client's time, from asking for a connection to having stored the tickets.
    pub client_us: Option<Quantiles>,
    /// The server's time, median.
    pub server_us: Option<f64>,
    /// Bytes that the client received, median.
    pub bytes_in: u64,
    /// Bytes that the client sent, median.
    pub bytes_out: u64,
    /// The client's time, as a multiple of what it is with the session in hand.
    pub ratio_to_in_hand: Option<f64>,
    /// The client's time above what it is with the session in hand. Noise can make it negative.
    pub store_ns: Option<f64>,
    /// Why the row is not what it claims to be. Then its numbers mean nothing.
    pub error: Option<String>,
}

/// Calls of one kind, by several processes at the same time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TierRow {
    /// The place: `lmdb` or `redis`.
    pub tier: String,
    /// `put`, `take` or `prefetch`.
    pub op: String,
    /// Processes that were at work.
    pub processes: usize,
    /// Calls that were measured, of all processes.
    pub n: usize,
    /// What a call took, median.
    pub median_us: f64,
    /// A hundredth of the calls took longer.
    pub p99_us: f64,
}

/// A rule and what became of it on each backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EquivalenceRow {
    /// Its number, `R1` to `R27`.
    pub rule: String,
    /// What it says, in a few words.
    pub title: String,
    /// On rustls.
    pub rustls: Verdict,
    /// On OpenSSL.
    pub openssl: Verdict,
    /// On the preview of the next rustls.
    pub rustls_preview: Verdict,
}
