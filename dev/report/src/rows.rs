//! The rows of the report's arrays.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The middle of a sample and where its lowest and highest tenth begin, in microseconds.
///
/// The median is what is compared: a few rounds that the system interrupted do not move it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quantiles {
    /// Half of the measurements are below.
    #[schemars(range(min = 0.0))]
    pub median: f64,
    /// A tenth of the measurements are below.
    #[schemars(range(min = 0.0))]
    pub p10: f64,
    /// A tenth of the measurements are above.
    #[schemars(range(min = 0.0))]
    pub p90: f64,
}

/// Handshakes of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// What the client offered for it: `this first`, then P-256; or its library's `default`.
    pub offered: String,
    /// The cipher suite, by its IANA name. Empty if no handshake succeeded.
    pub cipher: String,
    /// `full` or `resumed`.
    #[schemars(extend("enum" = ["full", "resumed"]))]
    pub kind: String,
    /// Where the session came from: `none`, `in-hand`, `tls-resume`, with OpenSSL also
    /// `tls-resume-strip` and `tls-resume-hint`, or a store that ours is compared with.
    pub store: String,
    /// Handshakes that were measured.
    pub rounds: usize,
    /// The client's time, from asking for a connection to having stored the tickets.
    pub client_us: Option<Quantiles>,
    /// The server's time, median.
    #[schemars(range(min = 0.0))]
    pub server_us: Option<f64>,
    /// Bytes that the client received, median.
    pub bytes_in: u64,
    /// Bytes that the client sent, median.
    pub bytes_out: u64,
    /// The client's time, as a multiple of what it is with the session in hand.
    #[schemars(range(min = 0.0))]
    pub ratio_to_in_hand: Option<f64>,
    /// The client's time above what it is with the session in hand, median of the differences
    /// within a round. Noise can make it negative.
    pub store_ns: Option<f64>,
    /// With `store_ns_high`, the interval that holds the true median 19 times of 20.
    pub store_ns_low: Option<f64>,
    /// See `store_ns_low`.
    pub store_ns_high: Option<f64>,
    /// Why the row is not what it claims to be. Then its numbers mean nothing.
    pub error: Option<String>,
}

impl HandshakeRow {
    /// Whether it is one of those that stand for their library where few can be shown: its usual
    /// cryptography, a server of its own kind with an ECDSA key, the group named; and it is what it
    /// claims to be.
    pub fn is_typical(&self) -> bool {
        ["aws-lc-rs", "openssl"].contains(&self.provider.as_str())
            && self.server == self.backend
            && self.key == "ecdsa-p256"
            && self.offered == "this first"
            && self.error.is_none()
    }
}

/// One operation of one store, by one thread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StoreOpRow {
    /// The store.
    pub store: String,
    /// `put`, `take`, `put+take`, `miss`, `put_at_capacity`, `hint` or `set_hint`.
    pub op: String,
    /// Servers that the store holds.
    pub servers: usize,
    /// Median of the rounds.
    pub ns_median: f64,
    /// Allocations an operation, on average; `None` where they were not counted.
    #[schemars(range(min = 0.0))]
    pub allocations: Option<f64>,
    /// Batches that were measured: the median of their means counts. Not in older reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u64>,
}

/// Threads that share one store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContentionRow {
    /// The store; in a mix of handshakes, with its backend.
    pub store: String,
    /// What the threads do.
    pub mix: String,
    /// How many they are.
    pub threads: usize,
    /// What each of them gets done; ideally the same for any number of threads, as long as there
    /// is a processor for each.
    #[schemars(range(min = 0.0))]
    pub ops_per_s_per_thread: f64,
    /// Slices of time in which the threads worked; the median of them counts. Not in older reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u64>,
}

/// A trace of connections on one store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HitRateRow {
    /// The trace.
    pub trace: String,
    /// The store.
    pub store: String,
    /// Bytes that the store may take.
    pub budget: usize,
    /// Connections of the trace, without those that warmed the store up.
    pub connections: u64,
    /// The part of them that was resumed.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub rate: f64,
}

/// Connections to one server that begin together, again and again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BurstRow {
    /// The client's library.
    pub backend: String,
    /// The store.
    pub store: String,
    /// The version of TLS.
    pub protocol: String,
    /// Tickets that the server gives after a full handshake, and after a resumed one. A TLS 1.2
    /// session can be used again.
    pub tickets: (usize, usize),
    /// Connections that begin together.
    pub concurrency: usize,
    /// Bursts, the first half of them to get used to it.
    pub rounds: usize,
    /// The part of the connections that is resumed in the other half, by the server's word.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub resumed_rate: f64,
    /// Why there is no such part.
    pub error: Option<String>,
}

impl BurstRow {
    /// The bursts whose connections were counted.
    pub fn measured(&self) -> usize {
        self.rounds - self.rounds / 2
    }
}

/// Sessions of distinct full handshakes in one store. Bytes are those in use in the whole process,
/// by the C library's own count, with its headers and rounding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryRow {
    /// The store.
    pub store: String,
    /// Whose sessions: `opaque` (rustls 0.23), `preview`, `openssl-keep` or `openssl-strip`.
    pub session: String,
    /// The version of TLS.
    pub protocol: String,
    /// Bytes of the store without sessions, with the limits that it has by itself.
    pub bytes_empty: usize,
    /// The same with limits that hold what is in this row. Part of the bytes of the sessions below.
    pub bytes_empty_sized: usize,
    /// Servers. Each has a certificate of its own (1.15 kB), from one of four issuers (0.94 kB each),
    /// which are below one of two roots that are sent, too (1.21 kB each).
    pub servers: usize,
    /// Bytes of the three certificates that a server sends.
    pub chain_bytes: usize,
    /// Full handshakes with each server, in each of which its chain arrived anew.
    pub handshakes_per_server: usize,
    /// Sessions in all.
    pub sessions: usize,
    /// Bytes in use with the sessions more than without, over the sessions.
    pub bytes_per_session: f64,
    /// The same by what the system holds in memory for the process: whole pages, free blocks between
    /// others included.
    pub resident_per_session: f64,
    /// Bytes that the store itself counts, over the sessions; `None` where it does not count.
    #[schemars(range(min = 0.0))]
    pub counted_per_session: Option<f64>,
    /// The same as the first after each session was used and replaced.
    pub bytes_per_session_after_churn: Option<f64>,
    /// Bytes a session as a multiple of what rustls's own memory cache takes.
    pub ratio_to_rustls_memory: Option<f64>,
}

/// One operation on a store that is full of servers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScaleRow {
    /// `put`, `take` or `sweep`.
    pub op: String,
    /// Servers held.
    pub servers: usize,
    /// Bytes that the store may take.
    pub budget: usize,
    /// Bytes that it counts.
    pub bytes_counted: usize,
    /// Bytes that were really allocated.
    pub bytes_allocated: usize,
    /// Calls that were measured.
    pub n: u64,
    /// What a call took, median.
    #[schemars(range(min = 0.0))]
    pub p50_us: f64,
    /// One call in a hundred took longer.
    #[schemars(range(min = 0.0))]
    pub p99_us: f64,
    /// One call in a thousand took longer.
    #[schemars(range(min = 0.0))]
    pub p99_9_us: f64,
    /// One call in ten thousand took longer.
    #[schemars(range(min = 0.0))]
    pub p99_99_us: f64,
    /// The longest call.
    #[schemars(range(min = 0.0))]
    pub max_us: f64,
}

/// Calls of one kind, by several processes at the same time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    #[schemars(range(min = 0.0))]
    pub median_us: f64,
    /// A hundredth of the calls took longer.
    #[schemars(range(min = 0.0))]
    pub p99_us: f64,
}

/// A rule and what became of it on each backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// What became of a rule on a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// What became of it.
    pub outcome: Outcome,
    /// Why it does not hold, or does not apply. None if it holds.
    pub reason: Option<String>,
}

/// Whether a rule holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// The backend has nothing that it could be about.
    NotApplicable,
}
