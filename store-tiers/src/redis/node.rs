//! A primary: a connection to one run of a node.

use std::fmt::Display;
use std::time::{Duration, Instant};

use ::redis::{Pipeline, RedisConnectionInfo, ServerError, Value};

use super::address::{Endpoint, Kind};
use super::connection::{Connection, SHORT_REPLY, first_error, shown_reply};
use super::run_id::RunId;
use super::settings::Target;
use crate::TierError;

/// How long a connection's run id is valid before it is read again.
const RUN_ID_VALID: Duration = Duration::from_secs(1);
/// Codes of error replies after which the connection stays usable.
const HARMLESS: [&str; 3] = ["OOM", "WRONGTYPE", "EXECABORT"];

/// A connection to a primary, which is not used again after an error that leaves unknown whether it is
/// still the same run of the primary, or which reply comes next.
pub(super) struct Node {
    connection: Connection,
    is_in_cluster: bool,
    run_id: RunId,
    /// When the last request for the run id was sent.
    run_id_read_at: Instant,
    // invariant: true between exchanges only if every reply was read
    usable: bool,
    was_redirected: bool,
}

impl Node {
    /// Connects, signs in, and reads the run id.
    pub(super) async fn connect(
        target: &Target,
        endpoint: &Endpoint,
        sign_in: &RedisConnectionInfo,
    ) -> Result<Self, String> {
        let mut connection = Connection::open(target, endpoint, sign_in).await?;
        let is_in_cluster = target.address.kind == Kind::Cluster;
        let mut commands = ::redis::pipe();
        add_run_commands(&mut commands, is_in_cluster);
        let run_id_read_at = Instant::now();
        let replies = connection.send(&commands, SHORT_REPLY).await;
        let run_id = replies.and_then(|replies| run_id_of(&replies));
        let run_id = run_id.map_err(|text| format!("{}: {text}", connection.name))?;
        Ok(Self {
            connection,
            is_in_cluster,
            run_id,
            run_id_read_at,
            usable: true,
            was_redirected: false,
        })
    }

    /// The run id of this connection's node.
    pub(super) fn run_id(&self) -> &RunId {
        &self.run_id
    }

    pub(super) fn is_in_cluster(&self) -> bool {
        self.is_in_cluster
    }

    /// Whether a request may be sent.
    pub(super) async fn is_usable(&mut self) -> bool {
        self.usable && self.connection.is_open().await
    }

    /// Whether the node has refused a request because another node has the slot.
    pub(super) fn was_redirected(&self) -> bool {
        self.was_redirected
    }

    /// Sends commands in one write and reads their replies, of at most `reply_bytes` together.
    /// Every failure is [`TierError::MaybeApplied`].
    pub(super) async fn exchange(
        &mut self,
        mut commands: Pipeline,
        reply_bytes: usize,
    ) -> Result<Vec<Value>, TierError> {
        let (count, started) = (commands.len(), Instant::now());
        // Last: the run that answers `INFO` has executed the commands before it.
        let read_run_id = self.run_id_read_at.elapsed() >= RUN_ID_VALID;
        if read_run_id {
            add_run_commands(&mut commands, self.is_in_cluster);
        }
        self.usable = false;
        let sent = self.connection.send(&commands, reply_bytes + SHORT_REPLY);
        let mut replies = match sent.await {
            Ok(replies) => replies,
            Err(text) => return Err(self.maybe_applied(&text)),
        };
        if replies.len() != commands.len() {
            return Err(self.unexpected_reply());
        }
        let run = replies.split_off(count);
        if read_run_id {
            match run_id_of(&run) {
                Ok(run_id) if run_id == self.run_id => self.run_id_read_at = started,
                // The replies are discarded: records in them may have been taken before.
                Ok(_) => return Err(self.maybe_applied("it restarted, failed over or got slots")),
                Err(text) => return Err(self.maybe_applied(&text)),
            }
        }
        self.usable = true;
        Ok(replies)
    }

    /// The error for a request that the node refused as a whole.
    pub(super) fn not_applied(&mut self, error: &ServerError) -> TierError {
        self.usable &= HARMLESS.contains(&error.code());
        self.was_redirected |= error.code() == "MOVED";
        TierError::NotApplied(format!("{}: {}", self.connection.name, shown_reply(error)))
    }

    /// The error for a request that the node may have executed. The connection is not used again.
    pub(super) fn maybe_applied(&mut self, error: &(impl Display + ?Sized)) -> TierError {
        self.usable = false;
        TierError::MaybeApplied(format!("{}: {error}", self.connection.name))
    }

    /// The error for a reply that does not fit the request.
    pub(super) fn unexpected_reply(&mut self) -> TierError {
        self.maybe_applied("a reply that does not fit the request")
    }

    /// Returns the first error reply as an error.
    pub(super) fn check(&mut self, replies: &[Value]) -> Result<(), TierError> {
        match first_error(replies) {
            Some(error) => Err(self.not_applied(error)),
            None => Ok(()),
        }
    }
}

/// Adds the commands whose replies have the run id.
fn add_run_commands(commands: &mut Pipeline, is_in_cluster: bool) {
    commands.cmd("INFO").arg("server").arg("replication");
    if is_in_cluster {
        commands.cmd("CLUSTER").arg("INFO");
    }
}

fn run_id_of(replies: &[Value]) -> Result<RunId, String> {
    if let Some(error) = first_error(replies) {
        let text = shown_reply(error);
        return Err(match error.code() {
            "NOPERM" => String::from(
                "its user may not use INFO and CLUSTER INFO, which show restarts: allow them \
                 (ACL SETUSER ... +info +cluster|info)",
            ),
            // Before Redis 7, INFO takes one section.
            _ if text == "ERR syntax error" => String::from("it is older than Redis 7: update it"),
            _ if text.contains("cluster support disabled") => {
                String::from("it is no cluster: give redis:// for one node")
            }
            _ => format!("INFO refused: {text}"),
        });
    }
    let text = |reply: &Value| match reply {
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    };
    let info = replies.first().and_then(text);
    let info = info.ok_or("its INFO cannot be read")?;
    let cluster_info = match replies.get(1) {
        None => None,
        Some(reply) => Some(text(reply).ok_or("its CLUSTER INFO cannot be read")?),
    };
    RunId::parse(&info, cluster_info.as_deref()).map_err(ToOwned::to_owned)
}
