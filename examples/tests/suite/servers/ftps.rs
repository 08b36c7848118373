//! FTPS: suppaftp with our connections, against vsftpd and ProFTPD, which refuse a data connection
//! unless it resumes the session of its own control connection. The tests are skipped unless run by
//! root.

use std::any::TypeId;
use std::fmt::Debug;
use std::io;
use std::net::TcpStream;

use examples::ftps::{AsyncFtps, AsyncFtpsStream, Ftps, FtpsClient, FtpsStream};
use lab::proftpd::ProftpdServer;
use lab::vsftpd::VsftpdServer;
use suppaftp::tokio::ImplAsyncFtpStream;
use suppaftp::types::FileType;
use suppaftp::{FtpError, FtpResult, ImplFtpStream, TlsConnector};
use tls_resume::generic::Connector;
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls::Rustls;
use tls_resume::rustls_preview::RustlsPreview;
use tls_resume::tokio::Backend as AsyncBackend;
use tls_resume::{Backend, ConnectOptions, Protocol};

use super::common::{PROTOCOLS, connector, identity, run};

const HOST: &str = "localhost";
const CONTENT: &[u8] = b"hello\r\n";

enum FtpServer {
    Vsftpd(VsftpdServer),
    Proftpd(ProftpdServer),
}

impl FtpServer {
    /// None if this is not root.
    fn each() -> Vec<Self> {
        let vsftpd = VsftpdServer::with_files(&identity()).expect("a vsftpd");
        let proftpd = ProftpdServer::with_files(&identity()).expect("a ProFTPD");
        let servers = vsftpd.map(Self::Vsftpd).into_iter();
        let servers: Vec<_> = servers.chain(proftpd.map(Self::Proftpd)).collect();
        if servers.is_empty() {
            eprintln!("SKIPPED: only root can start vsftpd and ProFTPD");
        }
        servers
    }

    fn port(&self) -> u16 {
        match self {
            Self::Vsftpd(server) => server.port(),
            Self::Proftpd(server) => server.port(),
        }
    }

    fn written(&self, file: &str) -> io::Result<Vec<u8>> {
        match self {
            Self::Vsftpd(server) => server.written(file),
            Self::Proftpd(server) => server.written(file),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Vsftpd(_) => "vsftpd",
            Self::Proftpd(_) => "ProFTPD",
        }
    }
}

/// One client after another takes each step, with all control connections open: 3 LIST, 4 STOR, 1
/// LIST. Data connections of uploads read nothing but tickets.
#[derive(Clone, Copy)]
enum Step {
    List,
    Store(usize),
}

const STEPS: [Step; 8] = [
    Step::List,
    Step::List,
    Step::List,
    Step::Store(1),
    Step::Store(2),
    Step::Store(3),
    Step::Store(4),
    Step::List,
];

/// Each server, version, and number of control connections at once, with a name for the files.
fn each(mut test: impl FnMut(&FtpServer, Protocol, usize, &str)) {
    for server in FtpServer::each() {
        for protocol in PROTOCOLS {
            for clients in 1..=3 {
                let name = format!("{}-{protocol:?}-{clients}", server.name());
                test(&server, protocol, clients, &name);
            }
        }
    }
}

/// The step whose data connections are refused, if any: the third STOR in TLS 1.3 with rustls 0.23, which
/// uses up a ticket each time. ProFTPD sends two on the control connection, and on a data connection one
/// before data, so none in an upload. vsftpd sends one in any case.
fn refused_step<B: Backend>(server: &FtpServer, protocol: Protocol) -> Option<usize> {
    let uses_up = TypeId::of::<B>() == TypeId::of::<Rustls>();
    let is_refused = uses_up && matches!(server, FtpServer::Proftpd(_));
    (is_refused && protocol == Protocol::Tls13).then_some(5)
}

fn data_connections_resume<B: Backend + Debug>() {
    each(|server, protocol, count, name| {
        let (connector, port) = (connector::<B>(protocol), server.port());
        let client = |_| {
            let tls = Ftps::new(&connector, port);
            let ftp = FtpsClient::connect((HOST, port)).expect("a greeting");
            let mut ftp = ftp.into_secure(tls, HOST).expect("TLS");
            ftp.login("anonymous", "me").expect("a login");
            ftp.transfer_type(FileType::Binary).expect("binary files");
            ftp
        };
        let mut clients: Vec<FtpsClient<B>> = (0..count).map(client).collect();
        let refused = refused_step::<B>(server, protocol);
        for (number, step) in STEPS.into_iter().enumerate() {
            for (one, ftp) in clients.iter_mut().enumerate() {
                let done = match step {
                    Step::List => ftp.list(None).map(|_| ()),
                    Step::Store(number) => {
                        let file = format!("in/{name}-{one}-{number}");
                        ftp.put_file(file, &mut &CONTENT[..]).map(|_| ())
                    }
                };
                if refused == Some(number) {
                    done.expect_err("the tickets are used up");
                    return;
                }
                done.unwrap_or_else(|error| panic!("{name}: step {number} of {one}: {error}"));
            }
        }
        for (one, ftp) in clients.iter_mut().enumerate() {
            ftp.quit().expect("a farewell");
            for number in 1..=4 {
                let written = server.written(&format!("{name}-{one}-{number}"));
                assert_eq!(written.expect("a file"), CONTENT, "{name}");
            }
        }
        assert_eq!(connector.stats().sessions, 0, "{name}");
    });
}

async fn list_and_store<B: AsyncBackend + Debug>(
    server: &FtpServer,
    protocol: Protocol,
    count: usize,
    name: &str,
) {
    let (connector, port) = (connector::<B>(protocol).tokio(), server.port());
    let mut clients = Vec::new();
    for _ in 0..count {
        let ftp = ImplAsyncFtpStream::<AsyncFtpsStream<B>>::connect((HOST, port));
        let ftp = ftp.await.expect("a greeting");
        let tls = AsyncFtps::new(&connector, port);
        let mut ftp = ftp.into_secure(tls, HOST).await.expect("TLS");
        ftp.login("anonymous", "me").await.expect("a login");
        let binary = ftp.transfer_type(FileType::Binary).await;
        binary.expect("binary files");
        clients.push(ftp);
    }
    let refused = refused_step::<B>(server, protocol);
    for (number, step) in STEPS.into_iter().enumerate() {
        for (one, ftp) in clients.iter_mut().enumerate() {
            let done = match step {
                Step::List => ftp.list(None).await.map(|_| ()),
                Step::Store(number) => {
                    let file = format!("in/{name}-{one}-{number}");
                    ftp.put_file(file, &mut &CONTENT[..]).await.map(|_| ())
                }
            };
            if refused == Some(number) {
                done.expect_err("the tickets are used up");
                return;
            }
            done.unwrap_or_else(|error| panic!("{name}: step {number} of {one}: {error}"));
        }
    }
    for ftp in &mut clients {
        ftp.quit().await.expect("a farewell");
    }
}

fn data_connections_of_tasks_resume<B: AsyncBackend + Debug>() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    each(|server, protocol, count, name| {
        runtime.block_on(list_and_store::<B>(server, protocol, count, name));
    });
}

#[test]
fn rustls() {
    data_connections_resume::<Rustls>();
}

#[test]
fn openssl() {
    data_connections_resume::<OpenSsl>();
}

#[test]
fn rustls_preview() {
    data_connections_resume::<RustlsPreview>();
}

#[test]
fn rustls_in_tasks() {
    data_connections_of_tasks_resume::<Rustls>();
}

#[test]
fn openssl_in_tasks() {
    data_connections_of_tasks_resume::<OpenSsl>();
}

/// Connections that do not resume.
#[derive(Debug)]
struct Full(Connector<OpenSsl>, u16);

impl TlsConnector for Full {
    type Stream = FtpsStream<OpenSsl>;

    fn connect(&self, domain: &str, tcp: TcpStream) -> FtpResult<FtpsStream<OpenSsl>> {
        let off = ConnectOptions::new().resumption(false);
        let stream = self.0.connect_stream_with(domain, self.1, tcp, &off);
        let stream = stream.map_err(|error| FtpError::SecureError(error.to_string()));
        stream.map(FtpsStream::from)
    }
}

/// The servers do demand it.
#[test]
fn data_connections_that_do_not_resume_are_refused() {
    for server in FtpServer::each() {
        for protocol in PROTOCOLS {
            let tls = Full(connector(protocol), server.port());
            let ftp = ImplFtpStream::<FtpsStream<OpenSsl>>::connect((HOST, server.port()));
            let ftp = ftp.expect("a greeting").into_secure(tls, HOST);
            let mut ftp = ftp.expect("TLS");
            ftp.login("anonymous", "me").expect("a login");
            let error = ftp.list(None).expect_err("refused");
            let name = server.name();
            let FtpError::UnexpectedResponse(response) = error else {
                panic!("{name} {protocol:?}: {error}");
            };
            let expected = match server {
                FtpServer::Vsftpd(_) => "522 SSL connection failed: session reuse required",
                FtpServer::Proftpd(_) => "425 Unable to build data connection",
            };
            let text = String::from_utf8_lossy(&response.body);
            assert!(text.starts_with(expected), "{name} {protocol:?}: {text}");
        }
    }
}

#[test]
fn the_program_lists_and_stores() {
    for server in FtpServer::each() {
        let program = env!("CARGO_BIN_EXE_ftps");
        let lines = run(program, &format!("{HOST}:{}", server.port()));
        assert_eq!(lines, ["1 files", "4 files"], "{}", server.name());
    }
}
