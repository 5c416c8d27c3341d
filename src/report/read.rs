//! Reading the JSON form back.

use std::path::Path;

use serde::Deserialize;

use super::{Report, SCHEMA_VERSION};
use crate::error::Error;

/// What every version has.
#[derive(Deserialize)]
struct Version {
    schema_version: u32,
}

impl Report {
    /// Reads a result that `--json` wrote.
    ///
    /// # Errors
    /// When the file cannot be read, is no result, or is of another version.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            Error::usage(
                format!("{} cannot be read: {e}", path.display()),
                "give a file that --json wrote",
            )
        })?;
        let no_result = |e: serde_json::Error| {
            Error::usage(
                format!("{} is no result of uta-eval: {e}", path.display()),
                "give a file that --json wrote",
            )
        };
        let version: Version = serde_json::from_str(&text).map_err(no_result)?;
        if version.schema_version != SCHEMA_VERSION {
            return Err(Error::usage(
                format!(
                    "{} has schema version {}, and this program reads version {SCHEMA_VERSION}",
                    path.display(),
                    version.schema_version
                ),
                "make the result again with this version",
            ));
        }
        serde_json::from_str(&text).map_err(no_result)
    }
}
