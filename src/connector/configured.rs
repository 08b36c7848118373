//! The backend of a connector, configured with the current client credential.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use store_core::{SecurityDomain, SessionStore, Timestamp};

use crate::settings::Settings;
use crate::{Backend, ClientCredential, Error};

/// A backend with one client credential. A connection refers to it from its begin to its end.
#[derive(Debug)]
pub(crate) struct Configured<B> {
    pub(crate) backend: B,
    credential: Option<Arc<ClientCredential>>,
    /// When its credential replaced another one. `None`: it is the first.
    #[cfg_attr(
        not(feature = "rustls"),
        expect(dead_code, reason = "for a `ClientConfig`")
    )]
    pub(crate) since: Option<Timestamp>,
}

impl<B: Backend> Configured<B> {
    pub(crate) fn domain(&self) -> &SecurityDomain {
        self.backend.domain()
    }

    /// The same, over another store. No `ClientConfig` has it.
    pub(super) fn over(&self, store: Arc<SessionStore<B::Session>>) -> Self {
        Self {
            backend: self.backend.over(store),
            credential: self.credential.clone(),
            since: None,
        }
    }

    fn has(&self, credential: &Arc<ClientCredential>) -> bool {
        let own = self.credential.as_ref();
        own.is_some_and(|own| Arc::ptr_eq(own, credential))
    }
}

/// The configured backend that new connections use. It follows the source of credentials, if there is
/// one.
pub(super) struct Current<B> {
    configured: RwLock<Arc<Configured<B>>>,
    /// Held while a new credential is configured: connections wait for it.
    rejected: Mutex<Option<Rejected>>,
}

/// A credential that the TLS library cannot use.
struct Rejected {
    credential: Arc<ClientCredential>,
    error: String,
}

impl<B: Backend> Current<B> {
    /// Configures the first credential: the one in `settings`.
    pub(super) fn new(
        settings: &Settings,
        options: B::Options,
        memory: &Arc<SessionStore<B::Session>>,
    ) -> Result<Self, Error> {
        let configured = Configured {
            backend: B::build(settings, options, Arc::clone(memory))?,
            credential: settings.client.clone(),
            since: None,
        };
        Ok(Self {
            configured: RwLock::new(Arc::new(configured)),
            rejected: Mutex::new(None),
        })
    }

    /// The backend for a connection that begins now.
    pub(super) fn get(
        &self,
        settings: &Settings,
        options: &B::Options,
        memory: &Arc<SessionStore<B::Session>>,
    ) -> Arc<Configured<B>> {
        let configured = self.read();
        match &settings.client_source {
            Some(source) if !configured.has(&source.current()) => {
                self.follow(settings, options, memory)
            }
            _ => configured,
        }
    }

    fn read(&self) -> Arc<Configured<B>> {
        let configured = self.configured.read();
        Arc::clone(&configured.unwrap_or_else(PoisonError::into_inner))
    }

    /// Configures the credential of the source, unless the library has rejected it before.
    #[cold]
    fn follow(
        &self,
        settings: &Settings,
        options: &B::Options,
        memory: &Arc<SessionStore<B::Session>>,
    ) -> Arc<Configured<B>> {
        let rejected = self.rejected.lock();
        let mut rejected = rejected.unwrap_or_else(PoisonError::into_inner);
        // Another connection may have configured it meanwhile, and the source may have another one.
        let configured = self.read();
        let Some(source) = &settings.client_source else {
            return configured;
        };
        let credential = source.current();
        if configured.has(&credential) {
            *rejected = None;
            return configured;
        }
        let is_rejected = |rejected: &Rejected| Arc::ptr_eq(&rejected.credential, &credential);
        if rejected.as_ref().is_some_and(is_rejected) {
            return configured;
        }
        let mut settings = settings.clone();
        settings.client = Some(Arc::clone(&credential));
        let backend = &configured.backend;
        match backend.with_credential(&settings, options.clone(), Arc::clone(memory)) {
            Ok(backend) => {
                let next = Arc::new(Configured {
                    backend,
                    credential: Some(credential),
                    since: Some(settings.clock.now()),
                });
                let current = self.configured.write();
                *current.unwrap_or_else(PoisonError::into_inner) = Arc::clone(&next);
                *rejected = None;
                next
            }
            Err(error) => {
                let error = error.to_string();
                *rejected = Some(Rejected { credential, error });
                configured
            }
        }
    }

    /// Why the credential of the source is not used.
    pub(super) fn error(&self) -> Option<String> {
        let rejected = self.rejected.lock();
        let rejected = rejected.unwrap_or_else(PoisonError::into_inner);
        rejected.as_ref().map(|rejected| rejected.error.clone())
    }
}
