//! The connector's methods about a tier.

use std::time::Duration;

use super::Connector;
use crate::backend::{AsyncBackend, Shareable};

impl<B: AsyncBackend + Shareable> Connector<B> {
    /// As [`prefetch`](crate::generic::Connector::prefetch) of the blocking connector: call it before
    /// the transport of [`connect_stream`](Self::connect_stream) is connected.
    pub async fn prefetch(&self, host: &str, port: u16) {
        let fetch = self.blocking().fetch_to(host, port);
        self.tasks.wait_for(fetch, &*self.sleep).await;
    }

    /// As [`load`](crate::generic::Connector::load) of the blocking connector.
    pub async fn load(&self, max: usize, timeout: Duration) -> bool {
        let domain = &self.blocking().security_domain();
        match self.blocking().shared() {
            Some(store) => store.load_async(domain, max, (self.sleep)(timeout)).await,
            None => false,
        }
    }

    /// As [`flush`](crate::generic::Connector::flush) of the blocking connector. Call it before the
    /// last connector is dropped in a task: dropping then finds nothing to write.
    pub async fn flush(&self, timeout: Duration) -> bool {
        match self.blocking().shared() {
            Some(store) => store.flush_async((self.sleep)(timeout)).await,
            None => false,
        }
    }
}
