//! What a connector knows before it connects.

use std::sync::Arc;
use std::time::Duration;

use lab::server::Protocol;
use lab::transport::InMemory;
use tls_resume::{
    Available, Backend, ConnectOptions, Limits, ManualClock, Outlook, Resumption, Timestamp,
};

use super::clients::{Memory, builder, client, start, talk, visit_in_memory};
use crate::servers::{HOST, PORT, good_server};

pub(crate) fn a_connector_knows_its_backend<B: Backend>() {
    let name = client::<B>().backend_name();
    let of_type = std::any::type_name::<B>().to_lowercase();
    assert!(
        of_type.ends_with(&name.replace('-', "")),
        "{name} {of_type}"
    );
}

/// What it says is what happens next, and saying it takes nothing.
pub(crate) fn the_outlook_is_what_happens_next<B: Backend>() {
    for version in Protocol::ALL {
        let (server, client) = (good_server(version), client::<B>());
        assert_eq!(client.would_resume(HOST, PORT), Outlook::NoSession);
        visit_in_memory(&client, &server);
        let stored = match version {
            Protocol::Tls12 => (0, true),
            Protocol::Tls13 => (2, false),
        };
        let stats = client.stats();
        for host in [HOST, &HOST.to_uppercase()] {
            let (single_use, reusable) = stored;
            let available = Available {
                single_use,
                reusable,
            };
            let outlook = client.would_resume(host, PORT);
            assert_eq!(outlook, Outlook::Offers(available), "{version}");
            assert!(outlook.offers());
        }
        assert_eq!(client.stats(), stats, "nothing is taken or counted");
        assert_eq!(client.would_resume(HOST, 1), Outlook::NoSession);
        assert_eq!(client.would_resume("no host", PORT), Outlook::Off);
        let next = start(&client, &server);
        assert_eq!(next.resumption(), Resumption::Resumed, "{version}");
    }
}

pub(crate) fn the_outlook_follows_options_and_settings<B: Backend>() {
    let (server, client) = (good_server(Protocol::Tls13), client::<B>());
    let a = client.partition("a");
    visit_in_memory(&a, &server);
    assert_eq!(client.would_resume(HOST, PORT), Outlook::NoSession);
    assert!(a.would_resume(HOST, PORT).offers());
    let options = ConnectOptions::new().partition("a");
    assert!(
        client
            .with_options(&options)
            .would_resume(HOST, PORT)
            .offers()
    );
    let elsewhere = options.clone().endpoint("192.0.2.1");
    let outlook = client.with_options(&elsewhere).would_resume(HOST, PORT);
    assert_eq!(outlook, Outlook::NoSession);
    let fresh = options.resumption(false);
    let outlook = client.with_options(&fresh).would_resume(HOST, PORT);
    assert_eq!(outlook, Outlook::Off);

    client.set_never_resume([HOST]).expect("a host");
    assert_eq!(a.would_resume(HOST, PORT), Outlook::Off);
    client.set_never_resume::<&str>([]).expect("none");
    assert!(a.would_resume(HOST, PORT).offers());
    a.clear_server(HOST, PORT);
    assert_eq!(a.would_resume(HOST, PORT), Outlook::NoSession);

    let off = builder::<B>().limits(Limits::off()).build();
    let off = off.expect("valid settings");
    assert_eq!(off.would_resume(HOST, PORT), Outlook::Off);
}

pub(crate) fn the_outlook_knows_what_has_expired<B: Backend>() {
    let clock = Arc::new(ManualClock::new(Timestamp::from_unix(Duration::from_secs(
        1_800_000_000,
    ))));
    let client = builder::<B>().clock(clock.clone()).build();
    let client = client.expect("valid settings");
    visit_in_memory(&client, &good_server(Protocol::Tls13));
    assert!(client.would_resume(HOST, PORT).offers());
    clock.advance(Duration::from_secs(8 * 24 * 60 * 60));
    assert_eq!(client.would_resume(HOST, PORT), Outlook::NoSession);
}

/// After an offer that failed, the next connection offers nothing.
pub(crate) fn the_outlook_knows_what_is_avoided<B: Backend>() {
    let server = good_server(Protocol::Tls13);
    let client = builder::<B>().retry_failed_resumption(false).build();
    let client = client.expect("valid settings");
    visit_in_memory(&client, &server);
    let mut io = InMemory::new(&server);
    io.cut();
    let failed = client.connect_stream(HOST, PORT, Memory(io));
    failed.expect_err("a broken transport");
    assert_eq!(client.would_resume(HOST, PORT), Outlook::Avoided);
    let mut full = start(&client, &server);
    talk(&mut full);
    assert_eq!(full.resumption(), Resumption::Full);
    assert!(client.would_resume(HOST, PORT).offers());
}
