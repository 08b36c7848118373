//! Connections to the server, up to where TLS begins: addresses, TCP, STARTTLS.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use store_core::net::Deadline;
use tls_resume::ErrorKind;

use crate::client::{Client, ClientError, Handshake, TICKETS_TIMEOUT};
use crate::connection_error::ConnectionError;
use crate::transport::Transport;
use crate::{ConnectionRow, Failure, Options};

/// The least time to connect: [`TcpStream::connect_timeout`] rejects zero.
const MIN_TIMEOUT: Duration = Duration::from_millis(1);

/// Connects to the server that the options name.
pub(crate) struct Dialer<'a> {
    options: &'a Options,
    /// An error, if the host cannot be resolved, is that of every connection.
    addresses: Result<Vec<SocketAddr>, ConnectionError>,
    /// Addresses that did not answer when they were tried last. They are tried last, since each try
    /// may take the whole timeout.
    unresponsive: Mutex<BTreeMap<SocketAddr, ConnectionError>>,
    /// Whether any connection received a TLS record.
    seen_tls: AtomicBool,
    /// TCP connections made or tried, since they were taken last.
    attempts: AtomicUsize,
}

/// A connection that is ready for TLS.
pub(crate) struct Connected {
    pub(crate) io: Transport,
    pub(crate) address: SocketAddr,
}

/// A connection that failed before TLS, with the address tried last.
pub(crate) struct NotConnected {
    pub(crate) address: Option<SocketAddr>,
    pub(crate) error: ConnectionError,
}

impl<'a> Dialer<'a> {
    /// Resolves the host, unless the options give addresses.
    pub(crate) fn new(options: &'a Options) -> Self {
        let port = options.port();
        let addresses = if options.addresses.is_empty() {
            let resolved = options.target.resolve(port);
            resolved.map_err(|error| ConnectionError::resolve(&options.target.host, &error))
        } else {
            let given = options.addresses.iter();
            Ok(given.map(|address| (*address, port).into()).collect())
        };
        let addresses = addresses.map(|mut addresses| {
            let mut seen = HashSet::new();
            addresses.retain(|address| seen.insert(*address));
            addresses
        });
        Self {
            options,
            addresses,
            unresponsive: Mutex::default(),
            seen_tls: AtomicBool::new(false),
            attempts: AtomicUsize::new(0),
        }
    }

    pub(crate) fn options(&self) -> &'a Options {
        self.options
    }

    /// Empty if the host cannot be resolved.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        self.addresses.as_deref().unwrap_or_default()
    }

    /// The address that a connection went to.
    pub(crate) fn address_of(&self, row: &ConnectionRow) -> Option<SocketAddr> {
        let mut addresses = self.addresses().iter().copied();
        addresses.find(|address| row.address.as_ref() == Some(&address.ip().to_string()))
    }

    /// The number of TCP connections made or tried since the last call.
    pub(crate) fn take_attempts(&self) -> usize {
        self.attempts.swap(0, Ordering::Relaxed)
    }

    /// Whether the server has sent a TLS record on any connection so far.
    pub(crate) fn has_seen_tls(&self) -> bool {
        self.seen_tls.load(Ordering::Relaxed)
    }

    /// Addresses that did not answer when they were tried last, each with its message.
    pub(crate) fn unresponsive_addresses(&self) -> Vec<(SocketAddr, String)> {
        let unresponsive = self.unresponsive();
        let addresses = unresponsive.iter();
        addresses
            .map(|(address, error)| (*address, error.message.clone()))
            .collect()
    }

    fn unresponsive(&self) -> MutexGuard<'_, BTreeMap<SocketAddr, ConnectionError>> {
        self.unresponsive
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects to the first address that answers. The addresses share the timeout; those that did
    /// not answer before come last.
    pub(crate) fn connect(&self) -> Result<Connected, NotConnected> {
        let addresses = self.addresses.as_ref().map_err(|error| NotConnected {
            address: None,
            error: error.clone(),
        })?;
        let mut addresses = addresses.clone();
        {
            let unresponsive = self.unresponsive();
            addresses.sort_by_key(|address| unresponsive.contains_key(address)); // stable
        }
        let mut last = None;
        for (address, timeout) in Deadline::after(self.options.timeout).share(addresses) {
            match self.connect_tcp(address, timeout) {
                Ok(io) => return self.start_tls(io, address),
                Err(error) => {
                    let is_local = error.failure == Failure::Local;
                    last = Some(NotConnected {
                        address: Some(address),
                        error,
                    });
                    if is_local {
                        break; // every other address would fail in the same way
                    }
                }
            }
        }
        // Resolving gives at least one address, or an error.
        Err(last.unwrap_or_else(|| NotConnected {
            address: None,
            error: self.no_address(),
        }))
    }

    /// Connects to one address.
    pub(crate) fn connect_to(&self, address: SocketAddr) -> Result<Connected, ConnectionError> {
        let io = self.connect_tcp(address, self.options.timeout)?;
        self.start_tls(io, address).map_err(|failed| failed.error)
    }

    fn no_address(&self) -> ConnectionError {
        let error = io::Error::new(io::ErrorKind::NotFound, "it has no address");
        ConnectionError::resolve(&self.options.target.host, &error)
    }

    fn connect_tcp(
        &self,
        address: SocketAddr,
        timeout: Duration,
    ) -> Result<Transport, ConnectionError> {
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let connected = TcpStream::connect_timeout(&address, timeout.max(MIN_TIMEOUT))
            .and_then(|tcp| Transport::new(tcp, self.options.timeout))
            .map_err(|error| ConnectionError::connect(address, &error, timeout));
        match &connected {
            Ok(_) => {
                self.unresponsive().remove(&address);
            }
            Err(error) if error.failure == Failure::NoAnswer => {
                self.unresponsive().insert(address, error.clone());
            }
            Err(_) => {}
        }
        connected
    }

    /// Asks for TLS with `--starttls`.
    fn start_tls(&self, mut io: Transport, address: SocketAddr) -> Result<Connected, NotConnected> {
        if let Some(protocol) = self.options.starttls {
            let server = self.server_at(address);
            protocol
                .begin(&mut io, &server)
                .map_err(|error| NotConnected {
                    address: Some(address),
                    error: ConnectionError::starttls(&error),
                })?;
            io.reset();
        }
        Ok(Connected { io, address })
    }

    /// Makes a handshake. Keeps the sessions that it brings if `keep`.
    pub(crate) fn handshake(
        &self,
        client: &dyn Client,
        connected: &mut Connected,
        keep: bool,
    ) -> Result<Handshake, ConnectionError> {
        let result = client.connect(&mut connected.io, keep);
        let server = self.server_at(connected.address);
        let result = result.map_err(|error| {
            let io = &mut connected.io;
            let (error, offered) = match error {
                ClientError::Handshake(error) => {
                    // An alert of the server may still be unread if the client failed to write.
                    if io.cleartext().not_tls.is_some() || error.kind() == ErrorKind::Closed {
                        io.read_rest(TICKETS_TIMEOUT);
                    }
                    let offered = error.offered_session();
                    let cleartext = io.cleartext();
                    let error =
                        ConnectionError::handshake(&server, &error, cleartext, self.options);
                    (error, offered)
                }
                ClientError::Aborted { abort, offered } => {
                    let error = ConnectionError::aborted(&server, abort, self.options);
                    (error, offered)
                }
            };
            ConnectionError {
                offered,
                bytes_in: io.bytes_in(),
                bytes_out: io.bytes_out(),
                ..error
            }
        });
        if connected.io.cleartext().is_tls {
            self.seen_tls.store(true, Ordering::Relaxed);
        }
        result
    }

    /// The server's name and address, for error messages.
    fn server_at(&self, address: SocketAddr) -> String {
        let host = &self.options.target.host;
        if host.parse() == Ok(address.ip()) {
            address.to_string()
        } else {
            format!("{host}:{} ({})", address.port(), address.ip())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn an_address_that_did_not_answer_comes_last_until_it_does() {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let second = TcpListener::bind(("127.0.0.2", port)).unwrap();
        let [first, second] = [&first, &second].map(|one| one.local_addr().unwrap());
        let mut options = Options::new(format!("localhost:{port}").parse().unwrap());
        options.addresses = vec![first.ip(), second.ip()];
        let dialer = Dialer::new(&options);
        let connected = || dialer.connect().ok().unwrap().address;
        assert_eq!(connected(), first);
        let error = ConnectionError::new(Failure::NoAnswer, "no answer");
        dialer.unresponsive().insert(first, error);
        assert_eq!((connected(), connected()), (second, second));
        assert_eq!(
            dialer.unresponsive_addresses(),
            [(first, "no answer".to_owned())]
        );
        assert!(dialer.connect_to(first).is_ok());
        assert_eq!(connected(), first);
    }
}
