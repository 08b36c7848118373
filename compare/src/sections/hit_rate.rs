//! How often a session is there when it is needed, at equal bytes.
//!
//! Traces of connections in simulated time, the same for every store; simulated servers with real
//! lifetimes, who take nothing twice, count what was resumed. See [`peers::traces`].

use std::collections::BTreeMap;

use peers::traces::{self, Plan, Rate, Store};

use crate::cli::RunOptions;
use crate::progress;
use crate::report::{HitRateRow, Report};
use crate::table::Style;

/// Replays all that was asked for, and puts it into the report.
pub fn run(options: &RunOptions, report: &mut Report) -> Vec<String> {
    let plan = if options.quick {
        Plan::quick(options.seed)
    } else {
        Plan::full(options.seed)
    };
    let bar = progress::bar(plan.steps(), "hit rate");
    let rates = traces::measure(&plan, &mut progress::each(&bar));
    bar.finish_and_clear();
    report.hit_rate = rates.iter().map(row).collect();
    rates.iter().filter_map(mistake).collect()
}

/// What the report says of a rate.
pub fn row(rate: &Rate) -> HitRateRow {
    HitRateRow {
        trace: rate.trace.clone(),
        store: rate.store.to_string(),
        budget: rate.budget,
        connections: rate.tally.connections,
        rate: rate.resumed(),
    }
}

/// What a store did that no client may do.
pub fn mistake(rate: &Rate) -> Option<String> {
    let Rate { trace, store, .. } = rate;
    let (twice, elsewhere) = (rate.tally.used_twice, rate.tally.foreign);
    if twice > 0 || elsewhere > 0 {
        return Some(format!(
            "hit rate, {trace}, {store}: {twice} tickets offered twice, {elsewhere} to servers \
             that did not give them"
        ));
    }
    let late = rate.tally.expired;
    (*store == Store::TlsResume && late > 0)
        .then(|| format!("hit rate, {trace}, {store}: {late} tickets offered that had expired"))
}

/// What the report has of it, for people to read.
pub fn text(report: &Report, style: Style) -> String {
    let title = "Connections that are resumed, in percent, with stores of equal bytes. -64, -8, \
                 -2: the most\ntickets of a server. ceiling: a store that forgets nothing but \
                 what has expired.";
    style.titled(title, show(&report.hit_rate, style))
}

/// The rows as a table: a line for each store with each budget, a column for each trace.
pub fn show(rows: &[HitRateRow], style: Style) -> String {
    let mut traces: Vec<&str> = Vec::new();
    let mut stores: Vec<&str> = Vec::new();
    let mut percent = BTreeMap::new();
    for row in rows {
        if !traces.contains(&row.trace.as_str()) {
            traces.push(&row.trace);
        }
        if !stores.contains(&row.store.as_str()) {
            stores.push(&row.store);
        }
        let cell = format!("{:.2}", 100.0 * row.rate);
        percent.insert((row.budget, row.store.as_str(), row.trace.as_str()), cell);
    }
    let mut budgets: Vec<_> = rows.iter().map(|row| row.budget).collect();
    budgets.sort_unstable();
    budgets.dedup();

    let mut table = style.table(&[&["MB", "store"], traces.as_slice()].concat(), 2);
    for budget in budgets {
        for store in &stores {
            let cell = |trace: &&str| {
                let cell = percent.get(&(budget, *store, *trace));
                cell.map_or("-", String::as_str).to_owned()
            };
            let megabytes = format!("{}.{}", budget / 1_000_000, budget / 100_000 % 10);
            let mut cells = vec![megabytes, (*store).to_owned()];
            cells.extend(traces.iter().map(cell));
            table.add_row(cells);
        }
    }
    table.to_string()
}
