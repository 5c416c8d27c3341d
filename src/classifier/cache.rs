//! Finished classifiers in the user's cache folder, by the key of their recipe.
//!
//! A file appears whole or not at all, so that two runs at once do no harm: the second one
//! replaces the first one's file by the same content.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::file::{self, ClassifierFileError};
use super::recipe::Recipe;
use super::{Classifier, Partial};
use crate::util::temporary_file::TemporaryFile;

/// Where classifiers are kept.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The user's cache folder for this program; `None` when there is no home folder.
    pub fn default_folder() -> Option<PathBuf> {
        dirs::cache_dir().map(|folder| folder.join(env!("CARGO_PKG_NAME")))
    }

    /// Where a recipe's classifier is or will be.
    pub fn path(&self, recipe: &Recipe) -> PathBuf {
        self.folder
            .join(format!("classifier-{}.safetensors", recipe.key()))
    }

    /// The classifier of a recipe, if it is there.
    ///
    /// # Errors
    /// When there is a file in its place that cannot be used.
    pub fn get(&self, recipe: &Recipe) -> Result<Option<Classifier>, ClassifierFileError> {
        let path = self.path(recipe);
        match file::read(&path) {
            Ok((classifier, found)) if found == *recipe => Ok(Some(classifier)),
            Ok(_) => Err(ClassifierFileError::Damaged {
                path,
                detail: "its recipe is another than its name says",
            }),
            Err(ClassifierFileError::Unreadable { source, .. })
                if source.kind() == io::ErrorKind::NotFound =>
            {
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    /// Keeps a classifier, and lets the state of its build go.
    ///
    /// # Errors
    /// When the folder cannot be made or written to.
    pub fn put(&self, recipe: &Recipe, classifier: &Classifier) -> io::Result<()> {
        let bytes = file::to_bytes(classifier, recipe).map_err(io::Error::other)?;
        self.write(&self.path(recipe), &bytes)?;
        match std::fs::remove_file(self.partial_path(recipe)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// The state of an interrupted build; `None` when there is none that can be used.
    pub fn get_partial(&self, recipe: &Recipe) -> Option<Partial> {
        let (partial, found) = file::read_partial(&self.partial_path(recipe)).ok()?;
        (found == *recipe).then_some(partial)
    }

    /// Keeps the state of a build, so that it can go on when it is interrupted.
    ///
    /// # Errors
    /// When the folder cannot be made or written to.
    pub fn put_partial(&self, recipe: &Recipe, partial: &Partial) -> io::Result<()> {
        let bytes = file::partial_to_bytes(partial, recipe).map_err(io::Error::other)?;
        self.write(&self.partial_path(recipe), &bytes)
    }

    fn partial_path(&self, recipe: &Recipe) -> PathBuf {
        self.folder
            .join(format!("unfinished-{}.safetensors", recipe.key()))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let mut file = TemporaryFile::beside(path)?;
        file.write_all(bytes)?;
        file.replace(path)
    }
}
