//! What `compare` found out: the contents of `report.json`, and everything that shows them.
//!
//! - [`Report`] is the file: an [`Environment`], an array of rows for each [`Section`], and what was
//!   skipped. It is the door between who measures and who shows: nothing here measures anything, or
//!   knows a TLS library, and nothing that is shown comes from anywhere but a report.
//! - [`text`] shows it in a terminal and on a page in Markdown.
//! - [`goals`] hold it against what this project set out for.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod contents;
mod environment;
pub mod goals;
mod rows;
mod section;
pub mod text;

pub use self::contents::{ReadError, Report, SCHEMA};
pub use self::environment::Environment;
pub use self::rows::*;
pub use self::section::Section;
