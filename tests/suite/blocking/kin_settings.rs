//! R37: kin, and what else is set: the servers that never resume, options, the client certificate.

use std::sync::Arc;

use lab::server::{Protocol, Server};
use lab::transport::InMemory;
use tls_resume::generic::Connector;
use tls_resume::{Backend, ConnectOptions, Outlook, Resumption, RotatingCredential};

use super::clients::{Memory, builder, client, talk, visit_in_memory};
use super::kin::{control, keep, resumption, silent_control};
use super::rotation::{credential, identity};
use crate::servers::{HOST, OTHER, PORT, good_server};

/// R38: kin have the credential of their connection, and a clear with a newer one revokes its session.
pub(crate) fn a_clear_after_a_rotation_revokes_kin<B: Backend>() {
    for version in Protocol::ALL {
        let server = good_server(version);
        let new = || credential(&identity());
        let source = Arc::new(RotatingCredential::new(new()));
        let client = builder::<B>().client_credentials(Arc::clone(&source));
        let client = client.build().expect("valid settings");
        let tenant = client.partition("a");
        let clears: [(&Connector<B>, &dyn Fn()); 3] = [
            (&client, &|| client.clear_server(HOST, PORT)),
            (&tenant, &|| tenant.clear_server(HOST, PORT)),
            (&tenant, &|| client.clear_partition("a")),
        ];
        for (number, (handle, clear)) in clears.into_iter().enumerate() {
            let one = control(handle, &server);
            source.set(new());
            let resumed = || resumption(&client, &one, &server);
            assert_eq!(resumed(), Resumption::Resumed, "{version} {number}");
            client.clear_server(OTHER, PORT);
            client.clear_partition("b");
            assert_eq!(resumed(), Resumption::Resumed, "{version} {number}");
            clear();
            assert_eq!(resumed(), Resumption::Full, "{version} {number}");
        }
    }
}

/// What a connection of a handle to `port` does, which would resume otherwise.
fn resumption_at<B: Backend>(handle: &Connector<B>, port: u16, server: &Server) -> Resumption {
    let io = Memory(InMemory::new(server));
    let connected = handle.connect_stream(HOST, port, io);
    let mut stream = connected.expect("a connection");
    talk(&mut stream);
    stream.resumption()
}

/// R6, R36: neither those that go to the port, nor those of a connection that went to it.
pub(crate) fn kin_follow_never_resume_of_both_ports<B: Backend>() {
    const DATA: u16 = PORT + 1;
    for version in Protocol::ALL {
        let (server, client) = (good_server(version), client::<B>());
        let one = control(&client, &server);
        let handle = client.resuming(&one).expect("it keeps its session");
        let resumed = |port| resumption_at(&handle, port, &server);
        let never = |port: u16| {
            let server = format!("{HOST}:{port}");
            client.set_never_resume([server]).expect("a server");
        };
        never(DATA);
        assert_eq!(handle.would_resume(HOST, DATA), Outlook::Off);
        assert_eq!(resumed(DATA), Resumption::Full, "{version}: its own");
        assert_eq!(resumed(DATA + 1), Resumption::Resumed, "{version}");
        assert_eq!(resumed(PORT), Resumption::Resumed, "{version}");
        never(PORT);
        for port in [PORT, DATA] {
            assert_eq!(handle.would_resume(HOST, port), Outlook::Off);
            assert_eq!(resumed(port), Resumption::Full, "{version}: the control's");
        }
        never(DATA + 1);
        assert_eq!(resumed(DATA), Resumption::Resumed, "{version}");
    }
}

/// What it says is what happens next, and saying it takes nothing.
pub(crate) fn the_outlook_of_kin_is_what_happens_next<B: Backend>() {
    for version in Protocol::ALL {
        let (server, client) = (good_server(version), client::<B>());
        drop(visit_in_memory(&client, &server));
        assert!(client.would_resume(HOST, PORT).offers());
        let keeping = client.with_options(&keep());
        assert_eq!(keeping.would_resume(HOST, PORT), Outlook::NoSession);
        let fresh = keeping.with_options(&ConnectOptions::new().resumption(false));
        assert_eq!(fresh.would_resume(HOST, PORT), Outlook::Off);

        let mut one = silent_control(&client, &server);
        let handle = client.resuming(&one).expect("it keeps its session");
        client.clear();
        let revoked = handle.would_resume(HOST, PORT);
        assert_eq!(revoked, Outlook::Off, "{version}: cleared");
        talk(&mut one);
        assert_eq!(handle.would_resume(HOST, PORT), Outlook::Off);

        let one = control(&client, &server);
        let handle = client.resuming(&one).expect("it keeps its session");
        assert_eq!(client.would_resume(HOST, PORT), Outlook::NoSession);
        for port in [PORT, PORT + 1] {
            let outlook = handle.would_resume(HOST, port);
            assert!(outlook.offers(), "{version} {outlook:?}");
            assert_eq!(outlook, handle.would_resume(HOST, port));
        }
        assert_eq!(handle.would_resume(OTHER, PORT), Outlook::Off);
        let next = resumption_at(&handle, PORT, &server);
        assert_eq!(next, Resumption::Resumed, "{version}");
        one.forget();
        while handle.would_resume(HOST, PORT).offers() {
            // What the connections of the handle received.
            let offered = resumption_at(&handle, PORT, &good_server(version));
            assert_eq!(offered, Resumption::Declined, "{version}");
        }
        assert_eq!(handle.would_resume(HOST, PORT), Outlook::NoSession);
        assert_eq!(resumption_at(&handle, PORT, &server), Resumption::Full);
    }
}

/// A handle with options is kin as long as they name no other sessions.
pub(crate) fn options_keep_the_kin<B: Backend>() {
    for version in Protocol::ALL {
        let (server, client) = (good_server(version), client::<B>());
        let machine = |name: &str| ConnectOptions::new().endpoint(name);
        let io = Memory(InMemory::new(&server));
        let options = machine("one").keep_session(true);
        let connected = client.connect_stream_with(HOST, PORT, io, &options);
        let mut one = connected.expect("a connection");
        talk(&mut one);
        let handle = client.resuming(&one).expect("it keeps its session");
        for same in [ConnectOptions::new(), keep(), machine("one")] {
            let handle = handle.with_options(&same);
            assert!(handle.would_resume(HOST, PORT).offers(), "{same:?}");
            let resumption = resumption_at(&handle, PORT, &server);
            assert_eq!(resumption, Resumption::Resumed, "{version} {same:?}");
        }
        let other = [
            ConnectOptions::new().resumption(false),
            ConnectOptions::new().partition("a"),
            machine("two"),
        ];
        for other in other {
            let handle = handle.with_options(&other);
            assert_eq!(handle.would_resume(HOST, PORT), Outlook::Off, "{other:?}");
            for options in [ConnectOptions::new(), machine("one")] {
                let handle = handle.with_options(&options);
                let resumption = resumption_at(&handle, PORT, &server);
                assert_eq!(resumption, Resumption::Full, "{version} {other:?}");
            }
        }
        assert_eq!(client.stats().sessions, 0, "nothing is stored either");
    }
}
