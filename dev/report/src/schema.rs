//! What `report.json` promises to programs.

use schemars::generate::SchemaSettings;

use crate::Report;

/// The JSON Schema of `report.json`, made from the types, with a line feed at its end.
///
/// It describes what is written: every key is there, and what is missing is null,
/// but for keys that older reports do not have. Keys may be added
/// without another number in `schema`, so unknown ones are allowed, and readers skip them.
pub fn schema() -> String {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let schema = settings.into_generator().into_root_schema_for::<Report>();
    format!("{:#}\n", schema.as_value())
}
