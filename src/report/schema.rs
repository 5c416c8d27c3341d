//! The JSON schema of results, inside the program.

/// The schema of version [`super::SCHEMA_VERSION`].
pub const SCHEMA: &str = include_str!("../../assets/schema/result-3.schema.json");
