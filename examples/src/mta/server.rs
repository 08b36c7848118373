//! Mail servers that take every mail and keep none.

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
use super::ledger::{Book, Ledger, Overheard};
use super::lines::Lines;

/// How long a server waits for a client that says nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// Some mail servers on ports of 127.0.0.1, each with a certificate and ticket keys of its own.
/// Dropping them stops them.
#[derive(Debug)]
pub struct Servers {
    root_pem: String,
    all: Vec<Server>,
    book: Book,
}

#[derive(Debug)]
struct Server {
    at: Destination,
    stopped: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
}

impl Servers {
    /// Starts so many.
    pub fn start(count: usize) -> Result<Self, Box<dyn Error>> {
        let authority = Authority::new(KeyKind::EcdsaP256);
        let book = Book::default();
        let server = |number| {
            let name = format!("mx{number}.mail.example");
            Server::start(&authority.issue(&[&name]), name, book.clone())
        };
        Ok(Self {
            all: (1..=count).map(server).collect::<Result<_, _>>()?,
            root_pem: authority.root_pem(),
            book,
        })
    }

    /// The root certificate that all of theirs lead to.
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    /// Where they are.
    pub fn destinations(&self) -> Vec<Destination> {
        self.all.iter().map(|it| it.at.clone()).collect()
    }

    /// What they have seen together.
    pub fn ledger(&self) -> Ledger {
        self.book.write(|ledger| ledger.clone())
    }
}

impl Server {
    fn start(identity: &Identity, host: String, book: Book) -> Result<Self, Box<dyn Error>> {
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
                let (context, book) = (context.clone(), book.clone());
                // A client that is killed takes its connection with it, and nothing else.
                thread::spawn(move || drop(serve(tcp, &context, &book)));
            }
        });
        Ok(Self {
            at: Destination { host, address },
            stopped,
            listening: Some(listening),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // The listener blocks in `accept`: one more connection makes it look at the flag.
        let woken = TcpStream::connect::<SocketAddr>(self.at.address).is_ok();
        if let Some(listening) = self.listening.take().filter(|_| woken) {
            let _ = listening.join(); // a panic in there was reported by its thread
        }
    }
}

/// What OpenSSL builds once for a server; the keys of its tickets are in it.
fn context(identity: &Identity) -> Result<SslContext, ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls_server())?;
    let mut chain = identity.chain.iter().map(|it| X509::from_der(it));
    if let Some(leaf) = chain.next() {
        context.set_certificate(&*leaf?)?;
    }
    for issuer in chain {
        context.add_extra_chain_cert(issuer?)?;
    }
    context.set_private_key(&*PKey::private_key_from_der(identity.key.secret_der())?)?;
    Ok(context.build())
}

fn serve(tcp: TcpStream, context: &SslContext, book: &Book) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    let mut smtp = Lines::new(tcp);
    smtp.write("220 ready")?;
    if !converse(&mut smtp, true)? {
        return Ok(());
    }
    let overheard = Overheard::new(smtp.into_inner()?, book.clone());
    let tls = Ssl::new(context)?.accept(overheard);
    let tls = tls.map_err(io::Error::other)?;
    let resumed = tls.ssl().session_reused();
    book.write(|ledger| {
        ledger.handshakes += 1;
        ledger.resumed += usize::from(resumed);
    });
    let mut smtp = Lines::new(tls);
    converse(&mut smtp, false)?;
    let mut tls = smtp.into_inner()?;
    let _ = tls.shutdown(); // the client may be gone
    tls.read(&mut [0]).map(drop)
}

/// Answers until the end, or until the client wants TLS: whether it does.
fn converse<S: Read + Write>(smtp: &mut Lines<S>, in_the_clear: bool) -> io::Result<bool> {
    while let Some(command) = smtp.read()? {
        let verb = command.split(' ').next().unwrap_or_default();
        let answer = match verb {
            "EHLO" if in_the_clear => "250-mail.example\r\n250 STARTTLS",
            "EHLO" => "250 mail.example",
            "STARTTLS" if in_the_clear => {
                smtp.write("220 go ahead")?;
                return Ok(true);
            }
            "MAIL" | "RCPT" if !in_the_clear => "250 ok",
            "DATA" if !in_the_clear => {
                smtp.write("354 go ahead")?;
                while smtp.read()?.is_some_and(|line| line != ".") {}
                "250 taken"
            }
            "QUIT" => {
                smtp.write("221 bye")?;
                return Ok(false);
            }
            _ => "502 not here",
        };
        smtp.write(answer)?;
    }
    Ok(false)
}
