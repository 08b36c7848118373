//! The way to the server: its addresses, and what is done on a connection before TLS.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::client::{Broken, Client, Facts, TICKETS_WAIT};
use crate::counted::Counted;
use crate::failure::{Failed, Failure};
use crate::{ConnectionRow, Options};
use tls_resume::ErrorKind;

/// How to reach the server that the options name.
pub(crate) struct Route<'a> {
    options: &'a Options,
    /// Or why there are none, which is then every connection's failure.
    addresses: Result<Vec<SocketAddr>, Failed>,
    /// Those that did not answer when they were tried last: to wait for them each time would take
    /// the whole timeout each time.
    silent: Mutex<BTreeMap<SocketAddr, Failed>>,
    /// Connections made, or tried, in all.
    made: AtomicUsize,
}

/// A connection that is ready for TLS, and the address at its other end.
pub(crate) struct Reached {
    pub(crate) io: Counted,
    pub(crate) address: SocketAddr,
}

impl<'a> Route<'a> {
    /// Looks the addresses up, unless they are given.
    pub(crate) fn find(options: &'a Options) -> Self {
        let port = options.port();
        let addresses = if options.addresses.is_empty() {
            let host = &options.target.host;
            let found = options.target.resolve(port);
            found.map_err(|error: io::Error| Failed::unknown(host, &error))
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
            silent: Mutex::default(),
            made: AtomicUsize::new(0),
        }
    }

    pub(crate) fn options(&self) -> &'a Options {
        self.options
    }

    /// None if the look-up failed.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        self.addresses.as_deref().unwrap_or_default()
    }

    /// Where a connection went.
    pub(crate) fn address_of(&self, row: &ConnectionRow) -> Option<SocketAddr> {
        let mut addresses = self.addresses().iter().copied();
        addresses.find(|address| row.address.as_ref() == Some(&address.ip().to_string()))
    }

    /// How many connections were made, or tried, since this was asked last.
    pub(crate) fn take_count(&self) -> usize {
        self.made.swap(0, Ordering::Relaxed)
    }

    /// Why addresses did not answer that were tried, and where.
    pub(crate) fn silent_addresses(&self) -> Vec<(SocketAddr, String)> {
        let silent = self.silent();
        let silent = silent.iter();
        silent
            .map(|(address, failed)| (*address, failed.why.clone()))
            .collect()
    }

    fn silent(&self) -> MutexGuard<'_, BTreeMap<SocketAddr, Failed>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects to the first address that answers, up to where TLS begins. One that did not answer
    /// before comes last.
    pub(crate) fn reach(&self) -> Result<Reached, (Option<SocketAddr>, Failed)> {
        let addresses = self.addresses.as_ref();
        let addresses = addresses.map_err(|failed| (None, failed.clone()))?;
        let mut addresses = addresses.clone();
        {
            let silent = self.silent();
            addresses.sort_by_key(|address| silent.contains_key(address)); // keeps their order
        }
        let mut last = None;
        for address in addresses {
            match self.connect(address) {
                Ok(io) => return self.begin(io, address),
                Err(failed) => {
                    let here = failed.failure == Failure::Local;
                    last = Some((Some(address), failed));
                    if here {
                        break; // another address would not change that
                    }
                }
            }
        }
        // A look-up that succeeds gives one address at least.
        Err(last.unwrap_or_else(|| (None, self.no_address())))
    }

    /// Connects to one address, up to where TLS begins.
    pub(crate) fn reach_at(&self, address: SocketAddr) -> Result<Reached, Failed> {
        let io = self.connect(address)?;
        self.begin(io, address).map_err(|(_, failed)| failed)
    }

    fn no_address(&self) -> Failed {
        let error = io::Error::new(io::ErrorKind::NotFound, "it has no address");
        Failed::unknown(&self.options.target.host, &error)
    }

    fn connect(&self, address: SocketAddr) -> Result<Counted, Failed> {
        self.made.fetch_add(1, Ordering::Relaxed);
        let timeout = self.options.timeout;
        let connected = TcpStream::connect_timeout(&address, timeout)
            .and_then(|tcp| Counted::new(tcp, timeout))
            .map_err(|error| Failed::unreachable(address, &error, timeout));
        match &connected {
            Ok(_) => {
                self.silent().remove(&address);
            }
            Err(failed) if failed.failure == Failure::NoAnswer => {
                self.silent().insert(address, failed.clone());
            }
            Err(_) => {}
        }
        connected
    }

    fn begin(
        &self,
        mut io: Counted,
        address: SocketAddr,
    ) -> Result<Reached, (Option<SocketAddr>, Failed)> {
        if let Some(protocol) = self.options.starttls {
            let server = self.server_at(address);
            protocol
                .begin(&mut io, &server)
                .map_err(|error| (Some(address), Failed::starttls(&error)))?;
            io.start_over();
        }
        Ok(Reached { io, address })
    }

    /// Makes a handshake.
    pub(crate) fn handshake(
        &self,
        client: &dyn Client,
        reached: &mut Reached,
        keep: bool,
    ) -> Result<Facts, Failed> {
        client.connect(&mut reached.io, keep).map_err(|broken| {
            let server = self.server_at(reached.address);
            let error = match broken {
                Broken::Handshake(error) => error,
                Broken::Refused(refusal) => return Failed::refused(&server, refusal),
            };
            // A server's alert may lie unread where the client was still writing.
            if reached.io.heard().plain.is_some() || error.kind() == ErrorKind::Closed {
                reached.io.listen_on(TICKETS_WAIT);
            }
            Failed::handshake(&server, &error, reached.io.heard(), self.options)
        })
    }

    /// The server as errors call it.
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
        let here = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = here.local_addr().unwrap().port();
        let there = TcpListener::bind(("127.0.0.2", port)).unwrap();
        let [here, there] = [&here, &there].map(|one| one.local_addr().unwrap());
        let mut options = Options::new(format!("localhost:{port}").parse().unwrap());
        options.addresses = vec![here.ip(), there.ip()];
        let route = Route::find(&options);
        let reached = || route.reach().ok().unwrap().address;
        assert_eq!(reached(), here);
        let failed = Failed::new(Failure::NoAnswer, "no answer");
        route.silent().insert(here, failed);
        assert_eq!((reached(), reached()), (there, there));
        assert_eq!(route.silent_addresses(), [(here, "no answer".to_owned())]);
        assert!(route.reach_at(here).is_ok());
        assert_eq!(reached(), here);
    }
}
