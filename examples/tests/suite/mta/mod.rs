//! Processes that share sessions: the program `mta`, with mail servers that log tickets and
//! resumptions.

mod common;
mod cost;
mod failing;
mod failover;
mod hung;
mod killed;
mod once;
mod postfix;
mod sharing;
