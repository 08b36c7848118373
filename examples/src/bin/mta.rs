//! Short-lived processes deliver mail to the same few servers and share their TLS sessions.
//!
//! Without arguments it shows the whole story: the same deliveries without sharing, with sessions
//! shared by a file (`lmdb:`), and by a Redis.

use std::io;
use std::process::ExitCode;

use clap::Parser;
use examples::mta::{self, Command, Program};

fn main() -> ExitCode {
    let program = Program::parse();
    let done = match &program.command {
        Some(Command::Deliver(orders)) => mta::deliver(orders, &mut io::stdout()),
        None => mta::run(&program.options, &mut io::stdout()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mta: {error}");
            ExitCode::FAILURE
        }
    }
}
