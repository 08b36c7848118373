//! Charts of the tiers.

use super::{Figures, counts, distinct, rising};
use crate::Report;
use crate::chart::{Body, Chart, Dot, Dots, Paint, Scale};
use crate::number::short;

pub(super) fn figures(report: &Report) -> Figures {
    let rows = &report.tiers;
    // The same scale for all tiers, so that they can be compared.
    let scale = Scale::of([rows.iter().flat_map(|row| [row.median_us, row.p99_us])]);
    let charts =
        distinct(rows.iter().map(|row| row.tier.as_str()))
            .into_iter()
            .map(|tier| {
                let here: Vec<_> = rows.iter().filter(|row| row.tier == tier).collect();
                let mut dots = Vec::new();
                for op in distinct(here.iter().map(|row| row.op.as_str())) {
                    let of_op = || here.iter().filter(|row| row.op == op);
                    for processes in rising(of_op().map(|row| row.processes)) {
                        dots.extend(of_op().filter(|row| row.processes == processes).map(|row| {
                            Dot {
                                label: format!("{op}, {processes}\u{a0}proc."),
                                value: row.median_us,
                                low: row.median_us,
                                high: row.p99_us,
                                text: format!("{} | {}", short(row.median_us), short(row.p99_us)),
                                paint: match op {
                                    "put" => Paint::Ours,
                                    "take" => Paint::Lru,
                                    _ => Paint::Moka,
                                },
                            }
                        }));
                    }
                }
                Chart {
                    title: tier.to_owned(),
                    note: format!(
                        "\u{b5}s per call, median | p99; {}",
                        counts(here.iter().map(|row| row.n as u64))
                    ),
                    body: Body::Dots(Dots {
                        rows: dots,
                        tails: true,
                        unit: "\u{b5}s: \u{25cf} median, \u{25cb} p99".to_owned(),
                        scale,
                    }),
                }
            });
    let missing = report.skipped.iter();
    let missing = missing.filter(|(what, _)| what.starts_with("tiers ("));
    Figures {
        lead:
            "Latency of the tiers, used by several processes at the same time. Put and take: one \
               call of the tier. Prefetch: until a session is in memory, where a handshake finds \
               it."
            .to_owned(),
        charts: charts.collect(),
        notes: missing
            .map(|(what, why)| format!("Missing: {what}: {why}."))
            .collect(),
    }
}
