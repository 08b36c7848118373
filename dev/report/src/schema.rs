//! The JSON Schema of `report.json`.

use schemars::generate::SchemaSettings;

use crate::Report;

/// The JSON Schema of `report.json`, generated from the types, with a final line feed.
///
/// Every key is present; missing values are null, except for keys that older reports lack. Keys may
/// be added under the same `schema` number, so that unknown ones are allowed and readers skip them.
pub fn schema() -> String {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let schema = settings.into_generator().into_root_schema_for::<Report>();
    format!("{:#}\n", schema.as_value())
}
