//! What threads get done that share a store.

use super::{Figures, counted, distinct, name, rising};
use crate::ContentionRow;
use crate::chart::{Body, Chart, Ink, Line, Lines, Scale, short};

/// Mixes whose name ends so measure the same once more.
const ONCE_MORE: &str = "client's time";

pub(super) fn figures(rows: &[ContentionRow], cores: usize) -> Figures {
    let shown = || rows.iter().filter(|row| !row.mix.ends_with(ONCE_MORE));
    let panels = distinct(shown().map(|row| (row.mix.as_str(), store(row).1)));
    let charts = panels.into_iter().map(|(mix, backend)| {
        let here: Vec<_> = shown()
            .filter(|row| row.mix == mix && store(row).1 == backend)
            .collect();
        panel(mix, backend, &here, cores)
    });
    Figures {
        lead: format!(
            "What each of several threads gets done when all use one store; there were {cores} \
             processors. Flat would be ideal up to so many threads, and a like share of them \
             beyond: the dashed line, \u{201c}ideal\u{201d}, shows that for the store that it \
             names, from what one thread gets done. in-hand: each thread has its sessions for \
             itself, so nothing is shared."
        ),
        charts: charts.collect(),
        notes: if rows.len() > shown().count() {
            vec![
                "Counted by the client\u{2019}s time alone, the handshakes are in the table."
                    .to_owned(),
            ]
        } else {
            Vec::new()
        },
    }
}

/// The dashes are for the ideal alone.
fn ink(store: &str) -> Ink {
    match Ink::of_store(store) {
        Ink::Reference => Ink::Other,
        ink => ink,
    }
}

/// The store, and the library where there is one.
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
    let most = rows
        .iter()
        .map(|row| row.ops_per_s_per_thread)
        .fold(0.0, f64::max);
    let (unit, by) = if most >= 1e6 {
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
                ink: ink(name),
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
            ink: Ink::OursVariant,
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
            counted(rows.iter().filter_map(|row| row.n), "slices of time: ")
        ),
        body: Body::Lines(Lines {
            steps: threads.iter().map(ToString::to_string).collect(),
            step: "threads".to_owned(),
            all: lines,
            scale: Scale::Linear,
        }),
    }
}
