//! An HTTPS server for the programs: hyper over lab's server of either TLS library.

mod stream;

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

use self::stream::ServerStream;

/// The name in the server's certificate.
pub const HOST: &str = "localhost";

/// An HTTPS server on a port of 127.0.0.1 that logs handshakes and requests. Dropping it stops it.
pub struct HttpsServer {
    port: u16,
    log: Arc<Log>,
    folder: TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The handshakes and requests so far.
#[derive(Default)]
struct Log {
    handshakes: Mutex<Vec<Handshake>>,
    requests: Mutex<Vec<Version>>,
}

impl HttpsServer {
    /// Starts a server that answers every request with a line of text. Speaks the first protocol of
    /// `alpn` that the client offers, else HTTP/1.1.
    pub fn start(library: Library, protocol: Protocol, alpn: &[&str]) -> io::Result<Self> {
        Self::start_with(library, protocol, alpn, service_fn(hello))
    }

    /// Starts an HTTP/1.1 server on a TLS server, whose certificate is of `authority`.
    pub fn start_on(authority: &Authority, server: Server) -> io::Result<Self> {
        Self::serve(authority, server, service_fn(hello))
    }

    /// Starts a server that answers by `service`.
    pub fn start_with<S, B>(
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
        let settings = ServerSettings {
            protocols: vec![protocol],
            alpn: alpn.iter().map(|name| name.as_bytes().to_vec()).collect(),
            ..ServerSettings::new(authority.issue(&[HOST, "127.0.0.1"]))
        };
        Self::serve(&authority, Server::new(library, &settings), service)
    }

    fn serve<S, B>(authority: &Authority, server: Server, service: S) -> io::Result<Self>
    where
        S: Service<Request<Incoming>, Response = Response<B>, Future: Send, Error: Into<BoxError>>,
        S: Clone + Send + 'static,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join(ROOTS), authority.root_pem())?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let log = Arc::<Log>::default();
        let (stop, stopped) = oneshot::channel();
        let accepting = accept(listener, server, Arc::clone(&log), service);
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    result = accepting => eprintln!("the server failed: {result:?}"),
                    _ = stopped => {}
                }
            });
        });
        Ok(Self {
            port,
            log,
            folder,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The server's port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's URL.
    pub fn url(&self) -> String {
        format!("https://{HOST}:{}/", self.port)
    }

    /// A PEM file with the root of the server's certificate. Deleted when the server is dropped.
    pub fn roots(&self) -> PathBuf {
        self.folder.path().join(ROOTS)
    }

    /// The handshakes completed so far, including that of every connection with an answer.
    pub fn handshakes(&self) -> Vec<Handshake> {
        lock(&self.log.handshakes).clone()
    }

    /// Whether each completed handshake was resumed.
    pub fn resumed(&self) -> Vec<bool> {
        let handshakes = self.handshakes();
        handshakes
            .iter()
            .map(|handshake| handshake.resumed)
            .collect()
    }

    /// The HTTP version of each request so far.
    pub fn requests(&self) -> Vec<Version> {
        lock(&self.log.requests).clone()
    }
}

const ROOTS: &str = "roots.pem";

type BoxError = Box<dyn Error + Send + Sync>;

async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(b"hello\n"))))
}

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
        let stream = ServerStream::new(tcp, server.connection(), move |handshake| {
            lock(&done.handshakes).push(handshake);
        });
        let (log, service) = (Arc::clone(&log), service.clone());
        let logged = service_fn(move |request: Request<Incoming>| {
            lock(&log.requests).push(request.version());
            service.call(request)
        });
        tokio::spawn(async move {
            // Errors are ignored: the client reports a broken connection.
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), logged)
                .await;
        });
    }
}

impl Drop for HttpsServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // the thread has reported a panic
        }
    }
}

impl fmt::Debug for HttpsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpsServer")
            .field("port", &self.port)
            .field("handshakes", &self.handshakes())
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
