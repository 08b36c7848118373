//! The program as a server, and clients that connect to it.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::program::file;

const TIMEOUT: Duration = Duration::from_secs(60);

/// A server that is killed at the end of its test.
pub(crate) struct Server {
    child: Child,
    lines: Receiver<String>,
    pub(crate) address: String,
    pub(crate) root: PathBuf,
    test: String,
}

impl Server {
    /// Starts a server on a free port. `test` is used by one test only.
    pub(crate) fn start(test: &str, args: &[&str]) -> Self {
        let root = file(&format!("serve-{test}.pem"), "");
        // A shell starts background jobs with SIGINT ignored.
        let mut child = Command::new("env")
            .args(["--default-signal=INT", env!("CARGO_BIN_EXE_compare")])
            .args(["serve", "--json", "--listen", "127.0.0.1:0", "--cert-out"])
            .arg(&root)
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut server = Self {
            child,
            lines,
            address: String::new(),
            root,
            test: test.to_owned(),
        };
        let listening = server.object("listening");
        listening["address"]
            .as_str()
            .unwrap()
            .clone_into(&mut server.address);
        server
    }

    /// The next line, which must be an object of this type.
    pub(crate) fn object(&self, kind: &str) -> Value {
        let line = self.lines.recv_timeout(TIMEOUT).expect("a line comes");
        let object: Value = serde_json::from_str(&line).expect("a JSON object a line");
        assert_eq!(object["type"], kind, "{line}");
        object
    }

    pub(crate) fn connection(&self) -> Value {
        self.object("connection")
    }

    /// The outcome of the next connection: offered, resumed, why not.
    pub(crate) fn outcome(&self) -> (bool, bool, Option<String>) {
        let row = self.connection();
        assert_eq!(row["error"], Value::Null, "{row}");
        let is = |key: &str| row[key].as_bool().expect("yes or no");
        let declined = row["declined"].as_str().map(str::to_owned);
        (is("offered"), is("resumed"), declined)
    }

    /// Requests a page with `openssl s_client` and returns its output. Offers the session that it saved
    /// last if `offers`, and saves a new one.
    pub(crate) fn s_client(&self, offers: bool, args: &[&str]) -> String {
        let session = self.root.with_extension(format!("{}.session", self.test));
        let mut command = Command::new("openssl");
        command
            .args(["s_client", "-ign_eof", "-connect", &self.address, "-CAfile"])
            .arg(&self.root)
            .args(args);
        if offers {
            command.arg("-sess_in").arg(&session);
        }
        command.arg("-sess_out").arg(&session);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("openssl is installed");
        let request = child.stdin.take().expect("a pipe");
        // Fails if s_client cannot connect and has exited.
        let _ = { request }.write_all(b"GET / HTTP/1.0\r\n\r\n");
        let output = child.wait_with_output().expect("it ends");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Requests pages with curl, one after the other.
    pub(crate) fn curl(&self, args: &[&str], pages: usize) -> String {
        let port = self.address.rsplit(':').next().unwrap();
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--max-time", "60", "--cacert"])
            .arg(&self.root)
            .args(args)
            .args(vec![format!("https://localhost:{port}/"); pages])
            .output()
            .expect("curl is installed");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("text")
    }

    /// Sends SIGINT. Returns the exit code and the summary.
    pub(crate) fn interrupt(mut self) -> (Option<i32>, Value) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status();
        assert!(sent.expect("kill is installed").success());
        let summary = self.object("summary");
        (self.child.wait().expect("it ends").code(), summary)
    }

    /// Waits for the end. Returns the exit code and the summary.
    pub(crate) fn end(mut self) -> (Option<i32>, Value) {
        let summary = self.object("summary");
        (self.child.wait().expect("it ends").code(), summary)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have exited already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
