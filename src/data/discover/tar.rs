//! Tar archives of pictures, read as the folders that they would be unpacked to.

use std::path::{Path, PathBuf};

use super::data_set::DataSet;
use super::error::{DataError, LayoutError};
use super::labelling::Labelling;
use super::layout;
use super::source::Source;
use crate::data::containers::archive::{self, Member};
use crate::data::containers::file_names::{Ignored, is_hidden};
use crate::data::containers::folder::{Contents, picture_order};
use crate::data::labels;
use crate::data::name::Name;
use crate::data::sample::{Sample, Storage};
use crate::data::sets::{ClassFolders, ClassFoldersError};

/// An archive and a path in it, from `val.tar/folder`, which no file has.
pub fn split(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let archive = path.ancestors().skip(1).find(|above| above.is_file())?;
    let is_tar = archive
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("tar"));
    let inner = path.strip_prefix(archive).ok().filter(|_| is_tar)?;
    Some((archive.into(), inner.into()))
}

/// The pictures of an archive, or of the folder `inner` of it. Their classes are those of class
/// folders in the archive, or of a label file.
///
/// # Errors
/// When the archive cannot be read, or a picture's class is in doubt.
pub fn find(path: &Path, inner: &Path, labelling: &Labelling<'_>) -> Result<DataSet, DataError> {
    let mut ignored = Ignored::default();
    let members = archive::members(path)?;
    let files: Vec<String> = members.iter().map(|member| member.name.clone()).collect();
    let mut pictures = archive::pictures(members, &mut ignored);
    let names: Vec<&str> = pictures.iter().map(|picture| &*picture.name).collect();
    let start = match inner.to_str() {
        None | Some("") => String::new(),
        Some(inner) => format!("{inner}/"),
    };
    let root = root_in(path, start, &names, labelling.classes)?;
    let mut contents = Contents::of_names(names.into_iter(), &root);
    let shown = files.iter().map(String::as_str);
    let shown = shown.filter(|name| !is_hidden(name));
    contents.files = Contents::of_names(shown, &root).files;
    pictures.retain(|picture| picture.name.starts_with(&root));
    let folder = folder_path(path, &root);
    if pictures.is_empty() {
        return Err(LayoutError::NoPictures {
            path: folder,
            files: ignored.not_pictures,
        }
        .into());
    }
    let below = |picture: &Member| picture.name[root.len()..].to_string();
    let sample = |picture: &Member, label| {
        let name = Name::below(&folder, &picture.name[root.len()..]);
        Sample::new(name, label, Storage::Archive(picture.span.clone()))
    };
    let class_folders = match labelling.file {
        Some(_) => None,
        None => class_folders(path, &folder, &contents, labelling.classes)?,
    };
    let Some(classes) = class_folders else {
        pictures.sort_by(|a, b| a.name.split('/').cmp(b.name.split('/')));
        let labels = labelling.labels(path, parent(path))?;
        let named = pictures.iter().map(|p| (below(p), sample(p, 0)));
        return labelling.apply(labels, Source::Tar, folder.clone(), named, ignored);
    };
    pictures.sort_by(|a, b| picture_order(&below(a), &below(b)));
    let class = |picture: &Member| {
        let below = &picture.name[root.len()..];
        classes.class_of(below.split_once('/')?.0)
    };
    let samples = pictures
        .iter()
        .filter_map(|p| Some(sample(p, class(p)?)))
        .collect();
    let others = contents.folders.iter();
    let others = others.filter(|name| classes.class_of(name).is_none());
    ignored.other_folders = others.count();
    let data = DataSet::new(folder, samples, classes.len(), Source::Tar, ignored)?;
    Ok(data)
}

/// The classes of an archive's folders; `None` when a label file is to say them.
fn class_folders(
    archive: &Path,
    folder: &Path,
    contents: &Contents,
    classes: &ClassFolders,
) -> Result<Option<ClassFolders>, DataError> {
    let check = || -> Result<ClassFolders, DataError> {
        let classes = classes.settled(folder, &contents.folders)?;
        layout::check(folder, contents, &classes)?;
        Ok(classes)
    };
    match check() {
        Ok(classes) => Ok(Some(classes)),
        Err(DataError::Layout(LayoutError::Flat { .. })) if contents.folders.is_empty() => Ok(None),
        Err(_) if !labels::beside(parent(archive)).is_empty() => Ok(None),
        Err(e) => Err(e),
    }
}

/// The folder that an archive lies in.
fn parent(archive: &Path) -> &Path {
    archive.parent().unwrap_or(Path::new(""))
}

/// The folder of an archive that holds its class folders or flat pictures, with a `/` at its end:
/// found as on a disk, and below folders that hold nothing but one other. `start` is where to
/// begin; `names` are those of pictures.
///
/// # Errors
/// When there are several.
fn root_in(
    archive: &Path,
    start: String,
    names: &[&str],
    classes: &ClassFolders,
) -> Result<String, ClassFoldersError> {
    let mut root = start;
    loop {
        let below = |folder: &str| {
            let folder = format!("{root}{folder}/");
            names.iter().any(|name| name.starts_with(&folder))
        };
        if let Some(inside) = classes.place_in(&folder_path(archive, &root), below)? {
            return Ok(format!("{root}{inside}/"));
        }
        let contents = |folder: &str| Contents::of_names(names.iter().copied(), folder);
        let here = contents(&root);
        let known = |name: &String| classes.class_of(name).is_some() || classes.leaves_out(name);
        let [only] = here.folders.as_slice() else {
            return Ok(root);
        };
        let deeper = format!("{root}{only}/");
        if here.pictures() > 0 || known(only) || contents(&deeper).folders.is_empty() {
            return Ok(root);
        }
        root = deeper;
    }
}

/// An archive's folder as a path.
fn folder_path(archive: &Path, folder: &str) -> PathBuf {
    match folder.trim_end_matches('/') {
        "" => archive.into(),
        folder => archive.join(folder),
    }
}
