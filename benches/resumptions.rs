//! Runs resumed handshakes for `scripts/bench-instructions`, which counts their lines of code with
//! callgrind: `resumptions LIBRARY VERSION STORE ROUNDS`, such as `resumptions rustls 1.3 tls-resume
//! 20`. After each of three intervals of `ROUNDS` handshakes it calls [`interval_done`], where
//! callgrind writes its counts.

use std::hint::black_box;
use std::process::ExitCode;

use compare::harness::{Fixture, Scenario, Stack, Store};
use lab::certificate::{Authority, KeyKind};
use lab::server::Protocol;

/// The first is a warm-up.
const INTERVALS: u32 = 3;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let Some((scenario, store, rounds)) = read(&arguments) else {
        eprintln!("usage: resumptions rustls|openssl 1.2|1.3 STORE ROUNDS");
        return ExitCode::from(2);
    };
    let fixture = Fixture::new(scenario, &Authority::new(KeyKind::EcdsaP256));
    let client = fixture.client(store).expect("the first handshake succeeds");
    for interval in 0..INTERVALS {
        for _ in 0..rounds {
            client.handshake().expect("the handshake succeeds");
        }
        interval_done(interval);
    }
    ExitCode::SUCCESS
}

/// The script gives this name to callgrind.
#[inline(never)]
fn interval_done(interval: u32) {
    black_box(interval);
}

fn read(arguments: &[String]) -> Option<(Scenario, Store, u32)> {
    let [library, version, store, rounds] = arguments else {
        return None;
    };
    let client = Stack::MAIN
        .into_iter()
        .find(|client| client.library().to_string() == *library)?;
    let protocol = Protocol::ALL
        .into_iter()
        .find(|protocol| protocol.as_str() == version)?;
    let store = Store::KNOWN
        .into_iter()
        .find(|known| known.as_str() == store)?;
    Some((Scenario::new(client, protocol), store, rounds.parse().ok()?))
}
