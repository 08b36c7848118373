//! The claims, by topic.

mod accounting;
mod addresses;
mod availability;
mod certificates;
mod early_data;
mod expiry;
mod failures;
mod groups;
mod keys;
mod kin;
mod limits;
mod options;
mod partitions;
mod records;
mod shared_store;
mod single_use;
mod verification;

use crate::claim::Claim;
use crate::client::Client;

/// All claims, in the order of their rules.
pub(crate) fn all<C: Client>() -> Vec<Claim> {
    let topics = [
        keys::claims::<C>(),
        verification::claims::<C>(),
        single_use::claims::<C>(),
        expiry::claims::<C>(),
        limits::claims::<C>(),
        partitions::claims::<C>(),
        options::claims::<C>(),
        kin::claims::<C>(),
        availability::claims::<C>(),
        shared_store::claims::<C>(),
        records::claims::<C>(),
        early_data::claims::<C>(),
        failures::claims::<C>(),
        certificates::claims::<C>(),
        groups::claims::<C>(),
        addresses::claims::<C>(),
        accounting::claims::<C>(),
    ];
    let mut claims: Vec<Claim> = topics.into_iter().flatten().collect();
    claims.sort_by_key(|claim| claim.rule[1..].parse().unwrap_or(u32::MAX));
    claims
}
