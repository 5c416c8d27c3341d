//! The JSON schemas of what the program writes, made from the types that it writes.
//!
//! Their fields, kinds and ranges are those of the types, and their descriptions are the types'
//! documentation.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};

use super::compare::{COMPARISON_VERSION, Comparison};
use super::suite::{SUITE_VERSION, Suite};
use super::{Report, SCHEMA_VERSION};

/// Of a result.
pub fn result() -> Schema {
    schema::<Report>("Result", SCHEMA_VERSION)
}

/// Of a suite.
pub fn suite() -> Schema {
    schema::<Suite>("Suite", SUITE_VERSION)
}

/// Of a comparison.
pub fn comparison() -> Schema {
    schema::<Comparison>("Comparison", COMPARISON_VERSION)
}

fn schema<T: JsonSchema>(document: &str, version: u32) -> Schema {
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings
        .transforms
        .push(Box::new(RecursiveTransform(tighten)));
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    let id = format!("urn:uta-eval:{}:{version}", document.to_lowercase());
    schema.insert("$id".into(), id.into());
    schema.insert("title".into(), format!("{document} of uta-eval").into());
    schema
}

/// Allows no fields but those of the type, and undoes what only Rust knows: the names of its numbers
/// and the line breaks of its comments.
fn tighten(schema: &mut Schema) {
    schema.remove("format");
    if schema.get("properties").is_some() {
        schema.insert("additionalProperties".into(), false.into());
    }
    let description = schema.get("description").and_then(|text| text.as_str());
    if let Some(text) = description.map(|text| text.replace('\n', " ")) {
        schema.insert("description".into(), text.into());
    }
}
