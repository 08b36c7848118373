//! Handshakes of s2n-tls through the store: the claims of the conformance suite, and tests of what is
//! peculiar to s2n-tls.

mod blocking;
mod claims;
mod client;
mod handshakes;
