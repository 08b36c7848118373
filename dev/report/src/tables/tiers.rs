//! What places beyond the process take.

use super::Table;
use crate::{Report, TierRow};

/// A line for each tier and number of processes; below, what is missing and why.
pub(super) fn table(report: &Report) -> Table {
    let title = "What places beyond the process take, with so many processes at work.\n\
                 Put and take: one call of the tier. Prefetch: until a session is in memory.";
    let missing = report.skipped.iter();
    let missing = missing.filter(|(what, _)| what.starts_with("tiers ("));
    let missing = missing.map(|(what, why)| format!("skipped: {what}: {why}"));
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
    let mut table = Table::new(title, &header, 1);
    let of = |row: &TierRow| (row.tier.clone(), row.processes);
    for lines in report.tiers.chunk_by(|one, next| of(one) == of(next)) {
        let (tier, processes) = of(&lines[0]);
        let mut cells = vec![tier, processes.to_string()];
        for op in ["put", "take", "prefetch"] {
            let row = lines.iter().find(|row| row.op == op);
            cells.extend(match row {
                Some(row) => [row.median_us, row.p99_us].map(|us| format!("{us:.1}")),
                None => ["-", "-"].map(str::to_owned),
            });
        }
        table.row(cells);
    }
    table.notes.extend(missing);
    table
}
