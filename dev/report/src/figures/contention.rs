//! Charts of threads that share a store.

use super::{Figures, counted, distinct, name, rising};
use crate::ContentionRow;
use crate::chart::{Body, Chart, Line, Lines, Paint, Scale};
use crate::number::short;

/// Suffix of mixes that count the same handshakes by the client's time alone.
const CLIENT_TIME: &str = "client's time";

pub(super) fn figures(rows: &[ContentionRow], cores: usize) -> Figures {
    let shown = || rows.iter().filter(|row| !row.mix.ends_with(CLIENT_TIME));
    let panels = distinct(shown().map(|row| (row.mix.as_str(), store(row).1)));
    let charts = panels.into_iter().map(|(mix, backend)| {
        let here: Vec<_> = shown()
            .filter(|row| row.mix == mix && store(row).1 == backend)
            .collect();
        panel(mix, backend, &here, cores)
    });
    Figures {
        lead: format!(
            "Throughput of each thread when several share one store, on {cores} processors. \
             The dashed line is the ideal for the store that it names: the throughput of one \
             thread, constant up to {cores} threads, and in proportion less with more. in-hand: \
             each thread has its own sessions, so nothing is shared."
        ),
        charts: charts.collect(),
        notes: if rows.len() > shown().count() {
            vec!["The handshakes by the client\u{2019}s time alone are in the table.".to_owned()]
        } else {
            Vec::new()
        },
    }
}

/// As [`Paint::for_store`], without dashes, which mark the ideal.
fn paint(store: &str) -> Paint {
    match Paint::for_store(store) {
        Paint::Reference => Paint::Other,
        paint => paint,
    }
}

/// The store, and the backend if the row is about handshakes.
fn store(row: &ContentionRow) -> (&str, Option<&str>) {
    row.store
        .split_once(", ")
        .map_or((row.store.as_str(), None), |(store, backend)| {
            (store, Some(backend))
        })
}

fn panel(mix: &str, backend: Option<&str>, rows: &[&ContentionRow], cores: usize) -> Chart {
    let threads = rising(rows.iter().map(|row| row.threads));
    let stores = distinct(rows.iter().map(|row| store(row).0));
    let greatest = rows
        .iter()
        .map(|row| row.ops_per_s_per_thread)
        .fold(0.0, f64::max);
    let (unit, by) = if greatest >= 1e6 {
        ("million", 1e6)
    } else {
        ("thousand", 1e3)
    };
    let at = |store_name: &str, threads: usize| {
        let row = rows
            .iter()
            .find(|row| store(row).0 == store_name && row.threads == threads)?;
        Some(row.ops_per_s_per_thread / by)
    };
    let mut lines: Vec<_> = stores
        .iter()
        .map(|name| {
            let values: Vec<_> = threads.iter().map(|threads| at(name, *threads)).collect();
            let last = values.last().copied().flatten();
            Line {
                label: (*name).to_owned(),
                paint: paint(name),
                values,
                text: last.map_or_else(|| "-".to_owned(), short),
            }
        })
        .collect();
    let first = stores
        .iter()
        .find(|name| **name == "tls-resume")
        .or_else(|| stores.first());
    let alone = first
        .zip(threads.first())
        .and_then(|(name, threads)| Some((*name, at(name, *threads)?)));
    if let Some((name, alone)) = alone.filter(|_| cores > 0) {
        #[allow(clippy::cast_precision_loss, reason = "small numbers")]
        let share = |threads: &usize| Some(alone * (cores as f64 / *threads as f64).min(1.0));
        lines.push(Line {
            label: format!("ideal, {name}"),
            paint: Paint::OursVariant,
            values: threads.iter().map(share).collect(),
            text: String::new(),
        });
    }
    let what = if backend.is_some() {
        "handshakes"
    } else {
        "operations"
    };
    let of = backend.map(|backend| format!(", {}", name(backend)));
    Chart {
        title: format!("{mix}{}", of.unwrap_or_default()),
        note: format!(
            "{unit} {what} a second and thread{}",
            counted(rows.iter().filter_map(|row| row.n), "time slices: ")
        ),
        body: Body::Lines(Lines {
            steps: threads.iter().map(ToString::to_string).collect(),
            step: "threads".to_owned(),
            all: lines,
            scale: Scale::Linear,
        }),
    }
}
