//! R35: partitions of a connector's store.

use std::time::Instant;

use lab::server::{Protocol, Server};
use lab::transport::InMemory;
use tls_resume::generic::Connector;
use tls_resume::{Backend, ConnectOptions, Limits, Resumption};

use super::clients::{Memory, builder, client, start, talk, visit_in_memory};
use crate::servers::{HOST, PORT, good_server};

fn resumption<B: Backend>(client: &Connector<B>, server: &Server) -> Resumption {
    visit_in_memory(client, server).resumption()
}

pub(crate) fn partitions_do_not_resume_each_others_sessions<B: Backend>() {
    for version in Protocol::ALL {
        let (server, client) = (good_server(version), client::<B>());
        let [a, b] = ["a", "b"].map(|name| client.partition(name));
        for (handle, expected) in [
            (&client, Resumption::Full),
            (&a, Resumption::Full),
            (&b, Resumption::Full),
            (&a, Resumption::Resumed),
            (&b, Resumption::Resumed),
            (&client, Resumption::Resumed),
            (&a.partition("b"), Resumption::Full),
            (&client.partition("a"), Resumption::Resumed),
        ] {
            assert_eq!(resumption(handle, &server), expected, "{version}");
        }
        let io = Memory(InMemory::new(&server));
        let options = ConnectOptions::new().partition("a");
        let stream = client.connect_stream_with(HOST, PORT, io, &options);
        assert_eq!(stream.expect("connected").resumption(), Resumption::Resumed);
        assert_eq!(client.stats(), b.stats(), "one store");
    }
}

pub(crate) fn clear_partition_empties_one<B: Backend>() {
    for version in Protocol::ALL {
        let (server, client) = (good_server(version), client::<B>());
        let [a, b] = ["a", "b"].map(|name| client.partition(name));
        for handle in [&client, &a, &b] {
            resumption(handle, &server);
        }
        let mut open = start(&a, &server);
        client.clear_partition("a");
        talk(&mut open);
        assert_eq!(resumption(&a, &server), Resumption::Full, "{version}");
        assert_eq!(resumption(&b, &server), Resumption::Resumed);
        assert_eq!(resumption(&client, &server), Resumption::Resumed);
        b.clear();
        assert_eq!(client.stats().sessions, 0, "of all partitions");
    }
}

pub(crate) fn methods_about_a_server_are_about_the_partition<B: Backend>() {
    let (server, client) = (good_server(Protocol::Tls13), client::<B>());
    let a = client.partition("a");
    a.watch(HOST, PORT);
    resumption(&client, &server);
    resumption(&a, &server);
    let stats = a.server_stats(HOST, PORT).expect("it is watched");
    assert_eq!((stats.missed, client.server_stats(HOST, PORT)), (1, None));
    a.clear_server(HOST, PORT);
    assert_eq!(resumption(&client, &server), Resumption::Resumed);
    assert_eq!(resumption(&a, &server), Resumption::Full);
}

pub(crate) fn empty_partitions_cost_nothing<B: Backend>() {
    let (server, client) = (good_server(Protocol::Tls13), client::<B>());
    resumption(&client, &server);
    let (before, begun) = (client.stats(), Instant::now());
    let names = (0..100_000).map(|n| format!("tenant-{n}"));
    let handles: Vec<_> = names.map(|name| client.partition(&name)).collect();
    assert_eq!(client.stats(), before);
    println!("100,000 handles: {:?}", begun.elapsed());
    drop(handles);
}

pub(crate) fn a_partition_does_not_push_out_the_others<B: Backend>() {
    let server = good_server(Protocol::Tls13);
    let limits = Limits::default().with_servers(8);
    let client = builder::<B>().limits(limits).build().expect("valid limits");
    let visit = |handle: &Connector<B>, port: u16| {
        let io = Memory(InMemory::new(&server));
        let mut stream = handle.connect_stream(HOST, port, io).expect("connected");
        talk(&mut stream);
        stream.resumption()
    };
    let (quiet, greedy) = (client.partition("quiet"), client.partition("greedy"));
    for port in 1..=4 {
        visit(&quiet, port);
    }
    for port in 1..=40 {
        for _ in 0..2 {
            visit(&greedy, port);
        }
    }
    for port in 1..=4 {
        assert_eq!(visit(&quiet, port), Resumption::Resumed, "{port}");
    }
}
