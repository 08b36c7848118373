//! A proxy that tells from a server's first messages whether it resumed, for servers that do not
//! report it.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;

/// A proxy on a port of 127.0.0.1 that records what a server sends. It runs until the process ends.
pub(crate) struct RecordingProxy {
    pub(crate) port: u16,
    sent: Sent,
}

/// The bytes that the server sent, by connection.
#[derive(Clone, Default)]
struct Sent(Arc<Mutex<Vec<Vec<u8>>>>);

impl Sent {
    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RecordingProxy {
    pub(crate) fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let sent = Sent::default();
        let all = sent.clone();
        thread::spawn(move || {
            for (number, client) in listener.incoming().enumerate() {
                all.lock().push(Vec::new());
                let all = all.clone();
                let _ = forward(client?, TcpStream::connect(server)?, move |bytes| {
                    all.lock()[number].extend_from_slice(bytes);
                });
            }
            io::Result::Ok(())
        });
        Self { port, sent }
    }

    /// Whether each connection so far was resumed. Every one must have begun TLS.
    pub(crate) fn resumed(&self) -> Vec<bool> {
        let sent = self.sent.lock();
        let resumed = |sent: &Vec<u8>| resumed(sent).expect("a ServerHello");
        sent.iter().map(resumed).collect()
    }
}

/// Forwards a connection in both directions; `record` gets what the server sends.
fn forward(
    mut client: TcpStream,
    mut server: TcpStream,
    record: impl Fn(&[u8]) + Send + 'static,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        to_server.shutdown(Shutdown::Write)
    });
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        loop {
            let read = server.read(&mut bytes).unwrap_or(0); // a reset is an end, too
            if read == 0 {
                return client.shutdown(Shutdown::Write);
            }
            record(&bytes[..read]);
            client.write_all(&bytes[..read])?;
        }
    });
    Ok(())
}

/// Whether a server resumed, from the bytes that it sent; text may precede TLS.
///
/// In TLS 1.3 the `ServerHello` of a resumption has the extension `pre_shared_key` (RFC 8446,
/// sections 4.1.3 and 4.2.11). In TLS 1.2 no certificate follows it (RFC 5246, section 7.3).
fn resumed(sent: &[u8]) -> Option<bool> {
    let begin = sent.windows(2).position(|two| two == [HANDSHAKE, 3])?;
    let messages = plaintext_messages(&sent[begin..]);
    let mut messages = messages.as_slice();
    let (kind, hello) = message(&mut messages)?;
    assert_eq!(kind, SERVER_HELLO);
    let (is_tls13, has_psk) = extensions(hello)?;
    if is_tls13 {
        return Some(has_psk);
    }
    while let Some((kind, _)) = message(&mut messages) {
        if kind == CERTIFICATE {
            return Some(false);
        }
    }
    Some(true)
}

/// The handshake messages of the records before encryption begins.
fn plaintext_messages(mut records: &[u8]) -> Vec<u8> {
    let mut messages = Vec::new();
    while let Some((header, rest)) = records.split_first_chunk::<5>() {
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        if header[0] == CHANGE_CIPHER_SPEC || rest.len() < length {
            break;
        }
        if header[0] == HANDSHAKE {
            messages.extend_from_slice(&rest[..length]);
        }
        records = &rest[length..];
    }
    messages
}

/// Splits off a handshake message: its type and its contents.
fn message<'a>(messages: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let ([kind, length @ ..], rest) = messages.split_first_chunk::<4>()?;
    *messages = rest;
    let length = u32::from_be_bytes([0, length[0], length[1], length[2]]);
    Some((*kind, messages.split_off(..usize::try_from(length).ok()?)?))
}

/// Whether a `ServerHello` is of TLS 1.3, and has a `pre_shared_key`.
fn extensions(mut hello: &[u8]) -> Option<(bool, bool)> {
    hello.split_off(..2 + 32)?; // version, random
    let session_id = *hello.split_off_first()?;
    hello.split_off(..usize::from(session_id) + 3)?; // cipher suite, compression method
    let mut extensions = vector(&mut hello).unwrap_or_default();
    let (mut is_tls13, mut has_psk) = (false, false);
    while let Some((kind, rest)) = extensions.split_first_chunk() {
        extensions = rest;
        let contents = vector(&mut extensions)?;
        match u16::from_be_bytes(*kind) {
            43 => is_tls13 = contents == [3, 4], // supported_versions
            41 => has_psk = true,                // pre_shared_key
            _ => {}
        }
    }
    Some((is_tls13, has_psk))
}

/// Splits off a vector with a length of two bytes.
fn vector<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    bytes.split_off(..usize::from(u16::from_be_bytes(*length)))
}
