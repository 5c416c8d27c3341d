//! Finished classifiers in the user's cache folder, by the key of their recipe.
//!
//! A file appears whole or not at all, so that two runs at once do no harm: the second one
//! replaces the first one's file by the same content.

use std::path::{Path, PathBuf};

use super::Classifier;
use super::file::{self, ClassifierFileError};
use super::recipe::Recipe;
use crate::temporary::Temporary;

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
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    /// Keeps a classifier.
    ///
    /// # Errors
    /// When the folder cannot be made or written to.
    pub fn put(&self, recipe: &Recipe, classifier: &Classifier) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.folder)?;
        let bytes = file::to_bytes(classifier, recipe).map_err(std::io::Error::other)?;
        write_whole(&self.path(recipe), &bytes)
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = Temporary::beside(path)?;
    std::io::Write::write_all(&mut file, bytes)?;
    file.replace(path)
}
