//! Key-exchange groups that the builder sets.

use lab::server::{Group, Library, Protocol, Server, ServerSettings};
use lab::transport::InMemory;
use tls_resume::generic::Connector;
use tls_resume::{Backend, Config, ErrorKind, NamedGroup, Resumption};

use super::clients::{Memory, builder, error_line, talk, visit_in_memory};
use crate::servers::{HOST, PORT, each, settings};

const P256: NamedGroup = NamedGroup::SECP256R1;
const P384: NamedGroup = NamedGroup::SECP384R1;
const X25519: NamedGroup = NamedGroup::X25519;
const HYBRID: NamedGroup = NamedGroup::X25519MLKEM768;

fn numbers(groups: &[NamedGroup]) -> Vec<u16> {
    groups.iter().map(|group| u16::from(*group)).collect()
}

/// OpenSSL has the hybrid group since 3.5.
fn has_hybrid() -> bool {
    Library::OpenSsl.supports(Group::X25519MlKem768)
}

/// A server of TLS 1.3 with these groups.
fn server(groups: &[Group]) -> Server {
    let settings = ServerSettings {
        groups: groups.to_vec(),
        ..settings(Protocol::Tls13)
    };
    Server::new(Library::OpenSsl, &settings)
}

pub(crate) fn the_groups_that_are_set_are_offered_in_their_order<B: Backend>() {
    let mut known = vec![Group::P256, Group::X25519];
    let mut lists = vec![vec![P256], vec![X25519, P256], vec![P384, P256, X25519]];
    if has_hybrid() {
        known.push(Group::X25519MlKem768);
        lists.push(vec![HYBRID, P256]);
        lists.push(vec![X25519, X25519, HYBRID, X25519]);
    }
    let server = server(&known);
    for groups in &lists {
        let client = builder::<B>().groups(groups.iter().copied()).build();
        let client = client.expect("supported groups");
        let mut stream = visit_in_memory(&client, &server);
        let facts = stream.get_mut().0.server().facts().expect("a handshake");
        let mut expected = numbers(groups);
        expected.sort_unstable();
        expected.dedup();
        let mut offered = facts.groups.clone();
        assert_eq!(offered.first(), Some(&u16::from(groups[0])), "{groups:?}");
        assert_eq!(facts.key_shares.first(), Some(&u16::from(groups[0])));
        offered.sort_unstable();
        assert_eq!(offered, expected);
    }
    let client = builder::<B>().groups([0x0018, 0x0017]).build();
    let mut stream = visit_in_memory(&client.expect("numbers"), &server);
    let facts = stream.get_mut().0.server().facts().expect("a handshake");
    assert_eq!(facts.groups, numbers(&[P384, P256]));
    assert_eq!(stream.group(), Some(P256));
}

/// R39.
pub(crate) fn a_known_group_comes_first_and_adds_none<B: Backend>() {
    let server = server(&[Group::P256]);
    let client = builder::<B>().groups([X25519, P384, P256]).build();
    let client = client.expect("supported groups");
    for first in [X25519, P256, P256] {
        let mut stream = visit_in_memory(&client, &server);
        let facts = stream.get_mut().0.server().facts().expect("a handshake");
        assert_eq!(facts.key_shares.first(), Some(&u16::from(first)));
        let mut offered = facts.groups.clone();
        offered.sort_unstable();
        assert_eq!(offered, numbers(&[P256, P384, X25519]));
        assert_eq!(stream.group(), Some(P256));
    }
}

/// R1.
pub(crate) fn other_groups_are_another_domain<B: Backend>() {
    let domain = |groups: &[NamedGroup]| {
        let client = builder::<B>().groups(groups.iter().copied()).build();
        client.expect("supported groups").security_domain()
    };
    let domains = [
        domain(&[]),
        domain(&[X25519]),
        domain(&[X25519, P256]),
        domain(&[P256, X25519]),
    ];
    for (position, one) in domains.iter().enumerate() {
        assert!(!domains[..position].contains(one), "{position}");
    }
}

pub(crate) fn both_versions_resume_with_groups<B: Backend>() {
    each(|library, version| {
        let server = Server::new(library, &settings(version));
        let client = builder::<B>().groups([P256, X25519]).build();
        let client = client.expect("supported groups");
        for expected in [Resumption::Full, Resumption::Resumed] {
            let io = Memory(InMemory::new(&server));
            let mut stream = client.connect_stream(HOST, PORT, io).expect("connected");
            talk(&mut stream);
            assert_eq!(stream.resumption(), expected, "{library} {version:?}");
        }
    });
}

pub(crate) fn groups_that_are_not_supported_are_rejected<B: Backend>() {
    for unknown in [0xfafa, 0x0301].map(NamedGroup::from) {
        let build = builder::<B>().groups([X25519, unknown]).build();
        let line = error_line(build, ErrorKind::Config);
        assert!(line.contains(&format!("groups: {unknown} ")), "{line}");
        for supported in ["x25519", "secp256r1", "secp384r1"] {
            assert!(line.contains(supported), "{line}");
        }
    }
    let config = r#"{ "groups": ["X25519", "ffdhe4097"] }"#;
    let error = serde_json::from_str::<Config>(config).expect_err("no group");
    assert!(error.to_string().contains("IANA"), "{error}");
    let config = r#"{ "groups": ["0xfafa"] }"#;
    let config = serde_json::from_str::<Config>(config).expect("a number");
    error_line(Connector::<B>::from_config(&config), ErrorKind::Config);
    let config = r#"{ "groups": ["X25519MLKEM768", "x25519"] }"#;
    let config = serde_json::from_str::<Config>(config).expect("groups");
    assert_eq!(config.groups, [HYBRID, X25519]);
    if has_hybrid() {
        assert!(Connector::<B>::from_config(&config).is_ok());
    }
}
