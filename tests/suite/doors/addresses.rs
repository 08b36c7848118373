//! R40: a connection that a door makes by itself is to an address that it knows.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};

use lab::server::{Library, Protocol, Server, ServerSettings};
use lab::tcp::TcpServer;
use tls_resume::{ConnectOptions, Resumption};

use super::client::Door;
use crate::blocking::clients;
use crate::servers::{HOST, LONG, authority};

/// A server with ticket keys of its own.
fn server(version: Protocol) -> TcpServer {
    let mut settings = ServerSettings::new(authority().issue(&[HOST]));
    settings.protocols = vec![version];
    let server = Server::new(Library::OpenSsl, &settings);
    TcpServer::start(server).expect("a free port")
}

/// Connects to `server` as to another address of the host and port of the door's server.
fn visit_other<D: Door>(door: &D, port: u16, server: &TcpServer) -> Resumption {
    let other = ConnectOptions::new().address(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)));
    let tcp = TcpStream::connect(server.address()).expect("TCP");
    let connector = door.connector();
    let mut stream = connector
        .connect_stream_with(HOST, port, tcp, &other)
        .expect("TLS");
    stream.write_all(b"hello").expect("a write");
    stream.read_exact(&mut [0; 5]).expect("an echo");
    stream.wait_for_tickets(LONG).expect("tickets");
    stream.close().expect("close_notify");
    stream.resumption()
}

pub(crate) fn doors_know_the_address<D: Door>() {
    for version in Protocol::ALL {
        let (one, other) = (server(version), server(version));
        let door = D::new(clients::builder().build().expect("valid settings"));
        let port = one.port();
        assert_eq!(door.visit(port).expect("a visit"), Resumption::Full);
        assert_eq!(visit_other(&door, port, &other), Resumption::Declined);
        if !D::KNOWS_ADDRESS {
            // It is offered the newest session, as if the host had one address.
            let visit = door.visit(port).expect("a visit");
            assert_eq!(visit, Resumption::Declined);
            continue;
        }
        for _ in 0..3 {
            assert_eq!(door.visit(port).expect("a visit"), Resumption::Resumed);
            assert_eq!(visit_other(&door, port, &other), Resumption::Resumed);
        }
    }
}
