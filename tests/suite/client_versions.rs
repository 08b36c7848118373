//! The versions of other crates that README names for each feature.

use std::collections::BTreeMap;

use toml::{Table, Value};

/// The requirements of the workspace, by crate.
fn required() -> BTreeMap<String, String> {
    let manifest: Table = include_str!("../../Cargo.toml").parse().expect("TOML");
    let dependencies = manifest["workspace"]["dependencies"].as_table();
    let version = |value: &Value| match value {
        Value::String(version) => Some(version.clone()),
        table => Some(table.get("version")?.as_str()?.to_owned()),
    };
    let dependencies = dependencies.expect("a table").iter();
    dependencies
        .filter_map(|(name, value)| Some((name.clone(), version(value)?)))
        .collect()
}

/// The part of a version that changes if a release breaks: "1" of 1.12, "0.23" of 0.23.46.
fn series(version: &str) -> String {
    let parts: Vec<&str> = version.split('.').collect();
    let length = if parts[0] == "0" { 2 } else { 1 };
    parts[..length].join(".")
}

#[test]
fn the_named_series_are_those_of_the_manifest() {
    let readme = include_str!("../../README.md");
    let (_, table) = readme
        .split_once("| feature | crates whose types it shows |\n")
        .expect("the table");
    let required = required();
    let rows = table
        .lines()
        .take_while(|line| line.starts_with('|'))
        .skip(1);
    let mut count = 0;
    for row in rows {
        let (_, crates) = row
            .trim_matches(['|', ' '])
            .split_once(" | ")
            .expect("a row");
        for named in crates.split(", ") {
            let (name, named) = named.rsplit_once(' ').expect("a crate and its version");
            let name = name.trim_matches('`');
            assert_eq!(series(&required[name]), named, "{name}");
            count += 1;
        }
    }
    assert!(count >= 9, "{count}");
}
