//! Many servers, each with a certificate of its own, and connections to one that begin together.

use std::error::Error;
use std::io::{self, Read, Write};
use std::sync::Arc;

use lab::certificate::PublicAuthorities;
use lab::server::{Library, Protocol, RustlsOnly, Server, ServerSettings};
use lab::transport::InMemory;
use pki_types::CertificateDer;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::ProducesTickets;

use super::client::Client;

/// Issuers that the servers share.
const ISSUERS: usize = 4;

/// Servers that are made when they are visited. They accept each other's tickets.
pub(super) struct Crowd {
    authorities: PublicAuthorities,
    ticketer: Arc<dyn ProducesTickets>,
    protocol: Protocol,
    /// Any of them, for handshakes in which no certificate is sent. It gives one ticket.
    for_resumption: Server,
}

impl Crowd {
    pub(super) fn new(protocol: Protocol) -> Result<Self, Box<dyn Error>> {
        let (authorities, ticketer) = (PublicAuthorities::new(ISSUERS), Ticketer::new()?);
        let for_resumption = server(&authorities, &ticketer, protocol, 0, 1);
        Ok(Self {
            authorities,
            ticketer,
            protocol,
            for_resumption,
        })
    }

    /// What its clients have to trust.
    pub(super) fn root(&self) -> CertificateDer<'static> {
        self.authorities.root_der()
    }

    /// Makes full handshakes with one server, so many that begin together, so that none can resume
    /// another's session; each gives so many tickets. Bytes of the server's chain.
    pub(super) fn meet(
        &self,
        number: usize,
        client: &dyn Client,
        connections: usize,
        tickets: usize,
    ) -> Result<usize, Box<dyn Error>> {
        let server = server(
            &self.authorities,
            &self.ticketer,
            self.protocol,
            number,
            tickets,
        );
        together(client, &server, &host(number), connections, false)?;
        let chain = &server.settings().identity.chain;
        Ok(chain.iter().map(|certificate| certificate.len()).sum())
    }

    /// Makes resumed handshakes with one server, so many that begin together, so that each uses
    /// another session; each gives one in its place.
    pub(super) fn meet_again(
        &self,
        number: usize,
        client: &dyn Client,
        connections: usize,
    ) -> Result<(), Box<dyn Error>> {
        together(
            client,
            &self.for_resumption,
            &host(number),
            connections,
            true,
        )
    }
}

fn host(number: usize) -> String {
    format!("shop-{number:06}.lab.example")
}

fn server(
    authorities: &PublicAuthorities,
    ticketer: &Arc<dyn ProducesTickets>,
    protocol: Protocol,
    number: usize,
    tickets: usize,
) -> Server {
    let settings = ServerSettings {
        protocols: vec![protocol],
        tickets,
        rustls: RustlsOnly {
            ticketer: Some(Arc::clone(ticketer)),
            ..RustlsOnly::default()
        },
        ..ServerSettings::new(authorities.issue(number, &host(number)))
    };
    Server::new(Library::Rustls, &settings)
}

/// Each connection begins when the one before has sent its first message, and ends before that one
/// reads its answer.
fn together(
    client: &dyn Client,
    server: &Server,
    host: &str,
    connections: usize,
    resumed: bool,
) -> Result<(), Box<dyn Error>> {
    let Some(others) = connections.checked_sub(1) else {
        return Ok(());
    };
    let mut others = || together(client, server, host, others, resumed);
    let mut transport = Waiting {
        inner: InMemory::new(server),
        first: Some(&mut others),
        failed: None,
    };
    let connected = client.connect(host, &mut transport);
    if let Some(failed) = transport.failed {
        return Err(failed);
    }
    let by_client = connected?;
    let by_server = transport.inner.server().facts().map(|facts| facts.resumed);
    if (by_client, by_server) != (resumed, Some(resumed)) {
        let seen = "a handshake was resumed that should be full, or the other way round";
        return Err(format!("{host}: {seen}: client {by_client}, server {by_server:?}").into());
    }
    Ok(())
}

type Before<'a> = &'a mut dyn FnMut() -> Result<(), Box<dyn Error>>;

/// A transport before whose first read something else is done.
pub(super) struct Waiting<'a> {
    inner: InMemory,
    first: Option<Before<'a>>,
    failed: Option<Box<dyn Error>>,
}

impl Read for Waiting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(first) = self.first.take()
            && let Err(error) = first()
        {
            self.failed = Some(error);
            return Err(io::Error::other("what should come first failed"));
        }
        self.inner.read(buffer)
    }
}

impl Write for Waiting<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.inner.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
