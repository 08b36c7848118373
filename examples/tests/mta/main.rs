//! Processes that share sessions: the program `mta`, against servers that say what they saw.

mod common;
mod cost;
mod failing;
mod hung;
mod killed;
mod once;
mod sharing;
