//! Tests of the stores and of the workloads.

mod rustls_pattern;
mod workloads;
