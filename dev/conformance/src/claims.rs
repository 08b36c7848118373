//! The claims, by what they are about.

mod bounded;
mod identity;
mod once;
mod sealed;
mod secret;
mod seen;
mod shared;
mod unhindered;
mod valid;
mod verified;

use crate::{Claim, Client};

/// All claims, in the order of their rules.
pub(crate) fn all<C: Client>() -> Vec<Claim> {
    let parts = [
        identity::claims::<C>(),
        verified::claims::<C>(),
        once::claims::<C>(),
        valid::claims::<C>(),
        bounded::claims::<C>(),
        unhindered::claims::<C>(),
        shared::claims::<C>(),
        sealed::claims::<C>(),
        secret::claims::<C>(),
        seen::claims::<C>(),
    ];
    let mut claims: Vec<Claim> = parts.into_iter().flatten().collect();
    claims.sort_by_key(|claim| claim.rule[1..].parse().unwrap_or(u32::MAX));
    claims
}
