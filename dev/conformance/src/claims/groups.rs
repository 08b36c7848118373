//! The key-exchange group that a server chose last: R39.

use lab::server::{Group, Protocol, ServerSettings};
use tls_resume::Resumption;

use crate::check::{CheckResult, equal, holds};
use crate::claim::Claim;
use crate::client::Client;
use crate::fixture::Fixture;

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    vec![
        Claim::new(
            "R39",
            "the first key share is for the group that the server chose last",
            the_servers_group_has_the_first_key_share::<C>,
        )
        .unless(C::NO_KEY_SHARES),
        Claim::new(
            "R39",
            "the group that the server chose last replaces no other",
            no_group_is_missing::<C>,
        ),
    ]
}

const GROUPS: [(Group, u16); 2] = [(Group::P256, 23), (Group::X25519, 29)];

fn the_servers_group_has_the_first_key_share<C: Client>() -> CheckResult {
    let accept = |group| move |settings: &mut ServerSettings| settings.groups = vec![group];
    let mut fixture = Fixture::<C>::with(Protocol::Tls13, accept(Group::P256), |_| {})?;
    for (group, number) in GROUPS {
        // The server changes its group, and with it all else.
        fixture.server = Fixture::<C>::with(Protocol::Tls13, accept(group), |_| {})?.server;
        fixture.visit()?;
        for _ in 0..2 {
            let visit = fixture.visit()?;
            visit.is(Resumption::Resumed, "a later visit")?;
            let first = visit.key_shares.first().copied();
            equal(&first, &Some(number), "the group of the first key share")?;
        }
    }
    Ok(())
}

fn no_group_is_missing<C: Client>() -> CheckResult {
    let fixture = Fixture::<C>::new(Protocol::Tls13)?;
    let mut all = fixture.visit()?.groups;
    all.sort_unstable();
    holds(all.len() > 1, "a client that offers several groups")?;
    for (group, _) in GROUPS {
        let settings = |settings: &mut ServerSettings| settings.groups = vec![group];
        let other = Fixture::<C>::with(Protocol::Tls13, settings, |_| {})?;
        for _ in 0..3 {
            let mut groups = other.visit()?.groups;
            groups.sort_unstable();
            equal(&groups, &all, "the groups offered")?;
        }
    }
    Ok(())
}
