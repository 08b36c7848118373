//! What sessions occupy, by the word of the allocator, against what they are said to weigh. Alone
//! in its process, since all that is allocated counts.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod common;

use backend_openssl::PeerCertificate;
use common::{Client, HOST, builder_trusting, close, settings, start, talk};
use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol, Server, ServerSettings};
use store_core::Limits;

const SERVERS: u16 = 150;

/// Bytes that are allocated, by OpenSSL and by Rust.
fn allocated() -> usize {
    // SAFETY: takes nothing and gives back plain numbers.
    unsafe { libc::mallinfo2() }.uordblks
}

/// R16: what a store says it holds is no less than what it holds, and no wild guess.
#[test]
fn sessions_weigh_what_they_occupy() {
    // An RSA key for each server takes too long to make.
    let kind = KeyKind::EcdsaP256;
    let authority = Authority::new(kind);
    for protocol in Protocol::ALL {
        for policy in [PeerCertificate::Keep, PeerCertificate::Strip] {
            for unpacked in [0, 100_000] {
                let limits = Limits::default().with_unpacked_sessions(unpacked);
                let builder = builder_trusting(&authority, protocol);
                let client = Client::under(builder, limits, policy);
                for port in 0..SERVERS {
                    // Each has its own certificate.
                    let settings = ServerSettings {
                        identity: authority.issue(&[HOST]),
                        ..settings(protocol)
                    };
                    let server = Server::new(Library::OpenSsl, &settings);
                    let mut stream = start(&client.connector, HOST, port, &server);
                    talk(&mut stream);
                    close(&mut stream);
                }
                let stats = client.stats();
                let full = allocated();
                client.sessions.store().clear();
                let occupied = full - allocated();
                let said = usize::try_from(stats.bytes).unwrap();
                let sessions = usize::try_from(stats.sessions).unwrap();
                let what = format!(
                    "{kind} {protocol} {policy:?}, {unpacked} unpacked: {} sessions of {} \
                         bytes, said to be {}",
                    sessions,
                    occupied / sessions,
                    said / sessions
                );
                assert!(said >= occupied, "{what}");
                assert!(said < 3 * occupied, "{what}");
            }
        }
    }
}
