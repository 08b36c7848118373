//! Tests of a report's texts, page, goals and schema.

mod browser;
mod goals;
mod page;
mod sample;
mod schema;
mod tables;
