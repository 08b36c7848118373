//! The guide's programs against real servers. reqwest's has a test of its own. Mail and FTPS are
//! skipped unless run by root.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use examples::serve::HttpsServer;
use lab::postfix::PostfixServer;
use lab::proftpd::ProftpdServer;
use lab::server::{Library, Protocol, Server};
use lab::tcp::TcpServer;
use lab::vsftpd::VsftpdServer;
use tempfile::TempDir;

use crate::doors::common::{authority, server_without_context, settings};
use crate::servers::common::{identity, run};

const LONG: Duration = Duration::from_secs(10);

/// A program that is asked by lines and answers by lines. Dropping it ends it.
struct Asked {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Asked {
    fn start<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program was built");
        let input = child.stdin.take().expect("a pipe");
        let output = child.stdout.take().expect("a pipe");
        let output = BufReader::new(output).lines();
        Self {
            child,
            input,
            output,
        }
    }

    fn ask(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("the program reads");
    }

    fn line(&mut self) -> String {
        self.output.next().expect("a line").expect("text")
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn roots(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("roots.pem");
    fs::write(&path, authority().root_pem()).expect("a file");
    path
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn mail_resumes_the_session_of_the_process_before() {
    let Some(postfix) =
        PostfixServer::start(&authority().issue(&["localhost"])).expect("a Postfix")
    else {
        eprintln!("SKIPPED: only root can start Postfix");
        return;
    };
    let folder = folder();
    let (roots, sessions) = (roots(&folder), folder.path().join("sessions"));
    let server = format!("localhost:{}", postfix.port());
    for expected in ["Full\n250\n", "Resumed\n250\n", "Resumed\n250\n"] {
        let output = Command::new(env!("CARGO_BIN_EXE_mail"))
            .arg(&server)
            .args([&sessions, &roots])
            .output()
            .expect("the program was built");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            expected,
            "{errors}"
        );
    }
    assert_eq!(postfix.resumed(3).expect("its log"), [false, true, true]);
}

#[test]
fn the_crawler_resumes_at_each_server() {
    let server = || {
        let server = Server::new(Library::OpenSsl, &settings(Protocol::Tls13));
        HttpsServer::start_on(authority(), server).expect("a server")
    };
    let (servers, folder) = ([server(), server()], folder());
    let mut crawler = Asked::start(env!("CARGO_BIN_EXE_crawler"), [roots(&folder)]);
    for expected in ["Full", "Resumed"] {
        for server in &servers {
            crawler.ask(&server.url());
            assert_eq!(crawler.line(), format!("{} {expected}", server.url()));
        }
    }
    for server in &servers {
        assert_eq!(server.resumed(), [false, true]);
    }
}

#[test]
fn the_listings_of_ftps_resume_the_control_connection() {
    let check = |port: u16| {
        let written = run(
            env!("CARGO_BIN_EXE_ftps_list"),
            &format!("localhost:{port}"),
        );
        let resumed = written.iter().filter(|line| *line == "Resumed").count();
        assert_eq!(resumed, 2, "{written:?}");
        assert!(written.len() > 2, "no files: {written:?}");
    };
    let vsftpd = VsftpdServer::with_files(&identity()).expect("a vsftpd");
    let proftpd = ProftpdServer::with_files(&identity()).expect("a ProFTPD");
    if vsftpd.is_none() && proftpd.is_none() {
        eprintln!("SKIPPED: only root can start vsftpd and ProFTPD");
    }
    if let Some(server) = vsftpd {
        check(server.port());
    }
    if let Some(server) = proftpd {
        check(server.port());
    }
}

/// Writes a client certificate and its key.
fn issue(chain: &Path, key: &Path) {
    let identity = authority().issue_client("client.lab.example");
    fs::write(chain, identity.chain_pem()).expect("a file");
    fs::write(key, identity.key_pem()).expect("a file");
}

#[test]
fn a_new_certificate_resumes_no_session_of_the_old_one() {
    let mut demanding = settings(Protocol::Tls13);
    demanding.client_root = Some(authority().root_der());
    let server = TcpServer::start(Server::new(Library::Rustls, &demanding)).expect("a port");
    let folder = folder();
    let [chain, key] = ["chain.pem", "key.pem"].map(|name| folder.path().join(name));
    issue(&chain, &key);
    let address = PathBuf::from(format!("localhost:{}", server.port()));
    let arguments = [&address, &chain, &key, &roots(&folder)];
    let mut program = Asked::start(env!("CARGO_BIN_EXE_rotation"), arguments);
    let mut connect = || {
        program.ask("");
        program.line()
    };
    assert_eq!([connect(), connect()], ["Full", "Resumed"]);
    issue(&chain, &key);
    // The files are looked at once a second.
    thread::sleep(Duration::from_millis(1_100));
    assert_eq!([connect(), connect()], ["Full", "Resumed"]);
    let leaves: Vec<_> = server
        .wait_for_handshakes(4, LONG)
        .into_iter()
        .map(|handshake| handshake.client_leaf)
        .collect();
    assert_eq!((&leaves[0], &leaves[2]), (&leaves[1], &leaves[3]));
    assert_ne!(leaves[0], leaves[2]);
}

#[test]
fn a_server_that_breaks_costs_one_second_attempt() {
    for protocol in Protocol::ALL {
        let server = TcpServer::start(server_without_context(protocol)).expect("a port");
        let folder = folder();
        let output = Command::new(env!("CARGO_BIN_EXE_broken_server"))
            .arg(format!("localhost:{}", server.port()))
            .arg(roots(&folder))
            .output()
            .expect("the program was built");
        let errors = String::from_utf8_lossy(&output.stderr);
        let expected = "Full, retried: false\n\
                        Full, retried: true\n\
                        Full, retried: false\n\
                        Full, retried: false\n\
                        1 failed, 2 avoided\n\
                        next: Avoided\n";
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            expected,
            "{errors}"
        );
    }
}
