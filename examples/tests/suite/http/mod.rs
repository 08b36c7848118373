//! HTTP and gRPC clients of other crates with our connector.

mod foreign;
mod grpc;
mod partitions;
mod programs;
mod services;
