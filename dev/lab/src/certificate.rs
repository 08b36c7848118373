//! Certificate authorities and the certificates they issue: leaf, intermediate, root.
//!
//! A session may carry its server's chain, so the size of a chain matters: certificates have all
//! the extensions of public ones, and about their size.

mod authority;
mod extensions;
mod identity;
mod params;
mod public;

pub use authority::Authority;
pub use identity::{Identity, KeyKind};
pub use public::PublicAuthorities;
