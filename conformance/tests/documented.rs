//! docs/rules.md names every claim, under its rule.

use conformance::claims;
use tls_resume::openssl::Connector;

#[test]
fn every_claim_is_in_the_table_of_its_rule() {
    let document = include_str!("../../docs/rules.md");
    for claim in claims::<Connector>() {
        let start = format!("| **{}** ", claim.rule);
        let row = document.lines().find(|line| line.starts_with(&start));
        let row = row.unwrap_or_else(|| panic!("{} has no line", claim.rule));
        assert!(row.contains(claim.title), "{}: {}", claim.rule, claim.title);
    }
    for rule in 1..=27 {
        let rule = format!("R{rule}");
        let has_a_row = claims::<Connector>().iter().any(|claim| claim.rule == rule);
        assert!(has_a_row, "{rule} has no claim");
    }
}
