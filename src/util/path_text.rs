//! Paths in documents: results, records, checks.

use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::util::escape::{self, Shown};

/// A path in a document that programs read.
///
/// JSON knows text only, and a path may be any bytes. Those that are no UTF-8 are written as `\xE9`,
/// and read back as the bytes that they were; no two paths are written alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathText(PathBuf);

impl From<&Path> for PathText {
    fn from(path: &Path) -> Self {
        Self(path.into())
    }
}

impl From<PathBuf> for PathText {
    fn from(path: PathBuf) -> Self {
        Self(path)
    }
}

impl Deref for PathText {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

/// As people read it.
impl fmt::Display for PathText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.shown())
    }
}

impl Serialize for PathText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&escape::name(self.0.as_os_str()))
    }
}

impl<'de> Deserialize<'de> for PathText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(path_of(&String::deserialize(deserializer)?)))
    }
}

/// The path that a text was written for.
pub fn path_of(text: &str) -> PathBuf {
    let bytes = escape::unescaped(text).into_owned();
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt;
        std::ffi::OsString::from_vec(bytes).into()
    }
    #[cfg(not(unix))]
    {
        // Only names of text can be made of bytes here.
        String::from_utf8(bytes).map_or_else(|_| text.into(), PathBuf::from)
    }
}

impl schemars::JsonSchema for PathText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PathText".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        String::json_schema(generator)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn any_path_comes_back_from_a_document() {
        for bytes in [
            &b"a/caf\xe9.jpg"[..],
            b"a\nb\"\\",
            b"caf\\xE9",
            "café".as_bytes(),
        ] {
            let path = PathText::from(Path::new(std::ffi::OsStr::from_bytes(bytes)));
            let document = serde_json::to_string(&path).unwrap();
            let read: PathText = serde_json::from_str(&document).unwrap();
            assert_eq!(read, path, "{document}");
        }
    }

    #[test]
    fn it_is_written_as_the_guides_say() {
        let path = PathText::from(Path::new(std::ffi::OsStr::from_bytes(b"caf\xe9\n.jpg")));
        assert_eq!(serde_json::to_value(&path).unwrap(), "caf\\xE9\n.jpg");
        assert_eq!(path.to_string(), "caf\\xE9\\n.jpg");
    }
}
