//! A connection by the redis crate, over a stream of ours.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, ErrorKind, Pipeline, RedisConnectionInfo, RedisError};
use ::redis::{ServerError, Value};
use tokio::task::yield_now;
use tokio::time::{Instant, Sleep, sleep};

use super::address::Endpoint;
use super::settings::Target;
use super::stream::{Allowance, BoundedStream};

/// Most bytes of a reply without a record.
pub(super) const SHORT_REPLY: usize = 32 * 1024;

/// For this time after a reply a connection is not asked whether it is open: calls often follow each
/// other at once, and asking is a system call.
const JUST_NOW: Duration = Duration::from_millis(1);

/// A connection to one process: a primary, another node of a cluster, or a Sentinel.
pub(super) struct Connection {
    /// The process, for messages.
    pub(super) name: String,
    client: MultiplexedConnection,
    driver: Driver,
    /// The time until the reply to a request must have arrived. One timer for all requests: a new one
    /// for each would have the runtime wake itself, which costs two system calls.
    timer: Pin<Box<Sleep>>,
    answer_timeout: Duration,
    answered_at: Instant,
    allowance: Allowance,
}

/// The part of the client that reads and writes. It runs while a request is waited for, and with it:
/// a task of its own would cost a switch for each request. `None` after the connection has ended.
struct Driver(Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl Connection {
    /// Connects and signs in. The error says where and what is wrong, and never has the password.
    pub(super) async fn open(
        target: &Target,
        endpoint: &Endpoint,
        sign_in: &RedisConnectionInfo,
    ) -> Result<Self, String> {
        let name = format!("redis at {endpoint}");
        let allowance = Allowance::default();
        allowance.set(SHORT_REPLY);
        let stream = BoundedStream::connect(target, endpoint, allowance.clone()).await;
        let stream = stream.map_err(|error| format!("{name}: {error}"))?;
        let config = AsyncConnectionConfig::new().set_response_timeout(None);
        let opened = MultiplexedConnection::new_with_config(sign_in, stream, config).await;
        let (client, driver) = opened.map_err(|error| format!("{name}: {}", shown(&error)))?;
        Ok(Self {
            name,
            client,
            driver: Driver(Some(Box::pin(driver))),
            timer: Box::pin(sleep(target.answer_timeout)),
            answer_timeout: target.answer_timeout,
            answered_at: Instant::now(),
            allowance,
        })
    }

    /// Whether a request may be sent. Detects here that the peer has closed the connection, or sent
    /// what nobody asked for: a request that was never sent is certainly not applied.
    pub(super) async fn is_open(&mut self) -> bool {
        if self.answered_at.elapsed() < JUST_NOW {
            return self.driver.0.is_some();
        }
        yield_now().await; // the runtime asks the system for events
        poll_fn(|cx| {
            self.driver.poll(cx);
            Poll::Ready(self.driver.0.is_some())
        })
        .await
    }

    /// Sends commands in one write, and reads a reply to each. Replies may be errors, which
    /// [`Value`] includes. After an error of the call itself, the connection must not be used again.
    pub(super) async fn send(
        &mut self,
        commands: &Pipeline,
        reply_bytes: usize,
    ) -> Result<Vec<Value>, String> {
        self.allowance.set(reply_bytes);
        self.timer
            .as_mut()
            .reset(Instant::now() + self.answer_timeout);
        let mut request = pin!(
            self.client
                .send_packed_commands(commands, 0, commands.len())
        );
        let replies = poll_fn(|cx| {
            if let Poll::Ready(replies) = request.as_mut().poll(cx) {
                return Poll::Ready(replies);
            }
            self.driver.poll(cx);
            match request.as_mut().poll(cx) {
                Poll::Pending if self.timer.as_mut().poll(cx).is_ready() => {
                    Poll::Ready(Err(io::Error::from(io::ErrorKind::TimedOut).into()))
                }
                replies => replies,
            }
        });
        let replies = replies.await;
        self.allowance.set(0);
        self.answered_at = Instant::now();
        replies.map_err(|error| shown(&error))
    }

    /// Sends one command, and returns its reply unless that is an error.
    pub(super) async fn ask(&mut self, command: &Pipeline, bytes: usize) -> Result<Value, String> {
        let reply = match self.send(command, bytes).await?.pop() {
            Some(Value::ServerError(error)) => Err(shown_reply(&error)),
            reply => reply.ok_or_else(|| String::from("no reply")),
        };
        reply.map_err(|text| format!("{}: {text}", self.name))
    }
}

impl Driver {
    /// Reads and writes what it can.
    fn poll(&mut self, cx: &mut Context<'_>) {
        let running = self.0.as_mut();
        if running.is_some_and(|driver| driver.as_mut().poll(cx).is_ready()) {
            self.0 = None;
        }
    }
}

/// The error of a call, for a message.
fn shown(error: &RedisError) -> String {
    if error.is_timeout() {
        return String::from("it does not answer in time");
    }
    match error.kind() {
        ErrorKind::AuthenticationFailed => {
            String::from("sign-in refused: check user and password in the address")
        }
        _ => error.to_string(),
    }
}

/// An error reply, for a message: without the arguments of an unknown command, which Redis repeats.
pub(super) fn shown_reply(error: &ServerError) -> String {
    let details = error.details().unwrap_or_default();
    let details = details.split(", with args").next().unwrap_or_default();
    format!("{} {details}", error.code())
}

/// The first error among replies.
pub(super) fn first_error(replies: &[Value]) -> Option<&ServerError> {
    replies.iter().find_map(reply_error)
}

pub(super) fn reply_error(reply: &Value) -> Option<&ServerError> {
    match reply {
        Value::ServerError(error) => Some(error),
        _ => None,
    }
}
