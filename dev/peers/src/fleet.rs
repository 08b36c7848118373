//! Workload: a fleet of machines that share sessions, in simulated time.
//!
//! Each machine has the real [`SharedStore`](store_tiers::SharedStore), with its queue, its circuit
//! breaker and its sealed records; the clock, the network, the tier and the TLS servers are simulated.
//! The same [`Scenario`] gives the same [`Measured`], whatever the machine that computes it.
//!
//! # Model
//! - A machine connects at random times ([`Scenario::rate`]), to servers chosen by Zipf's law.
//! - A connection asks its store for a session, connects by TCP ([`TCP`]), waits for the session for
//!   [`STORE_TIMEOUT`] at most, and does its handshake ([`HANDSHAKE`]), as `Connector::connect` does.
//! - The tier is one Redis: calls take a round trip, and wait for each other's [`SERVICE`].
//! - A server accepts its own tickets, each once, or as often as they are offered. Some names have
//!   several machines, with ticket keys of their own.

mod connection;
mod events;
mod machine;
mod measured;
mod scenario;
pub mod scenarios;
mod servers;
mod simulation;
mod tier;

pub use measured::{Measured, Second};
pub use scenario::{Addresses, Failure, Outage, Restart, Scenario, Tickets};
pub use simulation::simulate;

use std::time::Duration;

/// How long a TCP connection takes to be made.
pub const TCP: Duration = Duration::from_millis(10);
/// How long a handshake takes after that, until the tickets have arrived.
pub const HANDSHAKE: Duration = Duration::from_millis(20);
/// How long a connection waits for a session from the tier at most: the connector's default.
pub const STORE_TIMEOUT: Duration = Duration::from_millis(5);
/// The round trip to the tier, to which up to as much again is added at random.
pub const ROUND_TRIP: Duration = Duration::from_micros(200);
/// How long the tier computes for a call: what `compare run --full --only fleet` measured of one Redis,
/// for a session moved.
pub const SERVICE: Duration = Duration::from_micros(34);
