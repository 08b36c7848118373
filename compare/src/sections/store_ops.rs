//! What one operation on a store costs, with real tickets of rustls; see [`peers::ops`].

use std::collections::BTreeMap;

use peers::ops::{self, Plan};

use crate::cli::RunOptions;
use crate::report::{Report, StoreOpRow};
use crate::table::Style;
use crate::{counting, progress};

/// Measures all that was asked for, and puts it into the report.
pub fn run(options: &RunOptions, report: &mut Report) -> Vec<String> {
    let plan = if options.quick {
        Plan::quick(options.seed, Some(counting::measure))
    } else {
        Plan::full(options.seed, Some(counting::measure))
    };
    let bar = progress::bar(plan.steps(), "store");
    let measured = ops::measure(&plan, &mut progress::each(&bar));
    bar.finish_and_clear();
    report.store_ops = measured.rows.iter().map(row).collect();
    Vec::new()
}

fn row(row: &ops::Row) -> StoreOpRow {
    StoreOpRow {
        store: row.store.to_string(),
        op: row.op.to_string(),
        servers: row.servers,
        ns_median: (row.ns * 10.0).round() / 10.0,
        allocations: row.allocations,
    }
}

/// What the report has of it, for people to read.
pub fn text(report: &Report, style: Style) -> String {
    let title = "One operation on a store, one thread: nanoseconds, and in brackets allocations.";
    style.titled(title, show(&report.store_ops, style))
}

/// The rows as a table: a line for each operation, a column for each store.
pub fn show(rows: &[StoreOpRow], style: Style) -> String {
    let mut stores: Vec<&str> = Vec::new();
    let mut lines: Vec<(usize, &str)> = Vec::new();
    let mut cells = BTreeMap::new();
    for row in rows {
        if !stores.contains(&row.store.as_str()) {
            stores.push(&row.store);
        }
        let line = (row.servers, row.op.as_str());
        if !lines.contains(&line) {
            lines.push(line);
        }
        let allocations = row.allocations.unwrap_or_default();
        let cell = format!("{:.0} ({allocations:.1})", row.ns_median);
        cells.insert((line, row.store.as_str()), cell);
    }
    let mut header = vec!["servers", "operation"];
    header.extend(&stores);
    let mut table = style.table(&header, 2);
    for line in lines {
        let mut row = vec![line.0.to_string(), line.1.to_owned()];
        row.extend(stores.iter().map(|store| {
            let cell = cells.get(&(line, *store)).cloned();
            cell.unwrap_or_else(|| "-".to_owned())
        }));
        table.add_row(row);
    }
    table.to_string()
}
