//! What a report says, in three sentences: what resumption saves, which library is faster at what,
//! and what the store costs. The numbers are the report's; where it has none, the reason is there.

use crate::chart::short;
use crate::figures::name;
use crate::{HandshakeRow, Report, Section};

/// The group of the handshakes that the sentences are about.
const GROUP: &str = "X25519";
const OURS: &str = "tls-resume";
/// Libraries that differ by less are as fast as each other.
const EVEN: f64 = 1.02;

/// The sentences, at most three.
pub fn sentences(report: &Report) -> Vec<String> {
    let times = Times::of(&report.handshakes);
    if times.0.is_empty() {
        let reason = report.skipped.get(Section::Handshakes.as_str());
        let reason = reason.map_or("no row is what it claims to be", String::as_str);
        let missing = format!(
            "What resumption saves, and which library is faster, is not in this report: {reason}."
        );
        return [Some(missing), operations(report)]
            .into_iter()
            .flatten()
            .collect();
    }
    [
        times.saved(),
        times.faster(),
        times.added().or_else(|| operations(report)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What handshakes take with one library and version.
struct Time<'a> {
    backend: &'a str,
    protocol: &'a str,
    full: Option<f64>,
    resumed: Option<f64>,
    /// What each store adds, in microseconds.
    stores: Vec<(&'a str, f64)>,
}

struct Times<'a>(Vec<Time<'a>>);

impl<'a> Times<'a> {
    fn of(rows: &'a [HandshakeRow]) -> Self {
        let mut times: Vec<Time<'_>> = Vec::new();
        for row in rows
            .iter()
            .filter(|row| row.is_typical() && row.group == GROUP)
        {
            let known = times
                .iter()
                .position(|time| (time.backend, time.protocol) == (&row.backend, &row.protocol));
            let at = known.unwrap_or_else(|| {
                times.push(Time {
                    backend: &row.backend,
                    protocol: &row.protocol,
                    full: None,
                    resumed: None,
                    stores: Vec::new(),
                });
                times.len() - 1
            });
            let us = row.client_us.map(|us| us.median).filter(|us| *us > 0.0);
            match row.store.as_str() {
                "none" => times[at].full = us,
                OURS => times[at].resumed = us,
                _ => {}
            }
            let added = row.store_ns.map(|ns| (row.store.as_str(), ns / 1e3));
            times[at].stores.extend(added);
        }
        Self(times)
    }

    /// The libraries, in the order of the report.
    fn backends(&self) -> Vec<&'a str> {
        let mut backends: Vec<_> = self.0.iter().map(|time| time.backend).collect();
        backends.dedup();
        backends
    }

    fn on(&self, backend: &str) -> impl Iterator<Item = &Time<'a>> {
        self.0.iter().filter(move |time| time.backend == backend)
    }

    fn saved(&self) -> Option<String> {
        let parts = self.backends().into_iter().filter_map(|backend| {
            let some = self.on(backend).filter_map(|time| {
                let (full, resumed) = time.full.zip(time.resumed)?;
                Some(format!(
                    "{:.0}\u{a0}% with {} ({} to {}\u{a0}\u{b5}s)",
                    (1.0 - resumed / full) * 100.0,
                    time.protocol,
                    short(full),
                    short(resumed)
                ))
            });
            let some: Vec<_> = some.collect();
            (!some.is_empty()).then(|| format!("on {} {}", name(backend), list(&some)))
        });
        let parts: Vec<_> = parts.collect();
        (!parts.is_empty()).then(|| {
            format!(
                "Resuming saves a client this much of its time for a handshake: {}.",
                parts.join("; ")
            )
        })
    }

    fn faster(&self) -> Option<String> {
        let [one, other] = self.backends().try_into().ok()?;
        let mut won = [Vec::new(), Vec::new()];
        let mut even = Vec::new();
        for time in self.on(one) {
            let Some(against) = self
                .on(other)
                .find(|against| against.protocol == time.protocol)
            else {
                continue;
            };
            let kinds = [
                ("full", time.full.zip(against.full)),
                ("resumed", time.resumed.zip(against.resumed)),
            ];
            let mut times = [Vec::new(), Vec::new()];
            for (kind, pair) in kinds {
                let Some((this, that)) = pair else { continue };
                let ratio = (this / that).max(that / this);
                if ratio < EVEN {
                    even.push(format!("{kind} ones with {}", time.protocol));
                } else {
                    times[usize::from(that < this)]
                        .push(format!("{ratio:.1} times at {kind} ones"));
                }
            }
            for (won, times) in won.iter_mut().zip(times) {
                if !times.is_empty() {
                    won.push(format!("with {} {}", time.protocol, list(&times)));
                }
            }
        }
        let mut parts = Vec::new();
        for (at, won) in won.iter().enumerate().filter(|(_, won)| !won.is_empty()) {
            let (winner, loser) = if at == 0 { (one, other) } else { (other, one) };
            let (winner, loser) = (name(winner), name(loser));
            parts.push(format!(
                "{winner} is faster than {loser} {}",
                won.join(", ")
            ));
        }
        if !even.is_empty() {
            parts.push(format!("they take the same at {}", list(&even)));
        }
        (!parts.is_empty()).then(|| format!("Of handshakes, {}.", parts.join("; ")))
    }

    fn added(&self) -> Option<String> {
        let parts = self.backends().into_iter().filter_map(|backend| {
            let ours = self.each(backend, OURS);
            if ours.is_empty() {
                return None;
            }
            let peers = self.on(backend).flat_map(|time| &time.stores);
            let mut peers: Vec<_> = peers
                .map(|(store, _)| *store)
                .filter(|store| !store.starts_with(OURS))
                .collect();
            peers.sort_unstable();
            peers.dedup();
            let peers: Vec<_> = peers
                .into_iter()
                .map(|peer| format!("{peer} {}", list(&self.each(backend, peer))))
                .collect();
            let against = if peers.is_empty() {
                String::new()
            } else {
                format!(" ({})", peers.join(", "))
            };
            Some(format!("on {} {}{against}", name(backend), list(&ours)))
        });
        let parts: Vec<_> = parts.collect();
        (!parts.is_empty()).then(|| {
            format!(
                "Beyond having the session in hand, our store adds to a resumed handshake, in \
                 microseconds with {}: {}.",
                list(&self.protocols()),
                parts.join("; ")
            )
        })
    }

    /// The versions, in the order of the report.
    fn protocols(&self) -> Vec<&'a str> {
        let mut protocols = Vec::new();
        for time in &self.0 {
            if !protocols.contains(&time.protocol) {
                protocols.push(time.protocol);
            }
        }
        protocols
    }

    /// What a store adds with each version.
    fn each(&self, backend: &str, store: &str) -> Vec<String> {
        let stores = self.on(backend).map(|time| {
            let found = time.stores.iter().find(|(name, _)| *name == store);
            found.map_or_else(|| "?".to_owned(), |(_, us)| format!("{us:.1}"))
        });
        let stores: Vec<_> = stores.collect();
        if stores.iter().all(|us| us == "?") {
            Vec::new()
        } else {
            stores
        }
    }
}

/// What the store costs where no handshakes were measured.
fn operations(report: &Report) -> Option<String> {
    let pairs = report.store_ops.iter().filter(|row| row.op == "put+take");
    let ours = pairs.clone().find(|row| row.store == OURS)?;
    let peers = pairs.filter(|row| row.servers == ours.servers && row.store != OURS);
    let peers: Vec<_> = peers
        .map(|row| format!("{} {}\u{a0}ns", row.store, short(row.ns_median)))
        .collect();
    let against = if peers.is_empty() {
        String::new()
    } else {
        format!(" ({})", peers.join(", "))
    };
    Some(format!(
        "One put and one take of our store cost {}\u{a0}ns with {} {}{against}.",
        short(ours.ns_median),
        ours.servers,
        if ours.servers == 1 {
            "server"
        } else {
            "servers"
        }
    ))
}

/// With commas, and an "and".
fn list<T: AsRef<str>>(parts: &[T]) -> String {
    let parts: Vec<_> = parts.iter().map(AsRef::as_ref).collect();
    match parts.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{Environment, Quantiles, StoreOpRow};

    fn empty() -> Report {
        Report::new(Environment {
            machine: String::new(),
            cores: 2,
            system: String::new(),
            rustc: String::new(),
            profile: String::new(),
            openssl: String::new(),
            versions: BTreeMap::new(),
            allocator: String::new(),
            pinned: BTreeMap::new(),
            date: String::new(),
            unix_time: 0,
            seed: 0,
            command: String::new(),
        })
    }

    fn row(backend: &str, store: &str, us: f64, store_ns: Option<f64>) -> HandshakeRow {
        HandshakeRow {
            backend: backend.to_owned(),
            provider: if backend == "rustls" {
                "aws-lc-rs"
            } else {
                backend
            }
            .to_owned(),
            server: backend.to_owned(),
            protocol: "TLS 1.3".to_owned(),
            key: "ecdsa-p256".to_owned(),
            group: GROUP.to_owned(),
            offered: "this first".to_owned(),
            cipher: String::new(),
            kind: String::new(),
            store: store.to_owned(),
            rounds: 1,
            client_us: Some(Quantiles {
                median: us,
                p10: us,
                p90: us,
            }),
            server_us: None,
            bytes_in: 0,
            bytes_out: 0,
            ratio_to_in_hand: None,
            store_ns,
            store_ns_low: None,
            store_ns_high: None,
            error: None,
        }
    }

    #[test]
    fn three_sentences_say_it() {
        let mut report = empty();
        report.handshakes = vec![
            row("rustls", "none", 200.0, None),
            row("rustls", OURS, 50.0, Some(2_000.0)),
            row("rustls", "rustls-memory", 50.0, Some(510.0)),
            row("openssl", "none", 400.0, None),
            row("openssl", OURS, 50.5, Some(2_700.0)),
        ];
        assert_eq!(
            sentences(&report),
            [
                "Resuming saves a client this much of its time for a handshake: on rustls \
                 75\u{a0}% with TLS 1.3 (200 to 50.0\u{a0}\u{b5}s); on OpenSSL 87\u{a0}% with TLS \
                 1.3 (400 to 50.5\u{a0}\u{b5}s).",
                "Of handshakes, rustls is faster than OpenSSL with TLS 1.3 2.0 times at full ones; \
                 they take the same at resumed ones with TLS 1.3.",
                "Beyond having the session in hand, our store adds to a resumed handshake, in \
                 microseconds with TLS 1.3: on rustls 2.0 (rustls-memory 0.5); on OpenSSL 2.7.",
            ]
        );
        report.handshakes[0].client_us.as_mut().unwrap().median = 900.0;
        let faster = sentences(&report).remove(1);
        assert!(
            faster.contains("OpenSSL is faster than rustls with TLS 1.3 2.2 times"),
            "{faster}"
        );
    }

    #[test]
    fn what_is_missing_has_its_reason() {
        let mut report = empty();
        assert_eq!(
            sentences(&report),
            [
                "What resumption saves, and which library is faster, is not in this report: did not run."
            ]
        );
        report.store_ops = vec![StoreOpRow {
            store: OURS.to_owned(),
            op: "put+take".to_owned(),
            servers: 1,
            ns_median: 189.0,
            allocations: None,
        }];
        assert_eq!(
            sentences(&report)[1],
            "One put and one take of our store cost 189\u{a0}ns with 1 server."
        );
        // A row that failed is no number, and one library alone is not faster than another.
        report.handshakes = vec![
            row("rustls", "none", 200.0, None),
            row("rustls", OURS, 50.0, None),
        ];
        assert_eq!(sentences(&report).len(), 2);
        report.handshakes[1].error = Some("it was full".to_owned());
        assert!(!sentences(&report)[0].starts_with("Resuming"));
    }
}
