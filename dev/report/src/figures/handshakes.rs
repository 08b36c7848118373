//! Charts of handshakes: times, bytes, and what each store adds.

use super::{Figures, counts, distinct, name};
use crate::HandshakeRow;
use crate::chart::{Bar, Bars, Body, Chart, Dot, Dots, Paint, Scale};
use crate::number::{count, short};

const OURS: &str = "tls-resume";

pub(super) fn figures(rows: &[HandshakeRow]) -> Figures {
    let typical: Vec<_> = rows.iter().filter(|row| row.is_typical()).collect();
    let scenarios = distinct(typical.iter().map(|row| scenario(row)));
    let mut charts: Vec<_> = scenarios.iter().map(|at| costs(*at, &typical)).collect();
    charts.extend(scenarios.iter().map(|at| bytes(*at, &typical)));
    // The charts of a library are adjacent, and all have the same scale.
    let backends = distinct(typical.iter().map(|row| row.backend.as_str()));
    let of_stores = backends.iter().flat_map(|backend| {
        let dots = |at: &(&str, &str)| added(backend, *at, &typical);
        scenarios.iter().map(dots)
    });
    let scale = Scale::of(of_stores.map(|dots| {
        let values = dots.into_iter();
        values.flat_map(|(_, dot)| [dot.low, dot.value, dot.high])
    }));
    for backend in backends {
        charts.extend(
            scenarios
                .iter()
                .map(|at| stores(backend, *at, &typical, scale)),
        );
    }
    charts.extend(hints(rows));
    Figures {
        lead:
            "The client\u{2019}s time for a handshake, from the request for a connection until the \
               tickets are stored, with a server of the same library and an ECDSA key. Resumed: \
               with a session from our store. What a store adds is the median of the differences, \
               within a round, to a session in a variable (in-hand); the line is the 95 % \
               confidence interval."
                .to_owned(),
        charts,
        notes: vec![
            "rustls-memory: rustls\u{2019}s own cache. hyper-openssl: a re-creation of that \
             crate\u{2019}s cache. der: every session is encoded and decoded."
                .to_owned(),
        ],
    }
}

/// Full and resumed handshakes of each library in one chart.
pub(crate) fn overview(rows: &[HandshakeRow]) -> Chart {
    let typical: Vec<_> = rows
        .iter()
        .filter(|row| row.is_typical() && row.group == "X25519")
        .collect();
    let mut bars = Vec::new();
    for at in distinct(typical.iter().map(|row| scenario(row))) {
        let mut group = kinds(at, &typical);
        if let Some(first) = group.first_mut() {
            first.heading = Some(at.0.to_owned());
        }
        bars.extend(group);
    }
    Chart {
        title: "What resumption saves a client".to_owned(),
        note: format!(
            "client time of a handshake in microseconds, median, X25519, ECDSA; {}",
            counts(
                typical
                    .iter()
                    .filter(|row| is_shown(row))
                    .map(|row| row.rounds as u64)
            )
        ),
        body: Body::Bars(Bars(bars)),
    }
}

fn scenario(row: &HandshakeRow) -> (&str, &str) {
    (&row.protocol, &row.group)
}

fn is_shown(row: &HandshakeRow) -> bool {
    row.store == "none" || row.store == OURS
}

fn costs(at: (&str, &str), rows: &[&HandshakeRow]) -> Chart {
    let shown = rows
        .iter()
        .filter(|row| scenario(row) == at && is_shown(row));
    Chart {
        title: format!("{}, {}: time", at.0, at.1),
        note: format!(
            "client time, \u{b5}s, median; {}",
            counts(shown.map(|row| row.rounds as u64))
        ),
        body: Body::Bars(Bars(kinds(at, rows))),
    }
}

fn kinds(at: (&str, &str), rows: &[&HandshakeRow]) -> Vec<Bar> {
    let shown = rows
        .iter()
        .filter(|row| scenario(row) == at && is_shown(row));
    let bars = shown.filter_map(|row| {
        let us = row.client_us?.median;
        let label = format!("{}, {}", name(&row.backend), row.kind);
        let paint = Paint::for_backend(&row.backend, row.kind == "full");
        Some(Bar::new(label, us, "\u{b5}s", paint))
    });
    bars.collect()
}

fn bytes((protocol, group): (&str, &str), rows: &[&HandshakeRow]) -> Chart {
    let shown = rows
        .iter()
        .filter(|row| scenario(row) == (protocol, group) && is_shown(row));
    let bars = shown.clone().map(|row| {
        let label = format!("{}, {}", name(&row.backend), row.kind);
        let paint = Paint::for_backend(&row.backend, row.kind == "full");
        let bytes = row.bytes_in.saturating_add(row.bytes_out);
        #[allow(clippy::cast_precision_loss, reason = "for people to see")]
        let mut bar = Bar::new(label, bytes as f64, "B", paint);
        bar.text = format!("{}\u{a0}B", count(&bytes));
        bar
    });
    Chart {
        title: format!("{protocol}, {group}: bytes"),
        note: format!(
            "received and sent, median; {}",
            counts(shown.clone().map(|row| row.rounds as u64))
        ),
        body: Body::Bars(Bars(bars.collect())),
    }
}

/// The number of rounds, and the time added, for each store.
fn added(backend: &str, at: (&str, &str), rows: &[&HandshakeRow]) -> Vec<(u64, Dot)> {
    let here = rows
        .iter()
        .filter(|row| row.backend == backend && scenario(row) == at);
    let dots = here.filter_map(|row| {
        let [value, low, high] =
            [row.store_ns, row.store_ns_low, row.store_ns_high].map(|ns| ns.or(row.store_ns));
        let (value, low, high) = (value? / 1e3, low? / 1e3, high? / 1e3);
        let dot = Dot {
            label: row.store.clone(),
            value,
            low,
            high,
            text: format!("{}\u{a0}\u{b5}s", short(value)),
            paint: Paint::for_store(&row.store),
        };
        Some((row.rounds as u64, dot))
    });
    dots.collect()
}

fn stores(backend: &str, at: (&str, &str), rows: &[&HandshakeRow], scale: Scale) -> Chart {
    let (rounds, dots): (Vec<_>, Vec<_>) = added(backend, at, rows).into_iter().unzip();
    Chart {
        title: format!("{}, {}, {}: stores", name(backend), at.0, at.1),
        note: format!(
            "time added, \u{b5}s, median of differences; {}",
            counts(rounds.into_iter())
        ),
        body: Body::Dots(Dots {
            rows: dots,
            tails: false,
            unit: "\u{b5}s over in-hand".to_owned(),
            scale,
        }),
    }
}

/// The gain of knowing the server's group.
fn hints(rows: &[HandshakeRow]) -> Option<Chart> {
    let known = rows
        .iter()
        .filter(|row| row.backend == "openssl" && row.offered == "default" && row.error.is_none());
    let shown: Vec<_> = known
        .filter(|row| row.store == OURS || row.store == "in-hand")
        .collect();
    let groups = distinct(shown.iter().map(|row| row.group.as_str()));
    let mut bars = Vec::new();
    for group in groups {
        let here = shown.iter().filter(|row| row.group == group);
        let mut some: Vec<_> = here
            .filter_map(|row| {
                let label = if row.store == OURS {
                    "known group first"
                } else {
                    "library\u{2019}s default"
                };
                let us = row.client_us?.median;
                Some(Bar::new(label, us, "\u{b5}s", Paint::for_store(&row.store)))
            })
            .collect();
        if let Some(first) = some.first_mut() {
            first.heading = Some(format!("server chooses {group}"));
        }
        bars.extend(some);
    }
    let of = shown.first()?;
    Some(Chart {
        title: format!(
            "Knowing the server\u{2019}s group: {}, {}",
            name(&of.backend),
            of.protocol
        ),
        note: format!(
            "resumed, client time, \u{b5}s, median; {}",
            counts(shown.iter().map(|row| row.rounds as u64))
        ),
        body: Body::Bars(Bars(bars)),
    })
}
