//! Whose session it is: R1 to R3, R5 and R6.

use std::collections::HashSet;

use lab::server::Protocol;
use tls_resume::Resumption;

use crate::client::{Client, Connection, Setup};
use crate::stage::{
    HOST, OTHER_HOST, PORT, PROTOCOLS, Stage, client_identity, equal, foreign_root, holds, said,
    setup,
};
use crate::{Checked, Claim};

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    vec![
        Claim::new("R1", "another port is another server", ports_are_apart::<C>),
        Claim::new("R1", "another name is another server", names_are_apart::<C>),
        Claim::new(
            "R1",
            "spellings of one name are one server",
            spellings_meet::<C>,
        ),
        Claim::new(
            "R1",
            "each setting is another security domain",
            settings_are_apart::<C>,
        ),
        Claim::new(
            "R2",
            "no field of the domain runs into the next",
            fields_are_apart::<C>,
        ),
        Claim::new(
            "R3",
            "a late ticket goes under its own server",
            late_tickets_go_home::<C>,
        ),
        Claim::new(
            "R5",
            "changed settings do not find the old sessions",
            changes_start_anew::<C>,
        ),
        Claim::new(
            "R6",
            "a host can be kept from resuming",
            some_never_resume::<C>,
        ),
    ]
}

fn ports_are_apart<C: Client>() -> Checked {
    for protocol in PROTOCOLS {
        let stage = Stage::<C>::new(protocol)?;
        stage.visit_at(HOST, PORT)?;
        let other = stage.visit_at(HOST, PORT + 1)?;
        other.is(Resumption::Full, "the other port")?;
        let same = stage.visit_at(HOST, PORT)?;
        same.is(Resumption::Resumed, "the same port")?;
    }
    Ok(())
}

fn names_are_apart<C: Client>() -> Checked {
    for protocol in PROTOCOLS {
        let stage = Stage::<C>::new(protocol)?;
        stage.visit_at(HOST, PORT)?;
        let other = stage.visit_at(OTHER_HOST, PORT)?;
        other.is(Resumption::Full, "the other name")?;
        let same = stage.visit_at(HOST, PORT)?;
        same.is(Resumption::Resumed, "the same name")?;
    }
    Ok(())
}

fn spellings_meet<C: Client>() -> Checked {
    for protocol in PROTOCOLS {
        let stage = Stage::<C>::new(protocol)?;
        stage.visit_at(HOST, PORT)?;
        for spelling in [HOST.to_ascii_uppercase(), format!("{HOST}.")] {
            let visit = stage.visit_at(&spelling, PORT)?;
            visit.is(Resumption::Resumed, &format!("spelled {spelling}"))?;
        }
    }
    Ok(())
}

/// The domains of clients with each of these settings, in turn.
fn domains<C: Client>(changes: &[&dyn Fn(&mut Setup)]) -> Result<Vec<Vec<u8>>, String> {
    let domain = |change: &&dyn Fn(&mut Setup)| {
        let mut setup = setup();
        change(&mut setup);
        C::new(setup).map(|client| client.domain())
    };
    changes.iter().map(domain).collect()
}

fn all_differ(domains: Vec<Vec<u8>>) -> Checked {
    let count = domains.len();
    let different = domains.into_iter().collect::<HashSet<_>>().len();
    equal(&different, &count, "different domains")
}

fn settings_are_apart<C: Client>() -> Checked {
    let (one, other) = (client_identity("one"), client_identity("other"));
    let mut mixed = one.clone();
    mixed.chain.truncate(1);
    all_differ(domains::<C>(&[
        &|_| {},
        &|setup| setup.roots = vec![foreign_root()],
        &|setup| setup.roots.push(foreign_root()),
        &|setup| setup.identity = Some(one.clone()),
        &|setup| setup.identity = Some(other.clone()),
        &|setup| setup.identity = Some(mixed.clone()),
        &|setup| setup.alpn = vec![b"h2".to_vec()],
        &|setup| setup.alpn = vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        &|setup| setup.protocols = vec![Protocol::Tls12],
        &|setup| setup.protocols = vec![Protocol::Tls13],
        &|setup| setup.domain = "mail-out".into(),
    ])?)
}

fn fields_are_apart<C: Client>() -> Checked {
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

fn late_tickets_go_home<C: Client>() -> Checked {
    let stage = Stage::<C>::new(Protocol::Tls13)?;
    let mut early = stage.open(HOST, PORT).map_err(said)?;
    let between = stage.open(OTHER_HOST, PORT).map_err(said)?;
    early.read_tickets()?;
    early.close()?;
    drop(between);
    let between = stage.visit_at(OTHER_HOST, PORT)?;
    between.is(Resumption::Full, "the server in between")?;
    let early = stage.visit_at(HOST, PORT)?;
    early.is(Resumption::Resumed, "the server of the late ticket")
}

fn changes_start_anew<C: Client>() -> Checked {
    for protocol in PROTOCOLS {
        let before = Stage::<C>::new(protocol)?;
        before.visit()?;
        let trusts_one_more = |setup: &mut Setup| setup.roots.push(foreign_root());
        let after = Stage::<C>::with(protocol, |_| {}, trusts_one_more)?;
        let connection = after
            .client
            .connect(HOST, PORT, before.wire())
            .map_err(said)?;
        equal(
            &connection.resumption(),
            &Resumption::Full,
            "with one root more",
        )?;
    }
    Ok(())
}

fn some_never_resume<C: Client>() -> Checked {
    for protocol in PROTOCOLS {
        let never = |setup: &mut Setup| setup.never_resume = vec![HOST.to_ascii_uppercase()];
        let stage = Stage::<C>::with(protocol, |_| {}, never)?;
        for _ in 0..2 {
            stage
                .visit()?
                .is(Resumption::Full, "the host that never resumes")?;
        }
        holds(stage.client.stats().stored == 0, "nothing is stored of it")?;
        stage.visit_at(OTHER_HOST, PORT)?;
        let other = stage.visit_at(OTHER_HOST, PORT)?;
        other.is(Resumption::Resumed, "another host")?;
    }
    Ok(())
}
