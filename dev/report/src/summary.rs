//! The summary of a report: what resumption saves, which library is faster, and what the store
//! costs, in a sentence each. A sentence without numbers gives the reason.

use crate::figures::{distinct, name};
use crate::number::{count, short};
use crate::{HandshakeRow, Report, Section, sanitize};

/// The group of the summarized handshakes.
const GROUP: &str = "X25519";
const OURS: &str = "tls-resume";
/// Times whose ratio is smaller count as equal.
const EVEN: f64 = 1.05;
/// For a cost whose confidence interval contains zero.
const NOISE: &str = "nothing measurable";

/// The sentences; at most three.
pub(crate) fn sentences(report: &Report) -> Vec<String> {
    let times = Times::of(&report.handshakes);
    if times.0.is_empty() {
        let reason = report.skipped.get(Section::Handshakes.as_str());
        let reason = reason.map_or("no row is valid", String::as_str);
        let missing = format!(
            "What resumption saves, and which library is faster, is not in this report: {reason}."
        );
        return [Some(missing), operations(report)]
            .into_iter()
            .flatten()
            .collect();
    }
    let missing = |what: &str, why: &str| format!("{what} is not in this report: {why}.");
    let saved = times.saved().unwrap_or_else(|| {
        let why = "no library has both a full handshake and one resumed from our store";
        missing("What resumption saves", why)
    });
    let faster = times.faster().unwrap_or_else(|| {
        let why = "no handshake was measured with two libraries";
        missing("Which library is faster", why)
    });
    let added = times.added().or_else(|| operations(report));
    let added = added.unwrap_or_else(|| {
        let why = "no handshake was resumed from it";
        missing("What our store costs", why)
    });
    vec![saved, faster, added]
}

/// Handshake times of one library and TLS version.
struct Time<'a> {
    backend: &'a str,
    protocol: &'a str,
    full: Option<f64>,
    resumed: Option<f64>,
    /// The time that each store adds, in words.
    stores: Vec<(&'a str, String)>,
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
            let added = added(row).map(|words| (row.store.as_str(), words));
            times[at].stores.extend(added);
        }
        Self(times)
    }

    /// The libraries, in the order of the report.
    fn backends(&self) -> Vec<&'a str> {
        distinct(self.0.iter().map(|time| time.backend))
    }

    fn on(&self, backend: &str) -> impl Iterator<Item = &Time<'a>> {
        self.0.iter().filter(move |time| time.backend == backend)
    }

    /// What resumption saves.
    fn saved(&self) -> Option<String> {
        let parts = self.backends().into_iter().filter_map(|backend| {
            let some = self.on(backend).filter_map(|time| {
                let (full, resumed) = time.full.zip(time.resumed)?;
                let saved = if resumed >= full * EVEN {
                    format!("nothing, but costs {} more,", percent(resumed / full - 1.0))
                } else if full < resumed * EVEN {
                    "next to nothing".to_owned()
                } else {
                    percent(1.0 - resumed / full)
                };
                Some(format!(
                    "{saved} with {} ({} instead of {}\u{a0}\u{b5}s)",
                    time.protocol,
                    short(resumed),
                    short(full)
                ))
            });
            let some: Vec<_> = some.collect();
            (!some.is_empty()).then(|| format!("on {} {}", name(backend), list(&some)))
        });
        let parts: Vec<_> = parts.collect();
        (!parts.is_empty()).then(|| {
            format!(
                "With {GROUP} and ECDSA certificates, resuming saves a client this much of its \
                 time for a handshake: {}.",
                parts.join("; ")
            )
        })
    }

    /// Which library is faster.
    fn faster(&self) -> Option<String> {
        let backends = self.backends();
        let [one, other] = *backends.first_chunk()?;
        let parts = self.on(one).filter_map(|time| {
            let mut others = self.on(other);
            let against = others.find(|against| against.protocol == time.protocol)?;
            let kinds = [
                ("a full handshake", time.full.zip(against.full)),
                ("a resumed one", time.resumed.zip(against.resumed)),
            ];
            let mut clauses = Vec::new();
            let mut before = None;
            for (kind, pair) in kinds {
                let Some((this, that)) = pair else { continue };
                let kind = match before {
                    None if kind == "a resumed one" => "a resumed handshake",
                    _ => kind,
                };
                let even = this.max(that) < this.min(that) * EVEN;
                let (winner, loser, part) = if this < that {
                    (one, other, this / that)
                } else {
                    (other, one, that / this)
                };
                let (winner, loser) = (name(winner), name(loser));
                let now = (!even).then_some(winner);
                clauses.push(match (even, before == Some(now)) {
                    (true, true) => kind.to_owned(),
                    (true, false) => {
                        format!("{} is as fast as {} for {kind}", name(one), name(other))
                    }
                    (false, true) => format!("{} of it for {kind}", fraction(part)),
                    (false, false) => format!(
                        "{winner} needs {} of {loser}\u{2019}s time for {kind}",
                        fraction(part)
                    ),
                });
                before = Some(now);
            }
            let clauses = list(&clauses);
            (!clauses.is_empty()).then(|| format!("for {}, {clauses}", time.protocol))
        });
        let parts: Vec<_> = parts.collect();
        let text = parts.join("; ");
        let rest = text.strip_prefix('f')?;
        Some(format!("F{rest}."))
    }

    /// What each store adds.
    fn added(&self) -> Option<String> {
        let parts = self.backends().into_iter().filter_map(|backend| {
            let ours = self.added_by(backend, OURS);
            if ours.is_empty() {
                return None;
            }
            let peers = self.on(backend).flat_map(|time| &time.stores);
            let peers = distinct(peers.map(|(store, _)| *store));
            // The cost of serialization (`der`) is in the chart.
            let peers = peers
                .into_iter()
                .filter(|store| !store.starts_with(OURS) && *store != "der");
            let peers: Vec<_> = peers
                .map(|peer| {
                    let name = match peer {
                        "rustls-memory" => "its own cache",
                        "hyper-openssl" => "a cache like that of hyper-openssl",
                        other => &sanitize::line(other),
                    };
                    format!("{name}: {}", list(&self.added_by(backend, peer)))
                })
                .collect();
            let against = if peers.is_empty() {
                String::new()
            } else {
                format!(" ({})", peers.join("; "))
            };
            Some(format!("on {} {}{against}", name(backend), list(&ours)))
        });
        let parts: Vec<_> = parts.collect();
        (!parts.is_empty()).then(|| {
            format!(
                "Compared with a session in a variable, our store adds to a resumed handshake: {}.",
                parts.join("; ")
            )
        })
    }

    /// What a store adds with each TLS version.
    fn added_by(&self, backend: &str, store: &str) -> Vec<String> {
        let stores = self.on(backend).filter_map(|time| {
            let (_, words) = time.stores.iter().find(|(name, _)| *name == store)?;
            Some(format!("{words} with {}", time.protocol))
        });
        stores.collect()
    }
}

/// The time that the row's store adds, in words.
fn added(row: &HandshakeRow) -> Option<String> {
    let ns = row.store_ns?;
    let interval = row.store_ns_low.zip(row.store_ns_high);
    let is_noise = interval.is_some_and(|(low, high)| low <= 0.0 && high >= 0.0);
    let us = format!("{:.1}", ns / 1e3).replace('-', "\u{2212}");
    Some(
        if is_noise || us.trim_start_matches('\u{2212}') == "0.0" && interval.is_none() {
            NOISE.to_owned()
        } else {
            format!("{us}\u{a0}\u{b5}s")
        },
    )
}

fn percent(part: f64) -> String {
    format!("{}\u{a0}%", count(&format!("{:.0}", part * 100.0)))
}

/// A fraction in words.
fn fraction(part: f64) -> String {
    let hundredths = part * 100.0;
    if (49.5..50.5).contains(&hundredths) {
        "half".to_owned()
    } else if hundredths < 0.5 {
        "less than 1\u{a0}%".to_owned()
    } else {
        percent(part)
    }
}

/// What single operations on the store cost.
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

/// Joins by commas and a final "and".
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
            end: None,
            kind: String::new(),
            resumed_rate: None,
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
            whole_ns: None,
            whole_ns_low: None,
            whole_ns_high: None,
            error: None,
        }
    }

    #[test]
    fn the_summary_has_three_sentences() {
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
                "With X25519 and ECDSA certificates, resuming saves a client this much of its time \
                 for a handshake: on rustls 75\u{a0}% with TLS 1.3 (50.0 instead of \
                 200\u{a0}\u{b5}s); on OpenSSL 87\u{a0}% with TLS 1.3 (50.5 instead of \
                 400\u{a0}\u{b5}s).",
                "For TLS 1.3, rustls needs half of OpenSSL\u{2019}s time for a full handshake and \
                 rustls is as fast as OpenSSL for a resumed one.",
                "Compared with a session in a variable, our store adds to a resumed handshake: on \
                 rustls 2.0\u{a0}\u{b5}s with TLS 1.3 (its own cache: 0.5\u{a0}\u{b5}s with TLS \
                 1.3); on OpenSSL 2.7\u{a0}\u{b5}s with TLS 1.3.",
            ]
        );
        // In whatever order they come, and where neither side wins all.
        report.handshakes.swap(1, 4);
        report.handshakes[0].client_us.as_mut().unwrap().median = 900.0;
        let faster = sentences(&report).remove(1);
        assert!(
            faster.contains("OpenSSL needs 44\u{a0}% of rustls\u{2019}s time for a full handshake"),
            "{faster}"
        );
    }

    #[test]
    fn small_differences_are_not_exaggerated() {
        let mut report = empty();
        report.handshakes = vec![
            row("rustls", "none", 100.0, None),
            row("rustls", OURS, 228.0, Some(-300.0)),
            row("openssl", "none", 104.0, None),
            row("openssl", OURS, 105.0, Some(-2_600.0)),
        ];
        report.handshakes[1].store_ns_low = Some(-900.0);
        report.handshakes[1].store_ns_high = Some(200.0);
        let said = sentences(&report);
        assert!(said[0].contains("costs 128\u{a0}% more"), "{said:?}");
        assert!(said[0].contains("next to nothing with TLS 1.3"), "{said:?}");
        assert!(said[1].contains("rustls is as fast as OpenSSL"), "{said:?}");
        assert!(said[2].contains(&format!("on rustls {NOISE}")), "{said:?}");
        assert!(said[2].contains("\u{2212}2.6\u{a0}"), "{said:?}");
    }

    #[test]
    fn missing_sentences_have_a_reason() {
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
            n: None,
            bytes_per_server: None,
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
        assert!(sentences(&report)[1].starts_with("Which library is faster is not in"));
        report.handshakes[1].error = Some("it was full".to_owned());
        assert!(sentences(&report)[0].starts_with("What resumption saves is not in"));
    }
}
