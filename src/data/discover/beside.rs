//! What lies beside shards and tables in the form that clip-benchmark's data sets have on the hub:
//! `classnames.txt`, `zeroshot_classification_templates.txt` and `dataset_type.txt` in the root,
//! shards in `test/`.

use std::path::{Path, PathBuf};

use super::detect::shards_of;
use super::error::{DataError, LayoutError};
use super::location::DataLocation;
use super::pattern::is_pattern;

/// What the hub's data sets call their files.
const CLASS_NAMES: &str = "classnames.txt";
const TEMPLATES: &str = "zeroshot_classification_templates.txt";
const TYPE: &str = "dataset_type.txt";

/// The texts of a data set that are kept beside its pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// The folder of the texts.
    pub root: PathBuf,
    /// The names of the classes that labels count, one a line.
    pub class_names: PathBuf,
    /// Prompt templates, one a line.
    pub templates: Option<PathBuf>,
}

impl Beside {
    /// The texts that belong to the shards or tables of a location; none where it has none, or its
    /// pictures are kept in another way.
    ///
    /// # Errors
    /// When the folder cannot be read, or the data set is none of pictures with one class each.
    pub fn find(location: &DataLocation) -> Result<Option<Self>, DataError> {
        let path = &location.path;
        let folder = if path.is_dir() {
            shards_of(path, location.source)?
        } else {
            let is_there = path.is_file() || is_pattern(path);
            path.parent().filter(|_| is_there).map(Path::to_path_buf)
        };
        let Some(folder) = folder else {
            return Ok(None);
        };
        // `ROOT`, `ROOT/test`, or `ROOT/default/test`.
        let above = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        let in_default = above.parent().filter(|p| p.ends_with("default"));
        let roots = [
            Some(above.as_path()),
            above.parent(),
            in_default.and_then(Path::parent),
        ];
        for root in roots.into_iter().flatten() {
            let class_names = root.join(CLASS_NAMES);
            check_type(root)?;
            if class_names.is_file() {
                let templates = Some(root.join(TEMPLATES)).filter(|file| file.is_file());
                return Ok(Some(Self {
                    root: root.into(),
                    class_names,
                    templates,
                }));
            }
        }
        Ok(None)
    }
}

/// Refuses a data set whose pictures do not have one class each.
fn check_type(root: &Path) -> Result<(), LayoutError> {
    let Ok(kind) = std::fs::read_to_string(root.join(TYPE)) else {
        return Ok(());
    };
    match kind.trim().to_lowercase().as_str() {
        "" | "classification" => Ok(()),
        other => Err(LayoutError::OtherTask {
            path: root.join(TYPE),
            task: other.chars().take(40).collect(),
        }),
    }
}
