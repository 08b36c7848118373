//! Clients of hyper for requests with options.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use ::hyper::Request;
use ::hyper::body::Body;
use hyper_util::client::legacy::{Client, ResponseFuture};

use super::HttpsConnector;
use crate::tokio::Backend;
use crate::{ConnectOptions, generic};

/// Clients to keep.
const MOST: usize = 64;

/// Clients of hyper over one connector, one for each [`ConnectOptions`] in the extensions of requests:
/// a request is sent over connections with its own options, and never over a connection of another
/// partition. A request without has the connector's.
///
/// A client is made when it is first needed. The 64 that were used last are kept; dropping one closes
/// its idle connections. Sessions are the connector's, and stay. Cheap to clone; all clones share the
/// clients.
pub struct Clients<B: Backend, T> {
    connector: generic::Connector<B>,
    used: Arc<Mutex<Used<B, T>>>,
}

/// The clients that were used last, the newest at the end.
type Used<B, T> = Vec<(ConnectOptions, Client<HttpsConnector<B>, T>)>;

impl<B, T> Clients<B, T>
where
    B: Backend,
    T: Body + Send + Unpin + 'static,
    T::Data: Send,
    T::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Clients with the settings of [`client`](super::client), for `https://`.
    pub fn new(connector: &generic::Connector<B>) -> Self {
        Self {
            connector: connector.clone(),
            used: Arc::default(),
        }
    }

    /// Sends a request over a connection with the [`ConnectOptions`] in its extensions.
    pub fn request(&self, mut request: Request<T>) -> ResponseFuture {
        let options = request.extensions_mut().remove().unwrap_or_default();
        self.client(options).request(request)
    }

    /// The client with these options.
    fn client(&self, options: ConnectOptions) -> Client<HttpsConnector<B>, T> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let known = used.iter().position(|(known, _)| *known == options);
        let known = known.map(|index| used.remove(index).1);
        let client = known.unwrap_or_else(|| super::client(&self.connector.with_options(&options)));
        used.push((options, client.clone()));
        let surplus = (used.len() > MOST).then(|| used.remove(0));
        drop(used);
        drop(surplus); // closes connections
        client
    }
}

impl<B: Backend, T> Clone for Clients<B, T> {
    fn clone(&self) -> Self {
        Self {
            connector: self.connector.clone(),
            used: Arc::clone(&self.used),
        }
    }
}

impl<B: Backend, T> fmt::Debug for Clients<B, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients")
            .field("connector", &self.connector)
            .finish_non_exhaustive()
    }
}
