//! What a path holds, found by looking.

use std::path::{Path, PathBuf};

use super::error::DataError;
use super::pattern::is_pattern;
use super::source::Source;
use crate::data::containers::archive;
use crate::data::containers::file_names::{Ignored, has_ending, is_picture};
use crate::data::containers::folder::Contents;
use crate::data::labels;
use crate::data::sets::ClassFolders;

/// The validation set's archive, as it is published.
const VALIDATION_TAR: &str = "ILSVRC2012_img_val.tar";

/// Folders in which repositories of the Hugging Face hub keep their files.
const HUB_FOLDERS: [&str; 6] = [
    "",
    "data",
    "default/validation",
    "validation",
    "default/test",
    "test",
];

/// Endings of compressed archives, which are refused with a reason.
const COMPRESSED: [&str; 5] = ["tgz", "gz", "zst", "xz", "bz2"];

/// What a path holds, and the path of it. `labels` is the label file, if one is given; `real` says
/// that ReaL labels do for flat pictures.
///
/// # Errors
/// When the path cannot be read, or several folders in it may hold the pictures.
pub fn detect(
    path: PathBuf,
    labels: Option<&Path>,
    real: bool,
    classes: &ClassFolders,
) -> Result<(Source, PathBuf), DataError> {
    let pattern = !path.exists() && is_pattern(&path);
    if has_ending(&path, "parquet") && (path.is_file() || pattern) {
        return Ok((Source::Parquet, path));
    }
    if has_ending(&path, "tar") && (path.is_file() || pattern) {
        let labelled =
            pattern || labels::web_dataset::is_labelled(&archive::members(&path)?, classes);
        let source = if labelled {
            Source::WebDataset
        } else {
            Source::Tar
        };
        return Ok((source, path));
    }
    if path.is_file() && COMPRESSED.iter().any(|c| has_ending(&path, c)) {
        return Ok((Source::Tar, path)); // whose error says what is wrong
    }
    if !path.is_dir() {
        return Ok((Source::Folders, path)); // whose error says what is wrong
    }
    detect_in_folder(path, labels, real, classes)
}

fn detect_in_folder(
    path: PathBuf,
    labels: Option<&Path>,
    real: bool,
    classes: &ClassFolders,
) -> Result<(Source, PathBuf), DataError> {
    let root = classes.root(&path)?;
    let contents = Contents::of_folder(&root, &mut Ignored::default())?;
    let is_class = |name: &String| classes.class_of(name).is_some();
    let class_folders = contents.folders.iter().any(is_class);
    let pictures = contents.files.iter().any(|f| is_picture(Path::new(f)));
    if labels.is_none() && class_folders {
        return Ok((Source::Folders, path));
    }
    if labels.is_some() && (class_folders || pictures) {
        return Ok((Source::Flat, root));
    }
    for source in [Source::Parquet, Source::Tar, Source::WebDataset] {
        if let Some(files) = files_below(&root, source)? {
            return Ok((source, files));
        }
    }
    let beside = || real || !labels::beside(&root).is_empty();
    let packed = || labels::packed_devkit(&root).is_some();
    let flat = labels.is_some() || (pictures && (beside() || packed()));
    Ok(if flat {
        (Source::Flat, root)
    } else {
        (Source::Folders, path)
    })
}

/// Where the files of a source are, which a path or a folder below it may hold: the first folder
/// that has any. The path itself when there are none.
///
/// # Errors
/// When a folder cannot be read, or several folders in the path may hold the pictures.
pub fn files_of(
    path: PathBuf,
    source: Source,
    classes: &ClassFolders,
) -> Result<PathBuf, DataError> {
    if !path.is_dir() || matches!(source, Source::Folders | Source::Flat) {
        return Ok(path);
    }
    let files = files_below(&classes.root(&path)?, source)?;
    Ok(files.unwrap_or(path))
}

/// Where the files of a source are, in a folder or where the hub keeps files in it.
fn files_below(root: &Path, source: Source) -> Result<Option<PathBuf>, DataError> {
    for below in HUB_FOLDERS {
        let folder = if below.is_empty() {
            root.to_path_buf()
        } else {
            root.join(below)
        };
        if folder.is_dir() && holds(&folder, source)? {
            let is_one_file = source == Source::Tar;
            return Ok(Some(if is_one_file {
                folder.join(VALIDATION_TAR)
            } else {
                folder
            }));
        }
    }
    Ok(None)
}

/// The folder that holds the shards or tables of a data set in a folder.
///
/// # Errors
/// When a folder cannot be read.
pub fn shards_of(root: &Path, source: Option<Source>) -> Result<Option<PathBuf>, DataError> {
    for kind in [Source::Parquet, Source::WebDataset] {
        if source.is_none_or(|source| source == kind)
            && let Some(folder) = files_below(root, kind)?
        {
            return Ok(Some(folder));
        }
    }
    Ok(None)
}

/// Whether a folder has files of a source.
fn holds(folder: &Path, source: Source) -> Result<bool, DataError> {
    let files = Contents::of_folder(folder, &mut Ignored::default())?.files;
    let any = |wanted: &dyn Fn(&Path) -> bool| files.iter().any(|file| wanted(Path::new(file)));
    Ok(match source {
        Source::Folders | Source::Flat => false,
        Source::Tar => any(&|file| file == Path::new(VALIDATION_TAR)),
        Source::WebDataset => any(&|file| has_ending(file, "tar")),
        Source::Parquet => any(&|file| has_ending(file, "parquet")),
    })
}
