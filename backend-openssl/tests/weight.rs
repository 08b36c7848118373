//! The weight of sessions against the memory that the allocator reports. A binary of its own, because
//! the allocator counts the whole process.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

#[path = "suite/client.rs"]
#[allow(dead_code, reason = "the suite uses the rest")]
mod client;

use backend_openssl::PeerCertificate;
use client::{Client, HOST, builder_trusting, close, echo, settings, start};
use lab::certificate::{Authority, KeyKind};
use lab::server::{Library, Protocol, Server, ServerSettings};
use store_core::Limits;

const SERVERS: u16 = 150;

/// Bytes allocated by OpenSSL and by Rust.
fn allocated() -> usize {
    // SAFETY: takes no argument and returns plain numbers.
    unsafe { libc::mallinfo2() }.uordblks
}

/// R16: the store's count of bytes is at least the memory in use, and less than three times as much.
#[test]
fn the_weight_of_sessions_bounds_their_memory() {
    // Generating an RSA key for each server takes too long.
    let kind = KeyKind::EcdsaP256;
    let authority = Authority::new(kind);
    for protocol in Protocol::ALL {
        for policy in [PeerCertificate::Keep, PeerCertificate::Strip] {
            for unpacked in [0, 100_000] {
                let limits = Limits::default().with_unpacked_sessions(unpacked);
                let builder = builder_trusting(&authority, protocol);
                let client = Client::with_policy(builder, limits, policy);
                for port in 0..SERVERS {
                    // Each server has its own certificate.
                    let settings = ServerSettings {
                        identity: authority.issue(&[HOST]),
                        ..settings(protocol)
                    };
                    let server = Server::new(Library::OpenSsl, &settings);
                    let mut stream = start(&client.connector, HOST, port, &server);
                    echo(&mut stream);
                    close(&mut stream);
                }
                let stats = client.stats();
                let full = allocated();
                client.sessions.store().clear();
                let occupied = full - allocated();
                let counted = usize::try_from(stats.bytes).unwrap();
                let sessions = usize::try_from(stats.sessions).unwrap();
                let what = format!(
                    "{kind} {protocol} {policy:?}, {unpacked} unpacked: {} sessions of {} \
                         bytes, counted as {}",
                    sessions,
                    occupied / sessions,
                    counted / sessions
                );
                assert!(counted >= occupied, "{what}");
                assert!(counted < 3 * occupied, "{what}");
            }
        }
    }
}
