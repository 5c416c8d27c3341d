//! A JSON object whose fields are taken one by one, so that none is skipped in silence.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// What is left of an object.
pub(super) struct Fields {
    /// Where it is, for messages: `vision_cfg`.
    path: String,
    rest: Map<String, Value>,
}

impl Fields {
    /// # Errors
    /// When the value is no object.
    pub(super) fn new(path: &str, value: Value) -> Result<Self, String> {
        match value {
            Value::Object(rest) => Ok(Self {
                path: path.into(),
                rest,
            }),
            _ => Err(format!("{} is no JSON object", quoted(path))),
        }
    }

    /// Whether it has a field that is not `null`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.rest.get(name).is_some_and(|value| !value.is_null())
    }

    /// Takes a field; `None` if it is absent or `null`.
    ///
    /// # Errors
    /// When it has another type.
    pub(super) fn optional<T: DeserializeOwned>(
        &mut self,
        name: &str,
    ) -> Result<Option<T>, String> {
        let Some(value) = self.rest.remove(name).filter(|value| !value.is_null()) else {
            return Ok(None);
        };
        let shown = value.to_string();
        serde_json::from_value(value)
            .map(Some)
            .map_err(|e| format!("{} is {shown}: {e}", self.name(name)))
    }

    /// Takes a field, or another value where it is absent or `null`.
    ///
    /// # Errors
    /// As [`optional`](Self::optional).
    pub(super) fn or<T: DeserializeOwned>(&mut self, name: &str, default: T) -> Result<T, String> {
        Ok(self.optional(name)?.unwrap_or(default))
    }

    /// Takes a field that must be there.
    ///
    /// # Errors
    /// When it is absent, or as [`optional`](Self::optional).
    pub(super) fn required<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, String> {
        let value = self.optional(name)?;
        value.ok_or_else(|| format!("{} is missing", self.name(name)))
    }

    /// Takes an object.
    ///
    /// # Errors
    /// When it is absent or no object.
    pub(super) fn object(&mut self, name: &str) -> Result<Self, String> {
        let value: Value = self.required(name)?;
        Self::new(&self.below(name), value)
    }

    /// Takes a field that may be absent, `null` or have one of the values that change nothing.
    ///
    /// # Errors
    /// When it has another value.
    pub(super) fn only(&mut self, name: &str, values: &[Value]) -> Result<(), String> {
        match self.rest.remove(name) {
            None | Some(Value::Null) => Ok(()),
            Some(value) if values.contains(&value) => Ok(()),
            Some(value) => Err(format!(
                "{} is {value}, which no model of this program has",
                self.name(name)
            )),
        }
    }

    /// Drops fields that say nothing about what a finished model computes.
    pub(super) fn ignore(&mut self, names: &[&str]) {
        for name in names {
            self.rest.remove(*name);
        }
    }

    /// Ends.
    ///
    /// # Errors
    /// When a field is left, which may change what the model computes.
    pub(super) fn end(self) -> Result<(), String> {
        match self.rest.keys().next() {
            None => Ok(()),
            Some(name) => Err(format!("{} is unknown", self.name(name))),
        }
    }

    fn name(&self, field: &str) -> String {
        quoted(&self.below(field))
    }

    fn below(&self, field: &str) -> String {
        match self.path.as_str() {
            "" => field.into(),
            path => format!("{path}.{field}"),
        }
    }
}

fn quoted(path: &str) -> String {
    match path {
        "" => "the description".into(),
        path => format!("`{path}`"),
    }
}
