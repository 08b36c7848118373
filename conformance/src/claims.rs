//! The claims, by what they are about.

mod bounded;
mod identity;
mod once;
mod seen;
mod valid;

use crate::Claim;

/// All claims, in the order of their rules.
pub(crate) fn all() -> Vec<Claim> {
    let parts = [
        identity::claims(),
        once::claims(),
        valid::claims(),
        bounded::claims(),
    ];
    let mut claims: Vec<Claim> = parts.into_iter().flatten().chain(seen::claims()).collect();
    let number = |claim: &Claim| claim.rule[1..].parse::<u32>().unwrap_or(u32::MAX);
    claims.sort_by_key(number);
    claims
}
