//! Known bias of the measurements, shown with the numbers.

/// The first sentence.
pub(crate) const INTRODUCTION: &str =
    "We wrote both the store and the benchmark. These effects favour one side:";

/// The known effects. Names are between backticks.
pub(crate) const POINTS: [&str; 6] = [
    "Our store does more in each call than the others: it checks expiry and security domain, \
     counts outcomes, keeps two rings in the order of eviction, and holds a handshake's sessions \
     back until the handshake has succeeded. The time for that is included.",
    "`rustls-memory` keeps 8 tickets per server and evicts servers in insertion order; it was not \
     made for bursts or scans. Each put takes an owned name; the time includes cloning the name, \
     since any caller has to clone it.",
    "`quick_cache` and `moka` are general caches. They do not expire by simulated time, and the \
     limit of tickets per server is our choice: both 2 and 64 are shown, since each is worse on \
     some trace. A limit of 1 would beat 2 on a pure Zipf trace, but fails when two connections \
     begin at the same time.",
    "In the traces all servers use TLS 1.3, whose tickets are single-use. With reusable sessions \
     only the frequency of use would matter, and the differences would be smaller.",
    "The simulated tickets have the size of rustls's for every store: what ours saves by \
     separating certificates from sessions is in the table of memory, not in that of hit rates. \
     In that table, a session of the next rustls (the preview) takes about a quarter of the bytes \
     of a session in rustls's own cache; one of the released rustls, which is opaque, takes nearly \
     as many.",
    "OpenSSL is measured through the `openssl` crate, whose own cost is included.",
];

/// The caveats as a section of a Markdown page.
pub(crate) fn markdown() -> String {
    format!("### Bias\n\n{INTRODUCTION}\n\n- {}", POINTS.join("\n- "))
}
