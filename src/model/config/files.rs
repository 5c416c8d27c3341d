//! Which description a JSON file is: this program's own, open_clip's, EVA-CLIP's or transformers'.

use std::path::Path;

use serde_json::Value;

use super::own::Description;
use super::{ConfigError, ModelConfig, open_clip, transformers};
use crate::util::escape::Shown;
use crate::util::regular_file;

/// Bytes of a file; a larger one is something else.
const MOST_BYTES: u64 = 16 << 20;

/// The name that open_clip gives a description beside weights.
pub const OPEN_CLIP_CONFIG: &str = "open_clip_config.json";
/// The name that transformers gives one.
pub const TRANSFORMERS_CONFIG: &str = "config.json";
/// The name that transformers gives the description of the preprocessing.
pub const TRANSFORMERS_PREPROCESSOR: &str = "preprocessor_config.json";

/// Whose description it is.
enum Form {
    Own,
    OpenClip,
    Transformers,
}

impl Form {
    fn of(value: &Value) -> Self {
        let has = |field| value.get(field).is_some();
        if has("model_cfg") || has("vision_cfg") {
            Self::OpenClip
        } else if has("vision_config") || has("text_config") || has("model_type") {
            Self::Transformers
        } else {
            Self::Own
        }
    }
}

impl ModelConfig {
    /// Reads `--model`: a built-in name or the path of a JSON description. Beside one of transformers
    /// its preprocessing is looked for, too.
    ///
    /// # Errors
    /// When the name is unknown, or the file cannot be read or describes no possible model.
    pub fn from_name_or_file(value: &str) -> Result<Self, ConfigError> {
        if let Some(config) = Self::by_name(value) {
            return Ok(config);
        }
        let path = Path::new(value);
        let names_a_file = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("json"));
        if !names_a_file && !path.is_file() {
            return Err(ConfigError::Unknown { name: value.into() });
        }
        Self::from_file(path)
    }

    /// Reads a JSON description.
    ///
    /// # Errors
    /// When the file cannot be read or describes no possible model.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let config = Self::from_json(&read(path)?, &path.shown())?;
        let beside = path.with_file_name(TRANSFORMERS_PREPROCESSOR);
        if path.file_name() == Some(TRANSFORMERS_CONFIG.as_ref()) && beside.is_file() {
            return config.with_preprocessor(&beside);
        }
        Ok(config)
    }

    /// The same model, whose pictures are prepared as transformers' `preprocessor_config.json` says.
    ///
    /// # Errors
    /// When the file cannot be read, or asks for what is not implemented.
    pub fn with_preprocessor(mut self, path: &Path) -> Result<Self, ConfigError> {
        let name = path.shown().to_string();
        let value = parse(&read(path)?, &name)?;
        self.preprocessing = transformers::preprocessing(value, self.vision.image)
            .and_then(|preprocessing| {
                self.preprocessing = preprocessing;
                self.check().map(|()| self.preprocessing.clone())
            })
            .map_err(|reason| ConfigError::Invalid { path: name, reason })?;
        Ok(self)
    }

    /// Parses a JSON description. `path` names it in errors, and the model where the description does
    /// not and it is none of the built-in ones.
    ///
    /// # Errors
    /// When the JSON is malformed, has unknown or missing fields, or dimensions that do not fit.
    pub fn from_json(text: &str, path: &str) -> Result<Self, ConfigError> {
        let value = parse(text, path)?;
        let invalid = |reason| ConfigError::Invalid {
            path: path.into(),
            reason,
        };
        let config = match Form::of(&value) {
            Form::Own => {
                // From the text, so that errors say in which line.
                let description: Description =
                    serde_json::from_str(text).map_err(|source| ConfigError::Syntax {
                        path: path.into(),
                        source,
                    })?;
                let config = description.into_config().map_err(invalid)?;
                config.check().map_err(invalid)?;
                return Ok(config);
            }
            Form::OpenClip => open_clip::read(&name_of(path), value),
            Form::Transformers => transformers::read(&name_of(path), value),
        };
        let mut config = config.map_err(invalid)?;
        config.check().map_err(invalid)?;
        if let Some(twin) = config.built_in_twin() {
            config.name.clone_from(&twin.name);
        }
        Ok(config)
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    regular_file::read_text(path, MOST_BYTES).map_err(|source| ConfigError::Unreadable {
        path: path.shown().to_string(),
        source,
    })
}

fn parse(text: &str, path: &str) -> Result<Value, ConfigError> {
    serde_json::from_str(text).map_err(|source| ConfigError::Syntax {
        path: path.into(),
        source,
    })
}

/// A name for a model whose description has none: the file's or, where all files are called alike, the
/// folder's.
fn name_of(path: &str) -> String {
    let path = Path::new(path);
    let folder = path.parent().and_then(Path::file_name);
    let name = match path.file_name().and_then(|name| name.to_str()) {
        Some(OPEN_CLIP_CONFIG | TRANSFORMERS_CONFIG) => folder.or(path.file_stem()),
        _ => path.file_stem(),
    };
    let name = name.unwrap_or(path.as_os_str()).to_string_lossy();
    name.into_owned()
}
