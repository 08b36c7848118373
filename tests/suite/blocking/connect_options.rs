//! R36: what single connections do with sessions.

use lab::certificate::Identity;
use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::transport::InMemory;
use tls_resume::generic::Connector;
use tls_resume::{Backend, ConnectOptions, ErrorKind, Resumption};

use super::clients::{Memory, builder, client, error_line, talk};
use crate::servers::{HOST, OTHER, PORT, authority, good_server, settings};

fn visit<B: Backend>(client: &Connector<B>, port: u16, server: &Server) -> Resumption {
    visit_with(client, port, server, &ConnectOptions::new())
}

fn visit_with<B: Backend>(
    client: &Connector<B>,
    port: u16,
    server: &Server,
    options: &ConnectOptions,
) -> Resumption {
    let io = Memory(InMemory::new(server));
    let connected = client.connect_stream_with(HOST, port, io, options);
    let mut stream = connected.expect("a connection");
    talk(&mut stream);
    stream.resumption()
}

pub(crate) fn a_connection_without_resumption_neither_stores_nor_offers<B: Backend>() {
    for version in Protocol::ALL {
        let (server, client) = (good_server(version), client::<B>());
        visit(&client, PORT, &server);
        let before = client.stats();
        let off = ConnectOptions::new().resumption(false);
        for _ in 0..2 {
            let resumption = visit_with(&client, PORT, &server, &off);
            assert_eq!(resumption, Resumption::Full, "{version}");
        }
        assert_eq!(client.stats(), before, "neither stored nor looked up");
        let handle = client.with_options(&off);
        let on = ConnectOptions::new().resumption(true);
        let resumption = visit_with(&handle, PORT, &server, &on);
        assert_eq!(resumption, Resumption::Full, "off stays off");
        assert_eq!(visit(&client, PORT, &server), Resumption::Resumed);
    }
}

pub(crate) fn endpoints_are_servers_of_their_own<B: Backend>() {
    for version in Protocol::ALL {
        let (server, client) = (good_server(version), client::<B>());
        let at = |name: &str| ConnectOptions::new().endpoint(name);
        for (options, expected) in [
            (at("192.0.2.1"), Resumption::Full),
            (at("192.0.2.2"), Resumption::Full),
            (ConnectOptions::new(), Resumption::Full),
            (at("192.0.2.1"), Resumption::Resumed),
            (at("192.0.2.2"), Resumption::Resumed),
        ] {
            let resumption = visit_with(&client, PORT, &server, &options);
            assert_eq!(resumption, expected, "{version} {options:?}");
        }
        let one = client.with_options(&at("192.0.2.1"));
        one.clear_server(HOST, PORT);
        assert_eq!(visit(&one, PORT, &server), Resumption::Full);
        let resumption = visit_with(&one, PORT, &server, &at("192.0.2.2"));
        assert_eq!(resumption, Resumption::Resumed, "it replaces the handle's");
    }
}

pub(crate) fn never_resume_takes_a_port<B: Backend>() {
    for version in Protocol::ALL {
        let server = good_server(version);
        let built = builder::<B>().never_resume([format!("{HOST}:{PORT}")]);
        let client = built.build().expect("a host with a port");
        for (port, expected) in [
            (PORT, Resumption::Full),
            (PORT + 1, Resumption::Full),
            (PORT, Resumption::Full),
            (PORT + 1, Resumption::Resumed),
        ] {
            assert_eq!(visit(&client, port, &server), expected, "{version} {port}");
        }
    }
}

pub(crate) fn never_resume_changes_at_run_time<B: Backend>() {
    for version in Protocol::ALL {
        let server = good_server(version);
        let client = builder::<B>().never_resume([OTHER]).build();
        let client = client.expect("valid settings");
        let (clone, partition) = (client.clone(), client.partition("a"));
        let all = [&client, &clone, &partition];
        for handle in all {
            visit(handle, PORT, &server);
        }
        client.set_never_resume([HOST]).expect("a host");
        for handle in all {
            assert_eq!(visit(handle, PORT, &server), Resumption::Full, "{version}");
        }
        let wrong = client.set_never_resume([OTHER, "no host"]);
        let line = error_line(wrong, ErrorKind::Config);
        assert!(line.contains("\"no host\" in never_resume"), "{line}");
        assert_eq!(visit(&client, PORT, &server), Resumption::Full, "unchanged");
        clone.set_never_resume([""; 0]).expect("nothing");
        for handle in [&client, &partition] {
            assert_eq!(visit(handle, PORT, &server), Resumption::Resumed);
        }
    }
}

pub(crate) fn sessions_with_a_client_certificate_can_be_turned_off<B: Backend>() {
    for version in Protocol::ALL {
        let settings = ServerSettings {
            client_root: Some(authority().root_der()),
            ..settings(version)
        };
        let server = Server::new(Library::Rustls, &settings);
        let Identity { chain, key } = authority().issue_client("client");
        for resumes in [true, false] {
            let client = builder::<B>()
                .client_certificate(chain.clone(), key.clone_key())
                .resume_with_client_certificate(resumes)
                .build()
                .expect("valid settings");
            visit(&client, PORT, &server);
            let resumed = visit(&client, PORT, &server) == Resumption::Resumed;
            assert_eq!(resumed, resumes, "{version}");
            assert_eq!(client.stats().stored > 0, resumes);
        }
        let without = builder::<B>().resume_with_client_certificate(false);
        let without = without.build().expect("valid settings");
        let open = good_server(version);
        visit(&without, PORT, &open);
        assert_eq!(visit(&without, PORT, &open), Resumption::Resumed);
    }
}
