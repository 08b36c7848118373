//! Short-lived processes that deliver mail to a few servers and share their TLS sessions.
//!
//! Without arguments the program makes the same deliveries without sharing, with sessions shared in
//! a file (`lmdb:`), and in a Redis.

use std::io;
use std::process::ExitCode;

use clap::Parser;
use examples::mta::{self, Command, Program};

fn main() -> ExitCode {
    let program = Program::parse();
    let result = match &program.command {
        Some(Command::Deliver(job)) => mta::deliver(job, &mut io::stdout()),
        None => mta::run(&program.options, &mut io::stdout()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mta: {error}");
            ExitCode::FAILURE
        }
    }
}
