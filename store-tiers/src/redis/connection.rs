//! A connection to one run of Redis.

use std::fmt::Display;
use std::io::{self, BufReader, Write as _};
use std::time::{Duration, Instant};

use ::redis::{Pipeline, cmd, pipe};
use store_core::net::Deadline;
use zeroize::Zeroizing;

use super::resp::{ErrorReply, MAX_RECORD_BYTES, Reply, read};
use super::run_id::RunId;
use super::settings::Target;
use super::socket::Socket;
use crate::TierError;

/// How long a connection's run id is valid before it is read again.
const RUN_ID_VALID: Duration = Duration::from_secs(1);
/// Codes of error replies after which the connection stays usable.
const HARMLESS: [&str; 3] = ["OOM", "WRONGTYPE", "EXECABORT"];

/// An authenticated connection. It is not used again after an error that leaves unknown which reply
/// comes next.
pub(super) struct Connection {
    stream: BufReader<Socket>,
    /// The address, for error messages.
    name: String,
    timeout: Duration,
    run_id: RunId,
    /// When the last request for the run id was sent.
    run_id_read_at: Instant,
    // invariant: true between exchanges only if every reply was read
    usable: bool,
}

impl Connection {
    /// Connects, authenticates, and reads the run id. Every failure is [`TierError::NotApplied`].
    pub(super) fn connect(target: &Target) -> Result<Self, TierError> {
        let failed = |text: String| TierError::NotApplied(format!("{target}: {text}"));
        let broken = |error: io::Error| failed(error.to_string());
        let deadline = Deadline::after(target.connect_timeout);

        let mut stream = BufReader::new(Socket::connect(target, deadline).map_err(broken)?);
        let request = Zeroizing::new(first_request(target));
        stream.get_mut().write_all(&request).map_err(broken)?;
        stream.get_mut().flush().map_err(broken)?;
        let run_id_read_at = Instant::now();
        let mut budget = MAX_RECORD_BYTES;
        if target.password.is_some() {
            let reply = read(&mut stream, &mut budget).map_err(broken)?;
            if let Some(error) = reply.error() {
                // Only the code: the message might repeat the password.
                return Err(failed(format!("sign-in refused ({})", error.code())));
            }
        }
        if target.database != 0 {
            let reply = read(&mut stream, &mut budget).map_err(broken)?;
            if let Some(error) = reply.error() {
                return Err(failed(error.to_string()));
            }
        }
        let reply = read(&mut stream, &mut budget).map_err(broken)?;
        Ok(Self {
            stream,
            name: target.to_string(),
            timeout: target.answer_timeout,
            run_id: run_id_of(reply).map_err(failed)?,
            run_id_read_at,
            usable: true,
        })
    }

    /// The run id of this connection's Redis.
    pub(super) fn run_id(&self) -> &RunId {
        &self.run_id
    }

    /// Whether a request may be sent. Detects here that Redis has closed the connection, because a
    /// request that was never sent is certainly not applied.
    pub(super) fn is_usable(&self) -> bool {
        self.usable && self.stream.buffer().is_empty() && self.stream.get_ref().is_quiet()
    }

    /// Sends commands in one write and reads their replies, of at most `reply_bytes` together;
    /// those to `MULTI` and `EXEC` included. Every failure is [`TierError::MaybeApplied`].
    pub(super) fn exchange(
        &mut self,
        commands: &Pipeline,
        reply_bytes: usize,
    ) -> Result<Vec<Reply>, TierError> {
        // `INFO` is last: the run that answers it has executed the commands before it.
        let read_run_id = self.run_id_read_at.elapsed() >= RUN_ID_VALID;
        let mut request = commands.get_packed_pipeline();
        if read_run_id {
            request.extend(info_command());
        }
        let multi_exec = if commands.is_transaction() { 2 } else { 0 };

        self.usable = false;
        let started = Instant::now();
        let deadline = Deadline::after(self.timeout);
        self.stream.get_mut().set_deadline(deadline);
        let (replies, info) = self
            .send_and_read(
                &request,
                commands.len() + multi_exec,
                read_run_id,
                reply_bytes,
            )
            .map_err(|error| self.maybe_applied(&error))?;
        if let Some(info) = info {
            match run_id_of(info) {
                Ok(run_id) if run_id == self.run_id => self.run_id_read_at = started,
                // The replies are discarded: records in them may have been taken before.
                Ok(_) => return Err(self.maybe_applied("it restarted or failed over")),
                Err(text) => return Err(self.maybe_applied(&text)),
            }
        }
        self.usable = true;
        Ok(replies)
    }

    fn send_and_read(
        &mut self,
        request: &[u8],
        count: usize,
        read_run_id: bool,
        mut reply_bytes: usize,
    ) -> io::Result<(Vec<Reply>, Option<Reply>)> {
        self.stream.get_mut().write_all(request)?;
        self.stream.get_mut().flush()?;
        let mut replies = Vec::new();
        for _ in 0..count {
            replies.push(read(&mut self.stream, &mut reply_bytes)?);
        }
        let mut info_bytes = MAX_RECORD_BYTES;
        let info = read_run_id.then(|| read(&mut self.stream, &mut info_bytes));
        Ok((replies, info.transpose()?))
    }

    /// The error for a request that Redis refused as a whole.
    pub(super) fn not_applied(&mut self, error: &ErrorReply) -> TierError {
        self.usable &= HARMLESS.contains(&error.code());
        TierError::NotApplied(format!("{}: {error}", self.name))
    }

    /// The error for a request that Redis may have executed. The connection is not used again.
    pub(super) fn maybe_applied(&mut self, error: &(impl Display + ?Sized)) -> TierError {
        self.usable = false;
        TierError::MaybeApplied(format!("{}: {error}", self.name))
    }

    /// The error for a reply that does not fit the request.
    pub(super) fn unexpected_reply(&mut self) -> TierError {
        self.maybe_applied("a reply that does not fit the request")
    }

    /// Returns the first error reply as an error.
    pub(super) fn check(&mut self, replies: &[Reply]) -> Result<(), TierError> {
        match replies.iter().find_map(Reply::error) {
            Some(error) => Err(self.not_applied(error)),
            None => Ok(()),
        }
    }
}

/// The first request of a connection: `AUTH` and `SELECT` if needed, and `INFO`.
fn first_request(target: &Target) -> Vec<u8> {
    let mut commands = pipe();
    if let Some(password) = &target.password {
        commands.cmd("AUTH");
        if let Some(user) = &target.user {
            commands.arg(user);
        }
        commands.arg(password.as_str());
    }
    if target.database != 0 {
        commands.cmd("SELECT").arg(target.database);
    }
    let mut request = commands.get_packed_pipeline();
    request.extend(info_command());
    request
}

/// The command whose reply has the run id.
fn info_command() -> Vec<u8> {
    cmd("INFO")
        .arg("server")
        .arg("replication")
        .get_packed_command()
}

fn run_id_of(reply: Reply) -> Result<RunId, String> {
    match reply {
        Reply::Bytes(info) => {
            RunId::parse(&String::from_utf8_lossy(&info)).map_err(ToOwned::to_owned)
        }
        Reply::Error(error) if error.code() == "NOPERM" => Err(String::from(
            "its user may not use INFO, which shows restarts: allow it (ACL SETUSER ... +info)",
        )),
        // Before Redis 7, INFO takes one section.
        Reply::Error(error) if error.to_string() == "ERR syntax error" => {
            Err(String::from("it is older than Redis 7: update it"))
        }
        Reply::Error(error) => Err(format!("INFO refused: {error}")),
        _ => Err(String::from("its INFO cannot be read")),
    }
}
