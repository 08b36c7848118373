//! R28, R29: connections that the application cancels are no failures of the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lab::server::{Library, Protocol};
use tls_resume::Resumption;
use tls_resume::tokio::{Backend, Connector};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::clients::{client, listen, settings, talk};
use crate::servers::{HOST, LONG};

const BURSTS: u64 = 64;
const BURSTS_WITHOUT_CANCELS: u64 = 16;
const CONNECTIONS: u64 = 32;

/// Random numbers, the same in each run (splitmix64).
fn random(number: u64) -> u64 {
    let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// In bursts of 32 connections, of which a quarter may be cancelled within 20 ms. Returns how many
/// of 1,000 that were not cancelled resumed.
async fn resumed_per_mille<B: Backend>(client: &Connector<B>, port: u16, cancels: bool) -> u64 {
    let counted = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
    let bursts = if cancels {
        BURSTS
    } else {
        BURSTS_WITHOUT_CANCELS
    };
    for burst in 0..bursts {
        let mut tasks = JoinSet::new();
        for number in 0..CONNECTIONS {
            let (client, counted) = (client.clone(), Arc::clone(&counted));
            let random = random(burst * CONNECTIONS + number);
            tasks.spawn(async move {
                let visit = async {
                    let mut stream = client.connect(HOST, port).await.expect("a connection");
                    talk(&mut stream).await;
                    stream.resumption()
                };
                let limit = match random % 4 {
                    0 if cancels => Duration::from_micros((random >> 8) % 20_000),
                    _ => LONG,
                };
                if let Ok(resumption) = timeout(limit, visit).await {
                    let resumed = usize::from(resumption == Resumption::Resumed);
                    counted[resumed].fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.expect("no panic");
        }
    }
    let [full, resumed] = [0, 1].map(|kind| counted[kind].load(Ordering::Relaxed));
    resumed * 1000 / (full + resumed)
}

pub(crate) async fn bursts_with_cancels_to_a_healthy_server_resume<B: Backend>() {
    for version in Protocol::ALL {
        // It sends as many tickets on each connection, so that a cancelled one, which has used one
        // up, leaves enough.
        let server = listen(Library::Rustls, &settings(version));
        let [undisturbed, cancelling] = [client::<B>(), client()];
        let without = resumed_per_mille(&undisturbed, server.port(), false).await;
        let with = resumed_per_mille(&cancelling, server.port(), true).await;
        for client in [undisturbed, cancelling] {
            let stats = client.blocking().stats();
            assert_eq!(
                (stats.avoided, stats.failed),
                (0, 0),
                "{version}: {stats:?}"
            );
        }
        assert!(
            with + 50 > without,
            "{version}: {with} of 1,000, without cancels {without}"
        );
    }
}
