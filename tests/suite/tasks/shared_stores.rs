//! Sessions from a tier.

use std::time::Duration;

use tls_resume::Resumption;
use tls_resume::openssl::Connector;

use super::clients::{servers, visit};
use crate::servers::authority;

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
        tokio::task::spawn_blocking(move || drop(first))
            .await
            .expect("close_notify");
        let stream = visit(&connector(), server.port()).await;
        assert_eq!(stream.resumption(), Resumption::Resumed, "{version}");
    }
}
