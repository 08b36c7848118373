//! Mail servers that accept and discard every mail.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use lab::certificate::{Authority, Identity, KeyKind};
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{Ssl, SslContext, SslMethod};
use openssl::x509::X509;

use super::arguments::Destination;
use super::server_log::{HelloRecorder, ServerLog, SharedLog};
use super::smtp::Smtp;

/// Timeout of reads from a client.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Mail servers on ports of 127.0.0.1, each with its own certificate and ticket keys. Dropping them
/// stops them.
#[derive(Debug)]
pub struct Servers {
    root_pem: String,
    all: Vec<Server>,
    log: SharedLog,
}

#[derive(Debug)]
struct Server {
    destination: Destination,
    stopped: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
}

impl Servers {
    /// Starts `count` servers.
    pub fn start(count: usize) -> Result<Self, Box<dyn Error>> {
        let authority = Authority::new(KeyKind::EcdsaP256);
        let log = SharedLog::default();
        let server = |number| {
            let name = format!("mx{number}.mail.example");
            Server::start(&authority.issue(&[&name]), name, log.clone())
        };
        Ok(Self {
            all: (1..=count).map(server).collect::<Result<_, _>>()?,
            root_pem: authority.root_pem(),
            log,
        })
    }

    /// The root of the servers' certificates.
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// Names and addresses of the servers.
    pub fn destinations(&self) -> Vec<Destination> {
        self.all
            .iter()
            .map(|server| server.destination.clone())
            .collect()
    }

    /// The common log of all servers.
    pub fn log(&self) -> ServerLog {
        self.log.update(|log| log.clone())
    }
}

impl Server {
    fn start(identity: &Identity, host: String, log: SharedLog) -> Result<Self, Box<dyn Error>> {
        let context = context(identity)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let stopped = Arc::<AtomicBool>::default();
        let stop = Arc::clone(&stopped);
        let listening = thread::spawn(move || {
            for tcp in listener.incoming().flatten() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let (context, log) = (context.clone(), log.clone());
                // Errors are ignored: clients may be killed.
                thread::spawn(move || drop(serve(tcp, &context, &log)));
            }
        });
        Ok(Self {
            destination: Destination { host, address },
            stopped,
            listening: Some(listening),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // A connection wakes the listener from `accept`, so that it sees the flag.
        let woken = TcpStream::connect::<SocketAddr>(self.destination.address).is_ok();
        if let Some(listening) = self.listening.take().filter(|_| woken) {
            let _ = listening.join(); // the thread has reported a panic
        }
    }
}

/// A server's context, which contains its ticket keys.
fn context(identity: &Identity) -> Result<SslContext, ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls_server())?;
    let mut chain = identity
        .chain
        .iter()
        .map(|certificate| X509::from_der(certificate));
    if let Some(leaf) = chain.next() {
        context.set_certificate(&*leaf?)?;
    }
    for issuer in chain {
        context.add_extra_chain_cert(issuer?)?;
    }
    context.set_private_key(&*PKey::private_key_from_der(identity.key.secret_der())?)?;
    Ok(context.build())
}

fn serve(tcp: TcpStream, context: &SslContext, log: &SharedLog) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(TIMEOUT))?;
    let mut smtp = Smtp::new(tcp);
    smtp.write("220 ready")?;
    if !answer(&mut smtp, true)? {
        return Ok(());
    }
    let recorder = HelloRecorder::new(smtp.into_inner()?, log.clone());
    let tls = Ssl::new(context)?.accept(recorder);
    let tls = tls.map_err(io::Error::other)?;
    let resumed = tls.ssl().session_reused();
    log.update(|log| {
        log.handshakes += 1;
        log.resumed += usize::from(resumed);
    });
    let mut smtp = Smtp::new(tls);
    answer(&mut smtp, false)?;
    let mut tls = smtp.into_inner()?;
    let _ = tls.shutdown(); // the client may have closed
    tls.read(&mut [0]).map(drop)
}

/// Answers commands until QUIT or STARTTLS; returns whether the client sent STARTTLS.
fn answer<S: Read + Write>(smtp: &mut Smtp<S>, is_plain_text: bool) -> io::Result<bool> {
    while let Some(command) = smtp.read()? {
        let verb = command.split(' ').next().unwrap_or_default();
        let reply = match verb {
            "EHLO" if is_plain_text => "250-mail.example\r\n250 STARTTLS",
            "EHLO" => "250 mail.example",
            "STARTTLS" if is_plain_text => {
                smtp.write("220 go ahead")?;
                return Ok(true);
            }
            "MAIL" | "RCPT" if !is_plain_text => "250 ok",
            "DATA" if !is_plain_text => {
                smtp.write("354 go ahead")?;
                while smtp.read()?.is_some_and(|line| line != ".") {}
                "250 accepted"
            }
            "QUIT" => {
                smtp.write("221 bye")?;
                return Ok(false);
            }
            _ => "502 not implemented",
        };
        smtp.write(reply)?;
    }
    Ok(false)
}
