//! The key of a session, its server and its security domain: R1 to R3, R5 and R6.

use std::collections::HashSet;

use lab::server::Protocol;
use tls_resume::Resumption;

use crate::check::{CheckResult, equal, holds, message};
use crate::claim::Claim;
use crate::client::{Client, Connection, Setup};
use crate::fixture::{Fixture, HOST, OTHER_HOST, PORT, client_identity, foreign_root, setup};

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    vec![
        Claim::new("R1", "another port is another server", ports_differ::<C>),
        Claim::new("R1", "another name is another server", names_differ::<C>),
        Claim::new(
            "R1",
            "case and a trailing dot do not make another server",
            spellings_are_equal::<C>,
        ),
        Claim::new(
            "R1",
            "different settings have different security domains",
            settings_differ::<C>,
        ),
        Claim::new(
            "R2",
            "fields of the security domain are delimited",
            fields_are_delimited::<C>,
        ),
        Claim::new(
            "R3",
            "a late ticket is stored for its own server",
            late_tickets_keep_their_server::<C>,
        ),
        Claim::new(
            "R5",
            "sessions are not resumed under changed settings",
            changed_settings_do_not_resume::<C>,
        ),
        Claim::new(
            "R6",
            "a host can be kept from resuming",
            hosts_never_resume::<C>,
        ),
    ]
}

fn ports_differ<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let fixture = Fixture::<C>::new(protocol)?;
        fixture.visit_at(HOST, PORT)?;
        let other = fixture.visit_at(HOST, PORT + 1)?;
        other.is(Resumption::Full, "the other port")?;
        let same = fixture.visit_at(HOST, PORT)?;
        same.is(Resumption::Resumed, "the same port")?;
    }
    Ok(())
}

fn names_differ<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let fixture = Fixture::<C>::new(protocol)?;
        fixture.visit_at(HOST, PORT)?;
        let other = fixture.visit_at(OTHER_HOST, PORT)?;
        other.is(Resumption::Full, "the other name")?;
        let same = fixture.visit_at(HOST, PORT)?;
        same.is(Resumption::Resumed, "the same name")?;
    }
    Ok(())
}

fn spellings_are_equal<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let fixture = Fixture::<C>::new(protocol)?;
        fixture.visit_at(HOST, PORT)?;
        for spelling in [HOST.to_ascii_uppercase(), format!("{HOST}.")] {
            let visit = fixture.visit_at(&spelling, PORT)?;
            visit.is(Resumption::Resumed, &format!("spelled {spelling}"))?;
        }
    }
    Ok(())
}

/// The security domains of clients with each of these settings.
fn domains<C: Client>(changes: &[&dyn Fn(&mut Setup)]) -> Result<Vec<Vec<u8>>, String> {
    let domain = |change: &&dyn Fn(&mut Setup)| {
        let mut setup = setup();
        change(&mut setup);
        C::new(setup).map(|client| client.domain())
    };
    changes.iter().map(domain).collect()
}

fn all_differ(domains: Vec<Vec<u8>>) -> CheckResult {
    let count = domains.len();
    let different = domains.into_iter().collect::<HashSet<_>>().len();
    equal(&different, &count, "different domains")
}

fn settings_differ<C: Client>() -> CheckResult {
    let (one, other) = (client_identity("one"), client_identity("other"));
    let mut short_chain = one.clone();
    short_chain.chain.truncate(1);
    all_differ(domains::<C>(&[
        &|_| {},
        &|setup| setup.roots = vec![foreign_root()],
        &|setup| setup.roots.push(foreign_root()),
        &|setup| setup.identity = Some(one.clone()),
        &|setup| setup.identity = Some(other.clone()),
        &|setup| setup.identity = Some(short_chain.clone()),
        &|setup| setup.alpn = vec![b"h2".to_vec()],
        &|setup| setup.alpn = vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        &|setup| setup.protocols = vec![Protocol::Tls12],
        &|setup| setup.protocols = vec![Protocol::Tls13],
        &|setup| setup.domain = "mail-out".into(),
    ])?)
}

fn fields_are_delimited<C: Client>() -> CheckResult {
    let alpn = |names: &'static [&'static str]| {
        move |setup: &mut Setup| setup.alpn = names.iter().map(|name| (*name).into()).collect()
    };
    all_differ(domains::<C>(&[
        &alpn(&["ab", "c"]),
        &alpn(&["a", "bc"]),
        &alpn(&["abc"]),
        &alpn(&["a", "b", "c"]),
        &|setup| setup.domain = "abc".into(),
    ])?)
}

fn late_tickets_keep_their_server<C: Client>() -> CheckResult {
    let fixture = Fixture::<C>::new(Protocol::Tls13)?;
    let mut connection = fixture.open(HOST, PORT).map_err(message)?;
    let other = fixture.open(OTHER_HOST, PORT).map_err(message)?;
    connection.read_tickets()?;
    connection.close()?;
    drop(other);
    let other = fixture.visit_at(OTHER_HOST, PORT)?;
    other.is(Resumption::Full, "the other server")?;
    let visit = fixture.visit_at(HOST, PORT)?;
    visit.is(Resumption::Resumed, "the server of the late ticket")
}

fn changed_settings_do_not_resume<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let before = Fixture::<C>::new(protocol)?;
        before.visit()?;
        let one_more_root = |setup: &mut Setup| setup.roots.push(foreign_root());
        let after = Fixture::<C>::with(protocol, |_| {}, one_more_root)?;
        let connection = after
            .client
            .connect(HOST, PORT, before.wire())
            .map_err(message)?;
        equal(
            &connection.resumption(),
            &Resumption::Full,
            "with one more root",
        )?;
    }
    Ok(())
}

fn hosts_never_resume<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let never_resume = |setup: &mut Setup| setup.never_resume = vec![HOST.to_ascii_uppercase()];
        let fixture = Fixture::<C>::with(protocol, |_| {}, never_resume)?;
        for _ in 0..2 {
            fixture
                .visit()?
                .is(Resumption::Full, "the host that is never resumed")?;
        }
        holds(
            fixture.client.stats().stored == 0,
            "no session of it is stored",
        )?;
        fixture.visit_at(OTHER_HOST, PORT)?;
        let other = fixture.visit_at(OTHER_HOST, PORT)?;
        other.is(Resumption::Resumed, "another host")?;
    }
    Ok(())
}
