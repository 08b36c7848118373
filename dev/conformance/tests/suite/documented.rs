//! docs/rules.md names every claim, under its rule, and only tests and files that exist.

use std::fs;
use std::path::{Path, PathBuf};

use conformance::claims;
use tls_resume::openssl::Connector;

const DOCUMENT: &str = include_str!("../../../../docs/rules.md");

#[test]
fn every_claim_is_in_the_table_of_its_rule() {
    for claim in claims::<Connector>() {
        let start = format!("| **{}** ", claim.rule);
        let row = DOCUMENT.lines().find(|line| line.starts_with(&start));
        let row = row.unwrap_or_else(|| panic!("{} has no line", claim.rule));
        assert!(row.contains(claim.title), "{}: {}", claim.rule, claim.title);
    }
    for rule in (1..=31).chain([34, 37, 39, 40]) {
        let rule = format!("R{rule}");
        let has_claim = claims::<Connector>().iter().any(|claim| claim.rule == rule);
        assert!(has_claim, "{rule} has no claim");
    }
}

/// In the table of the rules, a quoted word with underscores is a test, and one with slashes is a
/// path.
#[test]
fn every_test_and_file_that_it_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut sources = Vec::new();
    collect(&root, &mut sources);
    let code: String = sources.iter().flat_map(fs::read_to_string).collect();
    let rules = DOCUMENT.lines().filter(|line| line.starts_with("| **R"));
    let quoted = rules.flat_map(|line| line.split('`').skip(1).step_by(2));
    let mut missing = Vec::new();
    for word in quoted {
        let exists = if word.contains('/') {
            root.join(word).exists() || root.join("store-tiers").join(word).exists()
        } else if word.contains('_') && !word.contains('.') {
            code.contains(&format!("fn {word}(")) || code.contains(&format!("fn {word}<"))
        } else {
            true
        };
        if !exists {
            missing.push(word);
        }
    }
    assert!(missing.is_empty(), "these do not exist: {missing:#?}");
}

/// Collects the sources of the workspace.
fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && name != "target" && !name.to_string_lossy().starts_with('.') {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}
