//! Charts of hit rates.

use super::{Figures, counts, distinct, rising};
use crate::HitRateRow;
use crate::chart::{Bar, Bars, Body, Chart, Line, Lines, Paint, Scale};
use crate::number::megabytes;

pub(super) fn figures(rows: &[HitRateRow]) -> Figures {
    let traces = distinct(rows.iter().map(|row| row.trace.as_str()));
    let charts = traces.into_iter().map(|trace| {
        let here: Vec<_> = rows.iter().filter(|row| row.trace == trace).collect();
        let budgets = rising(here.iter().map(|row| row.budget));
        let n = counts(here.iter().map(|row| row.connections));
        let (note, body) = match budgets.as_slice() {
            [budget] => (
                format!("resumed, %, with {}\u{a0}MB; {n}", megabytes(*budget)),
                bars(&here),
            ),
            _ => (format!("resumed, %; {n}"), lines(&here, &budgets)),
        };
        Chart {
            title: trace.to_owned(),
            note,
            body,
        }
    });
    Figures {
        lead:
            "The share of a trace\u{2019}s connections that is resumed, with stores of equal size, \
               their overhead included. The ceiling is an unbounded store, which drops expired \
               tickets only."
                .to_owned(),
        charts: charts.collect(),
        notes: vec![
            "zipf: servers drawn by Zipf\u{2019}s law with that exponent; crawl: many servers \
             visited a few times; mta: a mail server. \u{2212}64, \u{2212}8, \u{2212}2: the limit \
             of tickets per server. rustls default: rustls\u{2019}s own cache with its default \
             limits."
                .to_owned(),
        ],
    }
}

fn label(store: &str) -> String {
    match store {
        "rustls-memory-default" => "rustls default".to_owned(),
        other => other.to_owned(),
    }
}

fn bars(rows: &[&HitRateRow]) -> Body {
    let bars = rows.iter().map(|row| {
        let paint = Paint::for_store(&row.store);
        let mut bar = Bar::new(label(&row.store), row.rate * 100.0, "%", paint);
        bar.text = format!("{:.1}\u{a0}%", row.rate * 100.0);
        bar
    });
    Body::Bars(Bars(bars.collect()))
}

fn lines(rows: &[&HitRateRow], budgets: &[usize]) -> Body {
    let stores = distinct(rows.iter().map(|row| row.store.as_str()));
    let lines = stores.into_iter().map(|store| {
        let at = |budget: &usize| {
            let is_it = |row: &&&HitRateRow| row.store == store && row.budget == *budget;
            rows.iter().find(is_it).map(|row| row.rate * 100.0)
        };
        let values: Vec<_> = budgets.iter().map(at).collect();
        let last = values.last().copied().flatten();
        Line {
            label: label(store),
            paint: Paint::for_store(store),
            values,
            text: last.map_or_else(|| "-".to_owned(), |last| format!("{last:.1}")),
        }
    });
    Body::Lines(Lines {
        steps: budgets.iter().map(|budget| megabytes(*budget)).collect(),
        step: "MB for the store".to_owned(),
        all: lines.collect(),
        scale: Scale::Percent,
    })
}
