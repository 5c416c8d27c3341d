//! Folders of class folders.
//!
//! Class folders are matched to classes by name (for ImageNet the WordNet id), never by position:
//! a folder that is missing shifts no other.

use std::io::ErrorKind;
use std::path::Path;

use super::data_set::DataSet;
use super::error::{DataError, LayoutError};
use super::layout;
use super::source::Source;
use crate::data::containers::ContainerError;
use crate::data::containers::file_names::Ignored;
use crate::data::containers::folder::{self, Contents};
use crate::data::name::Name;
use crate::data::sample::{Sample, Storage};
use crate::data::sets::ClassFolders;

/// The pictures below `path/val` (or where else the class folders may lie), or below `path` when
/// there is no such folder.
///
/// # Errors
/// When the folder cannot be read, or its layout does not tell every picture's class.
pub fn find(path: &Path, classes: &ClassFolders) -> Result<DataSet, DataError> {
    check_is_folder(path)?;
    let root = classes.root(path)?;
    let mut ignored = Ignored::default();
    let contents = Contents::of_folder(&root, &mut ignored)?;
    let classes = &classes.settled(&root, &contents.folders)?;
    layout::check(&root, &contents, classes)?;
    ignored.not_pictures += contents.files.len();

    let mut samples = Vec::new();
    for name in &contents.folders {
        let Some(label) = classes.class_of(name) else {
            ignored.other_folders += 1;
            continue;
        };
        for path in folder::pictures(&root.join(name), &mut ignored)? {
            let name = Name::of(&path, &root);
            samples.push(Sample::new(name, label, Storage::File(path.into())));
        }
    }
    let data = DataSet::new(root, samples, classes.len(), Source::Folders, ignored)?;
    Ok(data)
}

fn check_is_folder(path: &Path) -> Result<(), DataError> {
    let path = path.to_path_buf();
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(LayoutError::NotAFolder { path }.into()),
        Err(e) if e.kind() == ErrorKind::NotFound => Err(ContainerError::NotFound { path }.into()),
        Err(source) => Err(ContainerError::Unreadable { path, source }.into()),
    }
}
