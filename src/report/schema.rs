//! The JSON schemas of what the program writes, inside it.

/// Of a result, in version [`super::SCHEMA_VERSION`].
pub const RESULT: &str = include_str!("../../assets/schema/result-4.schema.json");

/// Of a comparison, in version [`super::compare::COMPARISON_VERSION`].
pub const COMPARISON: &str = include_str!("../../assets/schema/comparison-1.schema.json");
