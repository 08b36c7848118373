//! What single connections do with sessions: R36.

use lab::server::Protocol;
use tls_resume::Resumption;

use crate::check::{CheckResult, equal, holds};
use crate::claim::Claim;
use crate::client::{Client, Options, Setup};
use crate::fixture::{Fixture, HOST, PORT, client_identity};

pub(crate) fn claims<C: Client>() -> Vec<Claim> {
    let if_supported =
        |title, check: fn() -> CheckResult| Claim::new("R36", title, check).unless(C::NO_OPTIONS);
    vec![
        if_supported(
            "a connection can be kept from storing and offering",
            resumption_is_off::<C>,
        ),
        if_supported("another endpoint is another server", endpoints_differ::<C>),
        if_supported(
            "one port can be kept from resuming",
            ports_never_resume::<C>,
        ),
        if_supported(
            "the servers that are kept from resuming can change",
            servers_change::<C>,
        ),
        if_supported(
            "with a client certificate, resumption can be turned off",
            client_certificates_do_not_resume::<C>,
        ),
    ]
}

fn resumption_is_off<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let fixture = Fixture::<C>::new(protocol)?;
        fixture.visit()?;
        let before = fixture.client.stats();
        let off = Options {
            resumption: false,
            ..Options::default()
        };
        let visit = fixture.visit_with(PORT, &off)?;
        visit.is(Resumption::Full, "without resumption")?;
        equal(&fixture.client.stats(), &before, "the counters")?;
        let visit = fixture.visit()?;
        visit.is(Resumption::Resumed, "the next connection")?;
    }
    Ok(())
}

fn endpoints_differ<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let fixture = Fixture::<C>::new(protocol)?;
        for (name, expected) in [
            ("192.0.2.1", Resumption::Full),
            ("192.0.2.2", Resumption::Full),
            ("192.0.2.1", Resumption::Resumed),
        ] {
            let options = Options {
                endpoint: Some(name.to_owned()),
                ..Options::default()
            };
            let visit = fixture.visit_with(PORT, &options)?;
            visit.is(expected, &format!("at the endpoint {name}"))?;
        }
    }
    Ok(())
}

fn ports_never_resume<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let never = |setup: &mut Setup| setup.never_resume = vec![format!("{HOST}:{PORT}")];
        let fixture = Fixture::<C>::with(protocol, |_| {}, never)?;
        for (port, expected) in [
            (PORT, Resumption::Full),
            (PORT + 1, Resumption::Full),
            (PORT, Resumption::Full),
            (PORT + 1, Resumption::Resumed),
        ] {
            fixture
                .visit_at(HOST, port)?
                .is(expected, &format!("port {port}"))?;
        }
    }
    Ok(())
}

fn servers_change<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        let fixture = Fixture::<C>::new(protocol)?;
        fixture.visit()?;
        fixture.client.set_never_resume(&[HOST.to_owned()]);
        let visit = fixture.visit()?;
        visit.is(Resumption::Full, "once the host is on the list")?;
        fixture.client.set_never_resume(&[]);
        let visit = fixture.visit()?;
        visit.is(Resumption::Resumed, "once it is off the list")?;
    }
    Ok(())
}

fn client_certificates_do_not_resume<C: Client>() -> CheckResult {
    for protocol in Protocol::ALL {
        for resumes in [true, false] {
            let change = |setup: &mut Setup| {
                setup.identity = Some(client_identity("one"));
                setup.resume_with_client_certificate = resumes;
            };
            let fixture = Fixture::<C>::with(protocol, |_| {}, change)?;
            fixture.visit()?;
            let resumed = fixture.visit()?.resumption == Resumption::Resumed;
            equal(&resumed, &resumes, "resumption with a client certificate")?;
            let stored = fixture.client.stats().stored > 0;
            holds(stored == resumes, "sessions are stored as they are offered")?;
        }
    }
    Ok(())
}
