//! One connection to one run of Redis.

use std::io::{self, BufReader, Write as _};
use std::time::{Duration, Instant};

use ::redis::{Pipeline, cmd, pipe};
use store_core::net::Deadline;
use zeroize::Zeroizing;

use super::resp::{Refusal, Reply, read};
use super::run::Run;
use super::settings::Target;
use super::socket::Socket;
use super::{RECORD_BYTES, RUN_HOLDS};
use crate::TierError;

/// Refusals that leave a connection as it was.
const HARMLESS: [&str; 3] = ["OOM", "WRONGTYPE", "EXECABORT"];

/// A connection that is signed in. After anything that leaves a doubt about which answer comes
/// next it is not used again.
pub(super) struct Link {
    stream: BufReader<Socket>,
    /// For errors: the address.
    name: String,
    timeout: Duration,
    run: Run,
    /// When Redis last said that this is its run.
    said: Instant,
    // invariant: true between exchanges only if every answer was read
    usable: bool,
}

impl Link {
    /// Connects, signs in, and asks for the run. Every failure is [`TierError::NotApplied`].
    pub(super) fn connect(target: &Target) -> Result<Self, TierError> {
        let failed = |text: String| TierError::NotApplied(format!("{target}: {text}"));
        let broken = |error: io::Error| failed(error.to_string());
        let deadline = Deadline::after(target.connect_timeout);

        let mut stream = BufReader::new(Socket::connect(target, deadline).map_err(broken)?);
        let hello = Zeroizing::new(hello(target));
        stream.get_mut().write_all(&hello).map_err(broken)?;
        stream.get_mut().flush().map_err(broken)?;
        let said = Instant::now();
        let mut room = RECORD_BYTES;
        if target.password.is_some() {
            let reply = read(&mut stream, &mut room).map_err(broken)?;
            if let Some(refusal) = reply.refusal() {
                // Only the code: the text might repeat what was sent.
                return Err(failed(format!("sign-in refused ({})", refusal.code())));
            }
        }
        if target.database != 0 {
            let reply = read(&mut stream, &mut room).map_err(broken)?;
            if let Some(refusal) = reply.refusal() {
                return Err(failed(refusal.to_string()));
            }
        }
        let reply = read(&mut stream, &mut room).map_err(broken)?;
        Ok(Self {
            stream,
            name: target.to_string(),
            timeout: target.answer_timeout,
            run: run_in(reply).map_err(failed)?,
            said,
            usable: true,
        })
    }

    /// The run of Redis that every answer came from.
    pub(super) fn run(&self) -> &Run {
        &self.run
    }

    /// Whether a request may be sent. It is found out here if Redis has closed the connection, for
    /// a request that was never sent is certainly not done.
    pub(super) fn is_usable(&self) -> bool {
        self.usable && self.stream.buffer().is_empty() && self.stream.get_ref().is_quiet()
    }

    /// Sends these commands at once and reads the answer of each, `MULTI` and `EXEC` included;
    /// all of them have `room` bytes. Every failure is [`TierError::MaybeApplied`].
    pub(super) fn exchange(
        &mut self,
        commands: &Pipeline,
        room: usize,
    ) -> Result<Vec<Reply>, TierError> {
        // The question comes last: the run that answers it was there for all that stands before.
        let asks = self.said.elapsed() >= RUN_HOLDS;
        let mut request = commands.get_packed_pipeline();
        if asks {
            request.extend(which_run());
        }
        let frame = if commands.is_transaction() { 2 } else { 0 };

        self.usable = false;
        let said = Instant::now();
        let deadline = Deadline::after(self.timeout);
        self.stream.get_mut().set_deadline(deadline);
        let (mut replies, run) = self
            .send_and_read(&request, commands.len() + frame, asks, room)
            .map_err(|error| self.unknown(&error))?;
        if let Some(run) = run {
            match run_in(run) {
                Ok(run) if run == self.run => self.said = said,
                Ok(_) => {
                    replies.clear(); // what was taken may come back, so nobody gets it
                    return Err(self.unknown("it restarted or failed over"));
                }
                Err(text) => return Err(self.unknown(&text)),
            }
        }
        self.usable = true;
        Ok(replies)
    }

    fn send_and_read(
        &mut self,
        request: &[u8],
        count: usize,
        asks: bool,
        mut room: usize,
    ) -> io::Result<(Vec<Reply>, Option<Reply>)> {
        self.stream.get_mut().write_all(request)?;
        self.stream.get_mut().flush()?;
        let mut replies = Vec::new();
        for _ in 0..count {
            replies.push(read(&mut self.stream, &mut room)?);
        }
        let mut room = RECORD_BYTES;
        let run = asks.then(|| read(&mut self.stream, &mut room));
        Ok((replies, run.transpose()?))
    }

    /// That Redis refused, and did nothing.
    pub(super) fn refused(&mut self, refusal: &Refusal) -> TierError {
        self.usable &= HARMLESS.contains(&refusal.code());
        TierError::NotApplied(format!("{}: {refusal}", self.name))
    }

    /// That Redis may have done something. The connection is given up.
    pub(super) fn unknown(&mut self, what: &(impl std::fmt::Display + ?Sized)) -> TierError {
        self.usable = false;
        TierError::MaybeApplied(format!("{}: {what}", self.name))
    }

    /// That Redis answered what it cannot answer.
    pub(super) fn confused(&mut self) -> TierError {
        self.unknown("an answer to another question")
    }

    /// An error if Redis refused one of the commands.
    pub(super) fn done(&mut self, replies: &[Reply]) -> Result<(), TierError> {
        match replies.iter().find_map(Reply::refusal) {
            Some(refusal) => Err(self.refused(refusal)),
            None => Ok(()),
        }
    }
}

/// What a connection begins with.
fn hello(target: &Target) -> Vec<u8> {
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
    let mut hello = commands.get_packed_pipeline();
    hello.extend(which_run());
    hello
}

fn which_run() -> Vec<u8> {
    cmd("INFO")
        .arg("server")
        .arg("replication")
        .get_packed_command()
}

fn run_in(reply: Reply) -> Result<Run, String> {
    match reply {
        Reply::Bytes(info) => {
            Run::parse(&String::from_utf8_lossy(&info)).map_err(ToOwned::to_owned)
        }
        Reply::Error(refusal) if refusal.code() == "NOPERM" => Err(String::from(
            "its user may not use INFO, which tells a restart: allow it (ACL SETUSER ... +info)",
        )),
        // Older ones know no second section.
        Reply::Error(refusal) if refusal.to_string() == "ERR syntax error" => {
            Err(String::from("it is older than Redis 7: update it"))
        }
        Reply::Error(refusal) => Err(format!("INFO refused: {refusal}")),
        _ => Err(String::from("its INFO cannot be read")),
    }
}
