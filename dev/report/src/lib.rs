//! `report.json`, the results of `compare run`: its format, and everything that shows it.
//!
//! - [`Report`] is the file: an [`Environment`], an array of rows per [`Section`], and the reasons
//!   for sections that are missing. All output is a function of it, so that a saved report can be
//!   shown again. This crate measures nothing and depends on no TLS library.
//! - [`schema()`] is the JSON Schema of the file.
//! - [`tables`] turn the rows into tables; [`text`] prints them in a terminal or as Markdown.
//! - [`html`] renders a page with charts.
//! - [`goals`] compare the results with what this project wants to reach.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod caveats;
mod chart;
mod contents;
mod environment;
mod figures;
mod file;
pub mod goals;
pub mod html;
mod number;
mod rows;
mod sanitize;
mod schema;
mod section;
mod summary;
pub mod tables;
pub mod text;

pub use self::contents::{ReadError, Report, SCHEMA};
pub use self::environment::Environment;
pub use self::rows::*;
pub use self::schema::schema;
pub use self::section::Section;
