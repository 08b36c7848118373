//! The integration tests of `compare`. One binary, since each binary links two TLS libraries.

mod command_line;
mod fleet;
mod handshakes;
mod hit_rate;
mod memory;
mod probe;
mod program;
mod report_command;
mod report_file;
mod run;
mod serve;
mod table;
mod tier;
mod tiers;
mod watch;
