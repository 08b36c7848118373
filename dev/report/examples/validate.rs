//! Validates saved reports by the committed schema, and prints a line per error.
//!
//! ```text
//! cargo run -p report --example validate -- target/compare/report.json
//! ```

use std::process::ExitCode;
use std::{env, fs};

use serde_json::Value;

const SCHEMA: &str = include_str!("../../../compare/report.schema.json");

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let validator = jsonschema::validator_for(&serde_json::from_str(SCHEMA)?)?;
    let files: Vec<_> = env::args_os().skip(1).collect();
    if files.is_empty() {
        return Err("give the reports to validate".into());
    }
    let mut code = ExitCode::SUCCESS;
    for file in files {
        let report: Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
        for error in validator.iter_errors(&report) {
            println!("{}: {}: {error}", file.display(), error.instance_path());
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}
