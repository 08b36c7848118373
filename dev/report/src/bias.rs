//! Who measured, and what leans one way or the other: wherever numbers are shown, this is, too.

/// What comes first.
pub const WHO: &str =
    "We wrote the store and the benchmark. What we know of that leans one way or the other:";

/// What is known. Words between backticks are names.
pub const POINTS: [&str; 6] = [
    "Our store does more in each call than the peers: it checks expiry and security domain, counts \
     outcomes, keeps the order of use exactly, and holds a handshake's sessions back until it has \
     succeeded. That costs time against all of them and is not taken out.",
    "`rustls-memory` has 8 tickets a server and forgets servers in the order of their coming; it \
     was not made for bursts or scans. It must be given a name of its own at each put, whose making \
     is part of its time, as for any caller.",
    "`quick_cache` and `moka` are general caches. They expire nothing by simulated time, and the \
     bound of tickets a server is ours: with 2 or 64 they are shown in both, since each loses \
     elsewhere. One ticket a server would beat the 2 on a pure Zipf trace, and fails whenever two \
     connections begin together.",
    "In the traces all servers speak TLS 1.3, where a ticket is used once. With reusable sessions \
     only, frequency alone would decide, and the difference would be smaller.",
    "The simulated tickets have the size of rustls's, for every store: what ours saves by \
     looking into sessions is in the table of memory, not in that of hit rates. There, sessions of the \
     next rustls (the preview) take about a quarter of the bytes that rustls's own cache takes; those \
     of the released one, which cannot be looked into, take nearly as many as there.",
    "OpenSSL's handshakes are measured through the `openssl` crate; what the crate itself costs is \
     part of every row.",
];

/// All of it as a section of a page in Markdown.
pub fn markdown() -> String {
    format!("### Bias\n\n{WHO}\n\n- {}", POINTS.join("\n- "))
}
