//! The end of a run: the findings, and where the report is.

use crate::program::{compare, directory};

#[test]
fn a_run_ends_with_its_findings_and_the_page() {
    let dir = directory("summary");
    let dir = dir.to_str().unwrap();
    let ran = compare(&["run", "--only", "scale", "--out", dir]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let position = |text: &str| {
        let found = ran.out.find(text);
        found.unwrap_or_else(|| panic!("{text:?} is not in {}", ran.out))
    };
    let table = position("┌──");
    let finding =
        position("\nWhat resumption saves, and which library is faster, is not in this report");
    assert!(table < finding, "{}", ran.out);
    let end = format!("\nWritten: {dir}/report.json\nWritten: {dir}/report.html\n");
    assert!(ran.out.ends_with(&end), "{}", ran.out);
    // A reader must not take it for a full run.
    assert!(ran.out.contains("run: short"), "{}", ran.out);
}
