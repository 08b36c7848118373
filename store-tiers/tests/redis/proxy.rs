//! What can lie between us and Redis: a network that is slow, hangs or breaks.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// What happens to the answers.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub(crate) enum Weather {
    Fine,
    /// An answer comes when the weather has changed.
    Late,
    /// A byte now and then.
    Drip,
    /// The connection breaks in the middle of an answer.
    Cut,
    /// The connection breaks when a request comes, before any of it reaches Redis.
    Gone,
}

/// A proxy before a server. Its threads end with the test's process.
pub(crate) struct Proxy {
    port: u16,
    weather: Arc<AtomicU8>,
    connections: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let proxy = Self {
            port: listener.local_addr().expect("an address").port(),
            weather: Arc::default(),
            connections: Arc::default(),
        };
        let (weather, connections) = (proxy.weather.clone(), proxy.connections.clone());
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                connections.fetch_add(1, Ordering::SeqCst);
                let server = TcpStream::connect(("127.0.0.1", server)).expect("redis");
                let (to, from) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let (there, back) = (weather.clone(), weather.clone());
                thread::spawn(move || requests(from, to, &there));
                thread::spawn(move || answers(server, client, &back));
            }
        });
        proxy
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn set(&self, weather: Weather) {
        self.weather.store(weather as u8, Ordering::SeqCst);
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn is(weather: &AtomicU8, which: Weather) -> bool {
    weather.load(Ordering::SeqCst) == which as u8
}

fn requests(mut from: TcpStream, mut to: TcpStream, weather: &AtomicU8) {
    let mut buffer = vec![0; 65_536];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        if is(weather, Weather::Gone) || to.write_all(&buffer[..len]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

fn answers(mut from: TcpStream, mut to: TcpStream, weather: &AtomicU8) {
    let mut buffer = vec![0; 65_536];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        let bytes = &buffer[..len];
        let sent = if is(weather, Weather::Late) {
            while is(weather, Weather::Late) {
                thread::sleep(Duration::from_millis(5));
            }
            to.write_all(bytes)
        } else if is(weather, Weather::Drip) {
            bytes.iter().try_for_each(|&byte| {
                thread::sleep(Duration::from_millis(50));
                to.write_all(&[byte])
            })
        } else if is(weather, Weather::Cut) {
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
