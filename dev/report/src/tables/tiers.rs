//! The table of tiers.

use super::Table;
use super::table::Best;
use crate::number::fixed;
use crate::{Report, TierRow};

/// A row per tier and number of processes. Notes list the missing tiers.
pub(super) fn table(report: &Report) -> Table {
    let title = "Latency of the tiers, used by several processes at the same time. Put and take: \
                 one call of the tier. Prefetch: until a session is in memory.";
    let header = [
        "tier",
        "processes",
        "put median, us",
        "put p99, us",
        "take median, us",
        "take p99, us",
        "prefetch median, us",
        "prefetch p99, us",
    ];
    let mut table = Table::new(title, &header, 1);
    let label = |row: &TierRow| (row.tier.clone(), row.processes);
    for rows in report.tiers.chunk_by(|one, next| label(one) == label(next)) {
        let (tier, processes) = label(&rows[0]);
        let mut cells = vec![tier, processes.to_string()];
        for op in ["put", "take", "prefetch"] {
            let row = rows.iter().find(|row| row.op == op);
            cells.push(fixed(row.map(|row| row.median_us), 1));
            cells.push(fixed(row.map(|row| row.p99_us), 1));
        }
        table.row(cells);
    }
    let legend = "the best tier with this number of processes";
    table.mark_best(2..header.len(), Best::Least, &[1], legend, |_| true);
    let missing = report.skipped.iter();
    let missing = missing.filter(|(what, _)| what.starts_with("tiers ("));
    let missing = missing.map(|(what, why)| format!("skipped: {what}: {why}"));
    table.notes.extend(missing);
    table
}
