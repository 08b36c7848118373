//! Which connections share sessions, and how many there may be.

use lab::server::Protocol;
use tls_resume::generic::Connector;
use tls_resume::{Backend, ErrorKind, Limits, Resumption};

use super::clients::{
    Memory, builder, client, error_line, last, talk, visit, visit_as, visit_in_memory,
};
use crate::servers::{HOST, OTHER, PORT, good_server, listen};

fn visit_host<B: Backend>(
    client: &Connector<B>,
    host: &str,
    port: u16,
    server: &lab::server::Server,
) -> Resumption {
    let io = Memory(lab::transport::InMemory::new(server));
    let mut stream = client.connect_stream(host, port, io).expect("a connection");
    talk(&mut stream);
    stream.resumption()
}

/// R6.
pub(crate) fn never_resume_hosts_neither_store_nor_offer<B: Backend>() {
    for version in Protocol::ALL {
        let server = good_server(version);
        for spelling in ["localhost", "LOCALHOST", "localhost.", "LocalHost."] {
            let client = builder::<B>()
                .never_resume([spelling, "third.lab.example"])
                .build()
                .expect("valid settings");
            for given in ["localhost", "LOCALHOST", "localhost.", "Localhost"] {
                let resumption = visit_host(&client, given, PORT, &server);
                assert_eq!(resumption, Resumption::Full, "{spelling} {given}");
            }
            let stats = client.stats();
            assert_eq!((stats.stored, stats.offered, stats.missed), (0, 0, 0));

            visit_host(&client, OTHER, PORT, &server);
            let resumption = visit_host(&client, OTHER, PORT, &server);
            assert_eq!(resumption, Resumption::Resumed, "other hosts do");
        }
        let client = builder::<B>().never_resume(["127.0.0.1."]);
        let client = client.build().expect("valid settings");
        for _ in 0..2 {
            let resumption = visit_host(&client, "127.0.0.1", PORT, &server);
            assert_eq!(resumption, Resumption::Full, "an address");
        }
    }
}

pub(crate) fn spellings_of_a_host_share_sessions<B: Backend>() {
    for version in Protocol::ALL {
        let server = listen(good_server(version));
        let client = client::<B>();
        visit(&client, &server);
        for (count, host) in ["LOCALHOST", "localhost.", "LocalHost."].iter().enumerate() {
            let stream = visit_as(&client, host, &server);
            assert_eq!(stream.resumption(), Resumption::Resumed, "{host}");
            let seen = last(&server, count + 2);
            assert_eq!(seen.server_name.as_deref(), Some(HOST));
        }
    }
}

pub(crate) fn addresses_are_hosts<B: Backend>() {
    for version in Protocol::ALL {
        let server = listen(good_server(version));
        let client = client::<B>();
        let first = visit_as(&client, "127.0.0.1", &server);
        assert_eq!(first.resumption(), Resumption::Full);
        let second = visit_as(&client, "127.0.0.1", &server);
        assert_eq!(second.resumption(), Resumption::Resumed);
        assert_eq!(last(&server, 2).server_name, None, "no name is sent");
        // The name of the same machine is another key.
        let named = visit(&client, &server);
        assert_eq!(named.resumption(), Resumption::Full);
    }
}

/// R1.
pub(crate) fn other_servers_and_connectors_do_not_resume<B: Backend>() {
    for version in Protocol::ALL {
        let server = good_server(version);
        let client = client::<B>();
        visit_in_memory(&client, &server);
        let other_port = visit_host(&client, HOST, PORT + 1, &server);
        assert_eq!(other_port, Resumption::Full);
        let other_name = visit_host(&client, OTHER, PORT, &server);
        assert_eq!(other_name, Resumption::Full);
        let other_client = super::clients::client::<B>();
        let resumption = visit_host(&other_client, HOST, PORT, &server);
        assert_eq!(resumption, Resumption::Full);
        let clone = client.clone();
        let resumption = visit_host(&clone, HOST, PORT, &server);
        assert_eq!(resumption, Resumption::Resumed, "a clone is the same");
    }
}

pub(crate) fn limits_off_turns_resumption_off<B: Backend>() {
    for version in Protocol::ALL {
        let server = good_server(version);
        let client = builder::<B>().limits(Limits::off());
        let client = client.build().expect("no limits are valid limits");
        for _ in 0..3 {
            let stream = visit_in_memory(&client, &server);
            assert_eq!(stream.resumption(), Resumption::Full);
            assert!(!stream.offered());
        }
        let stats = client.stats();
        assert_eq!((stats.sessions, stats.offered), (0, 0));
    }
}

pub(crate) fn invalid_limits_are_rejected<B: Backend>() {
    let build = |limits| builder::<B>().limits(limits).build();
    let above = Limits::default().with_bytes(2048, 4096, 1024);
    let line = error_line(build(above), ErrorKind::Config);
    assert!(
        line.contains("server_bytes") && line.contains("total_bytes"),
        "{line}"
    );
    let above = Limits::default().with_bytes(4096, 2048, 1 << 20);
    let line = error_line(build(above), ErrorKind::Config);
    assert!(line.contains("session_bytes"), "{line}");
    let none = Limits::default().with_sessions_per_server(0);
    let line = error_line(build(none), ErrorKind::Config);
    assert!(line.contains("sessions_per_server"), "{line}");
}
