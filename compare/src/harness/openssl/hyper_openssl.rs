//! A cache that does what the one inside hyper-openssl 0.10 does.
//!
//! The original is private to its crate; this one behaves the same. OpenSSL's own cache stays on and
//! reports what it drops. The sessions of a server are in order of arrival, and the oldest is
//! offered. TLS 1.3 sessions are removed when they are offered, others stay. Only OpenSSL's cache
//! limits the number of servers and sessions. There is one lock.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{
    Ssl, SslConnector, SslConnectorBuilder, SslSession, SslSessionCacheMode, SslSessionRef,
};

use super::offer::offer;
use super::session_source::SessionSource;
use crate::harness::custom::is_single_use;
use crate::harness::tls_client::{PORT, SERVER_NAME};

/// Host and port.
type Key = (String, u16);

/// A context with such a cache.
pub(super) struct HyperOpenssl {
    connector: SslConnector,
    cache: Arc<Mutex<Cache>>,
    key: Index<Ssl, Key>,
}

#[derive(Default)]
struct Cache {
    servers: HashMap<Key, VecDeque<SslSession>>,
    /// The server of each session, by session id.
    owners: HashMap<Vec<u8>, Key>,
}

impl Cache {
    fn insert(&mut self, key: Key, session: SslSession) {
        self.owners.insert(session.id().to_vec(), key.clone());
        self.servers.entry(key).or_default().push_back(session);
    }

    fn get(&mut self, key: &Key) -> Option<SslSession> {
        let session = self.servers.get(key)?.front()?.clone();
        if is_single_use(&session) {
            self.remove(&session);
        }
        Some(session)
    }

    fn remove(&mut self, session: &SslSessionRef) {
        let Some(key) = self.owners.remove(session.id()) else {
            return;
        };
        if let Entry::Occupied(mut server) = self.servers.entry(key) {
            server.get_mut().retain(|kept| kept.id() != session.id());
            if server.get().is_empty() {
                server.remove();
            }
        }
    }
}

impl HyperOpenssl {
    pub(super) fn new(mut builder: SslConnectorBuilder) -> Result<Self, ErrorStack> {
        let key = Ssl::new_ex_index::<Key>()?;
        let cache = Arc::new(Mutex::new(Cache::default()));
        builder.set_session_cache_mode(SslSessionCacheMode::CLIENT);
        let received = Arc::clone(&cache);
        builder.set_new_session_callback(move |ssl, session| {
            if let Some(key) = ssl.ex_data(key) {
                lock(&received).insert(key.clone(), session);
            }
        });
        let dropped = Arc::clone(&cache);
        builder.set_remove_session_callback(move |_, session| lock(&dropped).remove(session));
        Ok(Self {
            connector: builder.build(),
            cache,
            key,
        })
    }
}

impl SessionSource for HyperOpenssl {
    fn connection(&self) -> Result<Ssl, ErrorStack> {
        let mut ssl = self.connector.configure()?.into_ssl(SERVER_NAME)?;
        let key = (SERVER_NAME.to_owned(), PORT);
        let session = lock(&self.cache).get(&key);
        if let Some(session) = session {
            offer(&mut ssl, &session)?;
        }
        ssl.set_ex_data(self.key, key);
        Ok(ssl)
    }
}

fn lock(cache: &Mutex<Cache>) -> MutexGuard<'_, Cache> {
    cache.lock().unwrap_or_else(PoisonError::into_inner)
}
