//! A prepared connection, in the form in which `s2n-tls-tokio` takes one.

use std::sync::{Arc, Mutex, PoisonError};

use s2n_tls::connection::{Builder, Connection};
use s2n_tls::enums::Mode;

use crate::handle::Handle;

/// A connection with its handle.
pub(crate) struct PreparedConnection {
    pub(crate) connection: Connection,
    /// `None`: the server is never resumed.
    pub(crate) handle: Option<Arc<Handle>>,
}

impl AsRef<Connection> for PreparedConnection {
    fn as_ref(&self) -> &Connection {
        &self.connection
    }
}

impl AsMut<Connection> for PreparedConnection {
    fn as_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

impl Drop for PreparedConnection {
    /// After a failure s2n-tls delays the result ("blinding"). A connection dropped during the delay
    /// has failed and was not cancelled.
    fn drop(&mut self) {
        let delay = self.connection.remaining_blinding_delay();
        if delay.is_ok_and(|delay| !delay.is_zero())
            && let Some(handle) = &self.handle
        {
            handle.failed(true); // it delays for what the server sent
        }
    }
}

/// A builder that gives one prepared connection to a `TlsConnector`.
#[derive(Clone)]
pub(crate) struct SingleUseBuilder(Arc<Mutex<Option<PreparedConnection>>>);

impl SingleUseBuilder {
    pub(crate) fn new(connection: PreparedConnection) -> Self {
        Self(Arc::new(Mutex::new(Some(connection))))
    }
}

impl Builder for SingleUseBuilder {
    type Output = PreparedConnection;

    fn build_connection(&self, _: Mode) -> Result<PreparedConnection, s2n_tls::error::Error> {
        let mut prepared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = || s2n_tls::error::Error::application("this builder has one connection".into());
        prepared.take().ok_or_else(taken)
    }
}
