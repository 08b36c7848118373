//! What `compare` found out: the contents of `report.json`, and everything that shows them.
//!
//! - [`Report`] is the file: an [`Environment`], an array of rows for each [`Section`], and what was
//!   skipped. It is the door between who measures and who shows: nothing here measures anything, or
//!   knows a TLS library, and nothing that is shown comes from anywhere but a report.
//! - [`tables`] are its rows, ready to be read; [`text`] shows them in a terminal and on a page in
//!   Markdown.
//! - [`html`] makes one page of it all, with charts.
//! - [`schema()`] is what the file promises to programs.
//! - [`goals`] hold it against what this project set out for.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod answer;
pub mod bias;
mod chart;
mod contents;
mod environment;
mod figures;
mod file;
pub mod goals;
pub mod html;
mod plain;
mod rows;
mod schema;
mod section;
pub mod tables;
pub mod text;

pub use self::contents::{ReadError, Report, SCHEMA};
pub use self::environment::Environment;
pub use self::rows::*;
pub use self::schema::schema;
pub use self::section::Section;
