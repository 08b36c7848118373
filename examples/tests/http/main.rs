//! Programs with an HTTP client of someone else's in them, each run against a real server, which
//! says whether it resumed.

mod foreign;
mod grpc;
mod programs;
