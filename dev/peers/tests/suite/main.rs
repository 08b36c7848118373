//! Tests of the stores and of the workloads.

mod fleet;
mod rustls_pattern;
mod workloads;
