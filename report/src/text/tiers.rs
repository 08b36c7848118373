//! What places beyond the process take.

use super::Style;
use crate::{Report, TierRow};

/// What the report has of it, for people to read, with what is missing and why.
pub(super) fn text(report: &Report, style: Style) -> String {
    let title = "What places beyond the process take, with so many processes at work.\n\
                 Put and take: one call of the tier. Prefetch: until a session is in memory.";
    let missing = report.skipped.iter();
    let missing = missing.filter(|(what, _)| what.starts_with("tiers ("));
    let mut parts = vec![style.titled(title, show(&report.tiers, style))];
    parts.extend(missing.map(|(what, why)| format!("skipped: {what}: {why}")));
    parts.join("\n")
}

/// The rows as a table: a line for each tier and number of processes.
fn show(rows: &[TierRow], style: Style) -> String {
    let header = [
        "tier",
        "processes",
        "put us",
        "p99",
        "take us",
        "p99",
        "prefetch us",
        "p99",
    ];
    let mut table = style.table(&header, 1);
    let of = |row: &TierRow| (row.tier.clone(), row.processes);
    for lines in rows.chunk_by(|one, next| of(one) == of(next)) {
        let (tier, processes) = of(&lines[0]);
        let mut cells = vec![tier, processes.to_string()];
        for op in ["put", "take", "prefetch"] {
            let row = lines.iter().find(|row| row.op == op);
            cells.extend(match row {
                Some(row) => [row.median_us, row.p99_us].map(|us| format!("{us:.1}")),
                None => ["-", "-"].map(str::to_owned),
            });
        }
        table.add_row(cells);
    }
    table.to_string()
}
