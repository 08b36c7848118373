//! The guide's pages, and the programs in them.

mod pages;
mod programs;
