//! The LMDB tier.

mod child;
mod fixtures;
mod processes;
mod single_process;
