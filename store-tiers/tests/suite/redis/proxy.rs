//! A proxy that injects network faults between the tier and Redis.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// A fault of the network.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub(crate) enum Fault {
    None,
    /// Replies are held until another fault is set.
    Late,
    /// Replies are sent byte by byte.
    Drip,
    /// The connection is closed in the middle of a reply.
    Cut,
    /// The connection is closed when a request arrives, before any of it reaches Redis.
    Gone,
}

/// A proxy. Its threads end with the process.
pub(crate) struct Proxy {
    port: u16,
    fault: Arc<AtomicU8>,
    connections: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let proxy = Self {
            port: listener.local_addr().expect("an address").port(),
            fault: Arc::default(),
            connections: Arc::default(),
        };
        let (fault, connections) = (proxy.fault.clone(), proxy.connections.clone());
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                connections.fetch_add(1, Ordering::SeqCst);
                let server = TcpStream::connect(("127.0.0.1", server)).expect("redis");
                let (to, from) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let (request_fault, reply_fault) = (fault.clone(), fault.clone());
                thread::spawn(move || forward_requests(from, to, &request_fault));
                thread::spawn(move || forward_replies(server, client, &reply_fault));
            }
        });
        proxy
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn set(&self, fault: Fault) {
        self.fault.store(fault as u8, Ordering::SeqCst);
    }

    /// The number of connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn is(fault: &AtomicU8, which: Fault) -> bool {
    fault.load(Ordering::SeqCst) == which as u8
}

fn forward_requests(mut from: TcpStream, mut to: TcpStream, fault: &AtomicU8) {
    let mut buffer = vec![0; 65_536];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        if is(fault, Fault::Gone) || to.write_all(&buffer[..len]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

fn forward_replies(mut from: TcpStream, mut to: TcpStream, fault: &AtomicU8) {
    let mut buffer = vec![0; 65_536];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        let bytes = &buffer[..len];
        let sent = if is(fault, Fault::Late) {
            while is(fault, Fault::Late) {
                thread::sleep(Duration::from_millis(5));
            }
            to.write_all(bytes)
        } else if is(fault, Fault::Drip) {
            bytes.iter().try_for_each(|&byte| {
                thread::sleep(Duration::from_millis(50));
                to.write_all(&[byte])
            })
        } else if is(fault, Fault::Cut) {
            let _ = to.write_all(&bytes[..len / 2]);
            break;
        } else {
            to.write_all(bytes)
        };
        if sent.is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
