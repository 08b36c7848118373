//! Runs resumed handshakes for `scripts/code-lines`, which counts their code with callgrind:
//! `resumptions LIBRARY VERSION STORE COUNT`, such as `resumptions rustls 1.3 tls-resume 20`.

use std::process::ExitCode;

use compare::harness::{Fixture, Scenario, Stack, Store};
use lab::certificate::{Authority, KeyKind};
use lab::server::Protocol;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let Some((scenario, store, count)) = read(&arguments) else {
        eprintln!("usage: resumptions rustls|openssl 1.2|1.3 STORE COUNT");
        return ExitCode::from(2);
    };
    let fixture = Fixture::new(scenario, &Authority::new(KeyKind::EcdsaP256));
    let client = fixture.client(store).expect("the first handshake succeeds");
    for _ in 0..count {
        client.handshake().expect("the handshake succeeds");
    }
    ExitCode::SUCCESS
}

fn read(arguments: &[String]) -> Option<(Scenario, Store, u32)> {
    let [library, version, store, count] = arguments else {
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
    Some((Scenario::new(client, protocol), store, count.parse().ok()?))
}
