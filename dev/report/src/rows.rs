//! The rows of a report's arrays.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Median, 10th and 90th percentile of a sample, in microseconds.
///
/// Medians are compared, since a few interrupted rounds do not change them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quantiles {
    /// Median.
    #[schemars(range(min = 0.0))]
    pub median: f64,
    /// 10th percentile.
    #[schemars(range(min = 0.0))]
    pub p10: f64,
    /// 90th percentile.
    #[schemars(range(min = 0.0))]
    pub p90: f64,
}

/// Handshakes of one kind: a client, a server and a store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HandshakeRow {
    /// The client's TLS library, which is measured.
    pub backend: String,
    /// The client's cryptography provider.
    pub provider: String,
    /// The server's TLS library.
    pub server: String,
    /// The TLS version.
    pub protocol: String,
    /// Type of the keys in the server's chain.
    pub key: String,
    /// The key-exchange group.
    pub group: String,
    /// The groups that the client offered: `this first` (the group above, then P-256), or its
    /// library's `default`.
    pub offered: String,
    /// IANA name of the cipher suite. Empty if no handshake succeeded.
    pub cipher: String,
    /// How the client ends a connection: with a `close_notify`, or `unclean`, without one. Not in
    /// older reports, where it is always `close_notify`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["close_notify", "unclean"]))]
    pub end: Option<String>,
    /// `full` or `resumed`. After unclean ends, what most handshakes were.
    #[schemars(extend("enum" = ["full", "resumed"]))]
    pub kind: String,
    /// Fraction of resumed handshakes; less than 1 from a store only after unclean ends. Not in
    /// older reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub resumed_rate: Option<f64>,
    /// Source of the session: `none`, `in-hand` (a variable), `tls-resume`, with rustls also
    /// `tls-resume-shared`, with OpenSSL also `tls-resume-strip`, or another store.
    pub store: String,
    /// Number of measured handshakes.
    pub rounds: usize,
    /// The client's time, from the request for a connection until the tickets are stored.
    pub client_us: Option<Quantiles>,
    /// Median of the server's time.
    #[schemars(range(min = 0.0))]
    pub server_us: Option<f64>,
    /// Median of the bytes that the client received.
    pub bytes_in: u64,
    /// Median of the bytes that the client sent.
    pub bytes_out: u64,
    /// The client's time divided by its time with the store `in-hand`.
    #[schemars(range(min = 0.0))]
    pub ratio_to_in_hand: Option<f64>,
    /// The client's time less its time with the store `in-hand`: the median of the differences
    /// within a round. Noise can make it negative. `None` if not all handshakes were resumed.
    pub store_ns: Option<f64>,
    /// Lower bound of the 95 % confidence interval of `store_ns`.
    pub store_ns_low: Option<f64>,
    /// Upper bound of the 95 % confidence interval of `store_ns`.
    pub store_ns_high: Option<f64>,
    /// As `store_ns`, over the connection's whole life: until it is closed and dropped, with its
    /// configuration if that is pooled. Not in older reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_ns: Option<f64>,
    /// Lower bound of the 95 % confidence interval of `whole_ns`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_ns_low: Option<f64>,
    /// Upper bound of the 95 % confidence interval of `whole_ns`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_ns_high: Option<f64>,
    /// Why the row is invalid. Its numbers are then meaningless.
    pub error: Option<String>,
}

impl HandshakeRow {
    /// Whether the row is valid and represents its library in charts and summaries: the library's
    /// usual provider, a server of the same library with an ECDSA key, a named group, and clean ends.
    pub fn is_typical(&self) -> bool {
        ["aws-lc-rs", "openssl"].contains(&self.provider.as_str())
            && self.server == self.backend
            && self.key == "ecdsa-p256"
            && self.offered == "this first"
            && !self.is_unclean()
            && self.error.is_none()
    }

    /// Whether the connections ended without a `close_notify`.
    pub fn is_unclean(&self) -> bool {
        self.end.as_deref() == Some("unclean")
    }
}

/// An operation on a store, by one thread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StoreOpRow {
    /// The store.
    pub store: String,
    /// `put`, `take`, `put+take`, `miss`, `put_at_capacity`, `hint` or `set_hint`.
    pub op: String,
    /// Number of servers in the store.
    pub servers: usize,
    /// Nanoseconds per operation: the median over the rounds.
    pub ns_median: f64,
    /// Mean number of allocations per operation; `None` if not counted.
    #[schemars(range(min = 0.0))]
    pub allocations: Option<f64>,
    /// Number of measured batches; the result is the median of their means. Not in older reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u64>,
    /// For `put`: bytes allocated for the store and its content per server, each of which has one
    /// ticket; without what a ticket points to. The store has room for twice as many servers, at
    /// least 2,000. `None` if not counted. Not in older reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_server: Option<f64>,
}

/// Throughput of threads that share one store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContentionRow {
    /// The store; for handshakes, followed by a comma and the backend.
    pub store: String,
    /// The operations of the threads.
    pub mix: String,
    /// Number of threads.
    pub threads: usize,
    /// Operations per second and thread. Ideally constant as long as each thread has a processor.
    #[schemars(range(min = 0.0))]
    pub ops_per_s_per_thread: f64,
    /// Number of measured time slices; the result is their median. Not in older reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u64>,
}

/// Result of a trace of connections on one store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HitRateRow {
    /// Name of the trace.
    pub trace: String,
    /// The store.
    pub store: String,
    /// The store's budget in bytes.
    pub budget: usize,
    /// Connections of the trace, without the warm-up.
    pub connections: u64,
    /// Fraction of resumed connections.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub rate: f64,
}

/// Repeated bursts of connections to one server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BurstRow {
    /// The client's TLS library.
    pub backend: String,
    /// The store.
    pub store: String,
    /// The TLS version.
    pub protocol: String,
    /// Tickets that the server issues after a full handshake, and after a resumed one. A TLS 1.2
    /// session can be reused.
    pub tickets: (usize, usize),
    /// Connections of a burst, which begin at the same time.
    pub concurrency: usize,
    /// Number of bursts. The first half is the warm-up.
    pub rounds: usize,
    /// Fraction of resumed connections in the second half, as seen by the server.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub resumed_rate: f64,
    /// Why the row is invalid.
    pub error: Option<String>,
}

impl BurstRow {
    /// Number of bursts after the warm-up.
    pub fn measured(&self) -> usize {
        self.rounds - self.rounds / 2
    }
}

/// Memory of sessions from distinct full handshakes in one store. Bytes are those in use in the
/// process as counted by the C library, with its headers and rounding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryRow {
    /// The store.
    pub store: String,
    /// Type of the sessions: `opaque` (rustls 0.23), `preview`, `openssl-keep` or `openssl-strip`.
    pub session: String,
    /// The TLS version.
    pub protocol: String,
    /// Bytes of the empty store with its default limits.
    pub bytes_empty: usize,
    /// Bytes of the empty store with limits that fit this row. Included in the bytes per session
    /// below.
    pub bytes_empty_sized: usize,
    /// Number of servers. Each has its own certificate (1.15 kB) from one of four issuers (0.94 kB
    /// each) under one of two roots (1.21 kB each), which are sent, too.
    pub servers: usize,
    /// Bytes of a server's three certificates.
    pub chain_bytes: usize,
    /// Full handshakes with each server. Each received the chain anew.
    pub handshakes_per_server: usize,
    /// Number of sessions.
    pub sessions: usize,
    /// Bytes per session: the growth of the bytes in use, divided by the sessions.
    pub bytes_per_session: f64,
    /// Growth of the process's resident memory per session, which includes partly free pages.
    pub resident_per_session: f64,
    /// Bytes per session by the store's own count; `None` if it does not count.
    #[schemars(range(min = 0.0))]
    pub counted_per_session: Option<f64>,
    /// Bytes per session after each session was used and replaced.
    pub bytes_per_session_after_churn: Option<f64>,
    /// Bytes per session divided by those in rustls's own memory cache.
    pub ratio_to_rustls_memory: Option<f64>,
}

/// Latency of an operation on a store full of servers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScaleRow {
    /// `put`, `take`, `sweep`, or `empty loop` (not in older reports): arithmetic instead of an
    /// operation, timed between the operations, which shows the stalls of the machine.
    pub op: String,
    /// Number of servers in the store.
    pub servers: usize,
    /// The store's limit in bytes.
    pub budget: usize,
    /// Bytes by the store's own count.
    pub bytes_counted: usize,
    /// Bytes allocated.
    pub bytes_allocated: usize,
    /// Number of measured calls.
    pub n: u64,
    /// Median latency of a call.
    #[schemars(range(min = 0.0))]
    pub p50_us: f64,
    /// 99th percentile.
    #[schemars(range(min = 0.0))]
    pub p99_us: f64,
    /// 99.9th percentile.
    #[schemars(range(min = 0.0))]
    pub p99_9_us: f64,
    /// 99.99th percentile.
    #[schemars(range(min = 0.0))]
    pub p99_99_us: f64,
    /// Maximum.
    #[schemars(range(min = 0.0))]
    pub max_us: f64,
}

impl ScaleRow {
    /// Whether the row is that of the arithmetic, which shows the machine's stalls.
    pub fn is_empty_loop(&self) -> bool {
        self.op == "empty loop"
    }
}

/// Latency of an operation on a tier that several processes use at the same time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TierRow {
    /// The tier: `lmdb` or `redis`.
    pub tier: String,
    /// `put`, `take` or `prefetch`.
    pub op: String,
    /// Number of processes.
    pub processes: usize,
    /// Number of measured calls of all processes.
    pub n: usize,
    /// Median latency of a call.
    #[schemars(range(min = 0.0))]
    pub median_us: f64,
    /// 99th percentile.
    #[schemars(range(min = 0.0))]
    pub p99_us: f64,
}

/// Client processes that share sessions by a tier, after a warm-up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FleetRow {
    /// The tier: `redis`, or `redis-cluster` of three primaries with a replica each.
    pub tier: String,
    /// Number of processes.
    pub processes: usize,
    /// Number of server names, among which each connection chooses.
    pub servers: usize,
    /// Connections of all processes.
    pub connections: usize,
    /// Seconds in which they were made.
    #[schemars(range(min = 0.0))]
    pub seconds: f64,
    /// Fraction of resumed connections, as the server counts them.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub resumed_rate: f64,
    /// Tickets that were offered more than once, as the server counts them, the warm-up included.
    pub used_twice: usize,
    /// Sessions that were written to the tier.
    pub written: u64,
    /// Sessions that were fetched from it.
    pub fetched: u64,
    /// Calls to the tier that failed.
    pub failures: u64,
    /// Bytes that Redis received and sent; in a cluster, with its nodes' own messages.
    pub redis_bytes: u64,
    /// Processor time of Redis in microseconds; in a cluster, of all nodes.
    #[schemars(range(min = 0.0))]
    pub redis_cpu_us: f64,
    /// Memory that Redis uses more than before the first connection, after the last one; in a cluster,
    /// of all nodes.
    pub redis_memory: u64,
    /// Calls of `prefetch` for which memory had no session.
    pub prefetches: usize,
    /// Median time of such a call in microseconds; `None` if there were none.
    #[schemars(range(min = 0.0))]
    pub prefetch_p50_us: Option<f64>,
    /// 99th percentile.
    #[schemars(range(min = 0.0))]
    pub prefetch_p99_us: Option<f64>,
}

impl FleetRow {
    /// Sessions that were written or fetched.
    pub fn moved(&self) -> u64 {
        self.written + self.fetched
    }
}

/// A rule, with each backend's verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EquivalenceRow {
    /// Number of the rule, `R1` to `R27`.
    pub rule: String,
    /// Short form of the rule.
    pub title: String,
    /// Verdict on rustls.
    pub rustls: Verdict,
    /// Verdict on OpenSSL.
    pub openssl: Verdict,
    /// Verdict on the preview of the next rustls.
    pub rustls_preview: Verdict,
}

/// Whether a backend follows a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// Whether the rule holds.
    pub outcome: RuleOutcome,
    /// Why the rule fails or does not apply; `None` if it holds.
    pub reason: Option<String>,
}

/// Whether a rule holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleOutcome {
    /// The rule holds.
    Pass,
    /// The rule is violated.
    Fail,
    /// The rule does not apply to the backend.
    NotApplicable,
}
