//! A child process of this package's own tests: `conformance::child`.

use std::process::ExitCode;

fn main() -> ExitCode {
    conformance::child::main()
}
