//! Many servers, each with a certificate of its own.

use std::error::Error;
use std::sync::Arc;

use lab::certificate::PublicAuthorities;
use lab::server::{Library, Protocol, RustlsOnly, Server, ServerSettings};
use pki_types::CertificateDer;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::ProducesTickets;

use super::client::Client;
use super::transport::Transport;

/// Issuers that the servers share.
const ISSUERS: usize = 4;

/// Servers by number, made when a client connects. They accept each other's tickets.
pub(super) struct Servers {
    authorities: PublicAuthorities,
    ticketer: Arc<dyn ProducesTickets>,
    protocol: Protocol,
    /// Stands for all servers in resumed handshakes, where no certificate is sent. It sends one
    /// ticket.
    for_resumption: Server,
}

impl Servers {
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

    /// The root that clients have to trust.
    pub(super) fn root(&self) -> CertificateDer<'static> {
        self.authorities.root_der()
    }

    /// Makes full handshakes with one server, each of which sends `tickets`. All begin together, so
    /// that none can resume another's session. Returns the bytes of the server's chain.
    pub(super) fn full_handshakes(
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
        connect_together(client, &server, &host(number), connections, false)?;
        let chain = &server.settings().identity.chain;
        Ok(chain.iter().map(|certificate| certificate.len()).sum())
    }

    /// Makes resumed handshakes with one server. All begin together, so that each uses another
    /// session; each stores a new one in its place.
    pub(super) fn resumed_handshakes(
        &self,
        number: usize,
        client: &dyn Client,
        connections: usize,
    ) -> Result<(), Box<dyn Error>> {
        let server = &self.for_resumption;
        connect_together(client, server, &host(number), connections, true)
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

/// Makes connections of which each begins after the previous one has sent its `ClientHello`, and
/// ends before the previous one reads the answer.
fn connect_together(
    client: &dyn Client,
    server: &Server,
    host: &str,
    connections: usize,
    resumed: bool,
) -> Result<(), Box<dyn Error>> {
    let Some(others) = connections.checked_sub(1) else {
        return Ok(());
    };
    let mut connect_others = || connect_together(client, server, host, others, resumed);
    let mut transport = Transport::new(server, &mut connect_others);
    let connected = client.connect(host, &mut transport);
    if let Some(error) = transport.take_error() {
        return Err(error);
    }
    let by_client = connected?;
    let by_server = transport.resumed_by_server();
    if (by_client, by_server) != (resumed, Some(resumed)) {
        let wanted = if resumed { "resumed" } else { "full" };
        return Err(format!(
            "{host}: a handshake was not {wanted}: client {by_client}, server {by_server:?}"
        )
        .into());
    }
    Ok(())
}
