//! `--json`: standard output is the document and nothing else.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::program::{Ran, directory};

#[test]
fn standard_output_is_the_report_and_nothing_else() {
    let out = directory("json");
    let output = Command::new(env!("CARGO_BIN_EXE_compare"))
        .args(["run", "--json", "--only", "scale", "--out"])
        .arg(&out)
        .output();
    let ran = Ran::from(output.unwrap());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let file = fs::read_to_string(out.join("report.json")).unwrap();
    assert_eq!(ran.out, file);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["scale"].as_array().unwrap().len(), 4);
    assert!(ran.err.contains("compare: [1/1] scale: "), "{}", ran.err);
    // The tables are on standard error.
    assert!(ran.err.contains("┌──"), "{}", ran.err);
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.starts_with("<!"), "{page}");
}

#[test]
fn a_broken_pipe_does_not_change_the_exit_code() {
    for json in [true, false] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
        command
            .args(["run", "--only", "scale", "--out"])
            .arg(directory(if json {
                "broken-pipe-json"
            } else {
                "broken-pipe-tables"
            }))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if json {
            command.arg("--json");
        }
        let mut process = command.spawn().unwrap();
        drop((process.stdout.take(), process.stderr.take()));
        assert_eq!(process.wait().unwrap().code(), Some(0));
    }
}
