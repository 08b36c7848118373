//! `compare run`, and the same as a library.

mod custom_store;
mod interrupt;
mod json;
mod summary;
mod terminal;
