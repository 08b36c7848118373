//! Partitions of a store: R35.

use lab::server::Protocol;
use tls_resume::{Limits, Resumption};

use crate::check::{CheckResult, message};
use crate::claim::Claim;
use crate::client::{Client, Connection, Options};
use crate::fixture::{Fixture, HOST, PORT};

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    let if_supported =
        |title, check: fn() -> CheckResult| Claim::new("R35", title, check).unless(C::NO_OPTIONS);
    vec![
        if_supported(
            "partitions do not resume each other's sessions",
            partitions_are_separate::<C>,
        ),
        if_supported(
            "clear of one partition leaves the others",
            one_partition_is_cleared::<C>,
        ),
        if_supported(
            "after clear of a partition, its late tickets are refused",
            late_tickets_are_refused::<C>,
        ),
        if_supported(
            "one partition does not push out the others",
            shares_are_fair::<C>,
        ),
    ]
}

fn partition(name: &str) -> Options {
    Options {
        partition: Some(name.to_owned()),
        ..Options::default()
    }
}

fn visit<C: Client>(fixture: &Fixture<C>, options: &Options, expected: Resumption) -> CheckResult {
    let what = format!("in the partition {:?}", options.partition);
    fixture.visit_with(PORT, options)?.is(expected, &what)
}

fn partitions_are_separate<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let fixture = Fixture::<C>::new(protocol)?;
        let (none, a, b) = (Options::default(), partition("a"), partition("b"));
        for expected in [Resumption::Full, Resumption::Resumed] {
            for options in [&a, &b, &none] {
                visit(&fixture, options, expected)?;
            }
        }
    }
    Ok(())
}

fn one_partition_is_cleared<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let fixture = Fixture::<C>::new(protocol)?;
        let (none, a, b) = (Options::default(), partition("a"), partition("b"));
        for options in [&none, &a, &b] {
            fixture.visit_with(PORT, options)?;
        }
        fixture.client.clear_partition("a");
        visit(&fixture, &a, Resumption::Full)?;
        visit(&fixture, &b, Resumption::Resumed)?;
        visit(&fixture, &none, Resumption::Resumed)?;
    }
    Ok(())
}

fn late_tickets_are_refused<C: Client>() -> CheckResult {
    let fixture = Fixture::<C>::new(Protocol::Tls13)?;
    let (client, options) = (&fixture.client, partition("a"));
    let opened = client.connect_with(HOST, PORT, fixture.wire(), &options);
    let mut connection = opened.map_err(message)?;
    client.clear_partition("a");
    connection.read_tickets()?;
    connection.close()?;
    let visit = fixture.visit_with(PORT, &options)?;
    visit.is(Resumption::Full, "after a clear before the tickets")
}

fn shares_are_fair<C: Client>() -> CheckResult {
    let fixture = Fixture::<C>::with_limits(Protocol::Tls13, Limits::default().with_servers(8))?;
    let (quiet, greedy) = (partition("quiet"), partition("greedy"));
    for port in 1..=4 {
        fixture.visit_with(port, &quiet)?;
    }
    for port in 1..=20 {
        for _ in 0..2 {
            fixture.visit_with(port, &greedy)?;
        }
    }
    for port in 1..=4 {
        let visit = fixture.visit_with(port, &quiet)?;
        visit.is(
            Resumption::Resumed,
            "in the partition with half of the servers",
        )?;
    }
    Ok(())
}
