//! Sessions from a tier.

use std::time::Duration;

use tls_resume::Resumption;
use tls_resume::openssl::Connector;

use super::clients::{servers, visit};
use crate::servers::{HOST, LONG, authority};

pub(crate) async fn sessions_are_fetched_from_a_file_while_tcp_connects() {
    for (version, server) in servers() {
        let place = tempfile::tempdir().expect("a directory");
        let connector = || {
            let builder = Connector::builder().roots([authority().root_der()]);
            let url = format!("lmdb:{}", place.path().join("sessions").display());
            let builder = builder.store(url).store_timeout(Duration::from_secs(1));
            builder.build().expect("valid settings").tokio()
        };
        let first = connector();
        visit(&first, server.port()).await;
        assert!(first.flush(LONG).await);
        drop(first);
        let stream = visit(&connector(), server.port()).await;
        assert_eq!(stream.resumption(), Resumption::Resumed, "{version}");
    }
}

pub(crate) async fn sessions_move_while_other_tasks_run() {
    for (version, server) in servers() {
        let place = tempfile::tempdir().expect("a directory");
        let connector = || {
            let url = format!("lmdb:{}", place.path().join("sessions").display());
            let builder = Connector::builder().store(url).store_timeout(LONG);
            let builder = builder.roots([authority().root_der()]);
            builder.build().expect("valid settings").tokio()
        };
        let first = connector();
        visit(&first, server.port()).await;
        assert!(first.flush(LONG).await, "{version}");
        let (loads, prefetches) = (connector(), connector());
        prefetches.prefetch(HOST, server.port()).await;
        assert_eq!(prefetches.blocking().stats().sessions, 1, "{version}");
        assert!(prefetches.flush(LONG).await);
        assert!(loads.load(10, LONG).await);
        assert!(loads.blocking().stats().sessions > 0, "{version}");
    }
}
