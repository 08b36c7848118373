//! An HTTPS server to run the programs against: hyper, over lab's server of either TLS library.

mod wire;

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::{fmt, fs};

use http_body_util::Full;
use hyper::body::{Body, Bytes, Incoming};
use hyper::service::{Service, service_fn};
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use lab::certificate::{Authority, KeyKind};
use lab::server::{Handshake, Library, Protocol, Server, ServerSettings};
use tempfile::TempDir;
use tokio::runtime;
use tokio::sync::oneshot;

use self::wire::Wire;

/// The name that its certificate is for.
pub const HOST: &str = "localhost";

/// An HTTPS server on a port of 127.0.0.1 that says of each handshake what it saw. Dropping it stops
/// it.
pub struct Site {
    port: u16,
    log: Arc<Log>,
    folder: TempDir,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
}

/// What has happened so far.
#[derive(Default)]
struct Log {
    handshakes: Mutex<Vec<Handshake>>,
    requests: Mutex<Vec<Version>>,
}

impl Site {
    /// Answers every request with a line of text. Speaks the version of HTTP that is the first of
    /// `alpn` which the client offers; HTTP/1.1 without any.
    pub fn start(library: Library, protocol: Protocol, alpn: &[&str]) -> io::Result<Self> {
        let answer = service_fn(|_: Request<Incoming>| async {
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello\n"))))
        });
        Self::serving(library, protocol, alpn, answer)
    }

    /// Leaves the answers to `service`.
    pub fn serving<S, B>(
        library: Library,
        protocol: Protocol,
        alpn: &[&str],
        service: S,
    ) -> io::Result<Self>
    where
        S: Service<Request<Incoming>, Response = Response<B>, Future: Send, Error: Into<BoxError>>,
        S: Clone + Send + 'static,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let authority = Authority::new(KeyKind::EcdsaP256);
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join(ROOTS), authority.root_pem())?;
        let settings = ServerSettings {
            protocols: vec![protocol],
            alpn: alpn.iter().map(|name| name.as_bytes().to_vec()).collect(),
            ..ServerSettings::new(authority.issue(&[HOST, "127.0.0.1"]))
        };
        let server = Server::new(library, &settings);

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let log = Arc::<Log>::default();
        let (stop, stopped) = oneshot::channel();
        let accepting = accept(listener, server, Arc::clone(&log), service);
        let serving = thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    failed = accepting => eprintln!("the server has failed: {failed:?}"),
                    _ = stopped => {}
                }
            });
        });
        Ok(Self {
            port,
            log,
            folder,
            stop: Some(stop),
            serving: Some(serving),
        })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("https://{HOST}:{}/", self.port)
    }

    /// A PEM file with the root certificate that it is trusted by; gone when the server is dropped.
    pub fn roots(&self) -> PathBuf {
        self.folder.path().join(ROOTS)
    }

    /// The handshakes that were completed so far. One that a client has had an answer after is among
    /// them.
    pub fn handshakes(&self) -> Vec<Handshake> {
        lock(&self.log.handshakes).clone()
    }

    /// Whether each of them was resumed.
    pub fn resumed(&self) -> Vec<bool> {
        let handshakes = self.handshakes();
        handshakes.iter().map(|seen| seen.resumed).collect()
    }

    /// The version of HTTP of each request so far.
    pub fn requests(&self) -> Vec<Version> {
        lock(&self.log.requests).clone()
    }
}

const ROOTS: &str = "roots.pem";

type BoxError = Box<dyn Error + Send + Sync>;

async fn accept<S, B>(
    listener: TcpListener,
    server: Server,
    log: Arc<Log>,
    service: S,
) -> io::Result<Infallible>
where
    S: Service<Request<Incoming>, Response = Response<B>, Future: Send, Error: Into<BoxError>>,
    S: Clone + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (tcp, _) = listener.accept().await?;
        tcp.set_nodelay(true)?;
        let done = Arc::clone(&log);
        let wire = Wire::new(tcp, server.connection(), move |handshake| {
            lock(&done.handshakes).push(handshake);
        });
        let (log, service) = (Arc::clone(&log), service.clone());
        let logged = service_fn(move |request: Request<Incoming>| {
            lock(&log.requests).push(request.version());
            service.call(request)
        });
        tokio::spawn(async move {
            // A connection that breaks is the client's affair: a test sees what it has led to.
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(wire), logged)
                .await;
        });
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(serving) = self.serving.take() {
            let _ = serving.join(); // a panic in there was reported by its thread
        }
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("port", &self.port)
            .field("handshakes", &self.handshakes())
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
