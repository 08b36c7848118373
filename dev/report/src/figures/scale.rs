//! The chart of a very large store.

use super::{Figures, counts};
use crate::ScaleRow;
use crate::chart::{Body, Chart, Line, Lines, Paint, Scale};
use crate::number::{count, short};

pub(super) fn figures(rows: &[ScaleRow]) -> Figures {
    let lines = rows.iter().map(|row| {
        let values = [
            row.p50_us,
            row.p99_us,
            row.p99_9_us,
            row.p99_99_us,
            row.max_us,
        ];
        Line {
            label: row.op.clone(),
            paint: match row.op.as_str() {
                "put" => Paint::Ours,
                "take" => Paint::Lru,
                _ if row.is_empty_loop() => Paint::Reference,
                _ => Paint::Moka,
            },
            values: values.map(|us| Some(us).filter(|us| *us > 0.0)).into(),
            text: short(row.max_us),
        }
    });
    let lines: Vec<Line> = lines.collect();
    let values = lines.iter().flat_map(|line| line.values.iter().flatten());
    let scale = Scale::of([values.copied()]);
    let servers = rows.first().map_or(0, |row| row.servers);
    let charts = vec![Chart {
        title: format!("{} servers", count(&servers)),
        note: format!("\u{b5}s per call; {}", counts(rows.iter().map(|row| row.n))),
        body: Body::Lines(Lines {
            steps: ["50", "99", "99.9", "99.99", "100"]
                .map(str::to_owned)
                .into(),
            step: "percentile".to_owned(),
            all: lines,
            scale,
        }),
    }];
    let notes = rows.first().map(|row| {
        format!(
            "Bytes: limit {}, counted by the store {}, allocated {}.",
            count(&row.budget),
            count(&row.bytes_counted),
            count(&row.bytes_allocated)
        )
    });
    Figures {
        lead: "Latency of our store when it is full of servers, evicts at every put, and sweeps. \
               Empty loop: arithmetic that touches no memory, timed between the operations; its \
               stalls are the machine\u{2019}s."
            .to_owned(),
        charts,
        notes: notes.into_iter().collect(),
    }
}
