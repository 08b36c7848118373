//! R40: a connection that a door makes by itself is to an address that it knows.

use std::net::{IpAddr, Ipv4Addr, TcpStream};

use lab::server::{Library, Protocol};
use lab::tcp::TcpServer;
use tls_resume::{ConnectOptions, Resumption};

use super::client::{Door, talk};
use crate::blocking::clients;
use crate::servers::{HOST, listen, server};

/// Connects to `server` as to another address of the host and port of the door's server.
fn visit_other<D: Door>(door: &D, port: u16, server: &TcpServer) -> Resumption {
    let other = ConnectOptions::new().address(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)));
    let tcp = TcpStream::connect(server.address()).expect("TCP");
    let connector = door.connector();
    let stream = connector
        .connect_stream_with(HOST, port, tcp, &other)
        .expect("TLS");
    talk(stream).expect("an exchange of data").resumption
}

pub(crate) fn doors_know_the_address<D: Door>() {
    for version in Protocol::ALL {
        // Each has ticket keys of its own.
        let [one, other] = [(); 2].map(|()| listen(server(Library::OpenSsl, version)));
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
