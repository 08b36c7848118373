//! Kinds of tickets, and names with several addresses.

use super::table::{decimal, percent};
use super::{Plan, Results, Table, with_and_without};
use crate::fleet::{Addresses, Scenario, Tickets};

pub(super) fn run(plan: &Plan, progress: &mut dyn FnMut(&str), results: &mut Results) {
    progress("kinds of tickets");
    let kinds = [
        (
            "2 tickets, 1 after a resumption (OpenSSL); each used once",
            (2, 1, false),
        ),
        (
            "4 tickets, 2 after a resumption; each used once",
            (4, 2, false),
        ),
        (
            "1 ticket, none after a resumption (Postfix); used once",
            (1, 0, false),
        ),
        (
            "1 ticket, none after a resumption; reused until renewed",
            (1, 0, true),
        ),
        (
            "2 tickets, 1 after a resumption; reused until renewed",
            (2, 1, true),
        ),
    ];
    let scenarios = kinds.map(|(name, (after_full, after_resumed, reuse))| {
        let scenario = Scenario {
            tickets: Tickets {
                after_full,
                after_resumed,
                reuse,
            },
            ..plan.scenario(plan.machines)
        };
        (name, scenario)
    });
    results.tables.push(table(
        format!("Tickets, {} machines", plan.machines),
        "tickets of the servers",
        &scenarios,
    ));

    progress("addresses");
    let addresses = [
        (
            "one machine, or several that share ticket keys",
            Addresses::SharedKeys,
        ),
        (
            "4 machines with own keys behind one address",
            Addresses::Hidden(4),
        ),
        (
            "4 machines with own keys and addresses",
            Addresses::Known(4),
        ),
        (
            "the same, each stored by itself (`endpoint`)",
            Addresses::Named(4),
        ),
    ];
    let scenarios = addresses.map(|(name, addresses)| {
        let scenario = Scenario {
            addresses,
            ..plan.scenario(plan.machines)
        };
        (name, scenario)
    });
    results.tables.push(table(
        format!("Names with several machines, {} clients", plan.machines),
        "machines of a name",
        &scenarios,
    ));
}

fn table(title: String, name: &'static str, scenarios: &[(&str, Scenario)]) -> Table {
    let rows = scenarios.iter().map(|(name, scenario)| {
        let [with, without] = with_and_without(scenario);
        let all = with.all();
        vec![
            (*name).to_owned(),
            percent(without.all().rate()),
            percent(all.rate()),
            decimal(all.calls_each()),
        ]
    });
    Table {
        title,
        header: vec![
            name,
            "resumed, each alone",
            "resumed, sharing",
            "calls of the tier a connection",
        ],
        rows: rows.collect(),
    }
}
