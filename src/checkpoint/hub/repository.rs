//! A repository as a whole: which files it has, and which of them holds the weights.

use std::path::Path;

use hf_hub::api::RepoInfo;
use hf_hub::{Repo, RepoType};

use super::client::{Client, Fault, patiently};
use crate::checkpoint::folder::WEIGHTS;

use super::environment::offline;
use super::{HubError, HubFile, SCHEME, cache, connect, failed};

/// A model repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubRepository {
    /// `OWNER/REPOSITORY`
    pub repository: String,
    /// A branch, tag or commit.
    pub revision: Option<String>,
}

impl HubRepository {
    /// Reads an address `hf://OWNER/REPOSITORY[@REVISION]`; one of a file is none.
    pub fn parse(path: &Path) -> Option<Self> {
        let rest = path.to_str()?.strip_prefix(SCHEME)?;
        let (owner, name) = rest.split_once('/')?;
        let (name, revision) = match name.split_once('@') {
            Some((name, revision)) => (name, Some(revision)),
            None => (name, None),
        };
        let sound = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('/');
        (sound(owner) && sound(name) && revision.is_none_or(sound)).then(|| Self {
            repository: format!("{owner}/{name}"),
            revision: revision.map(Into::into),
        })
    }

    /// One of its files.
    pub fn file(&self, file: &str) -> HubFile {
        HubFile {
            repository: self.repository.clone(),
            revision: self.revision.clone(),
            file: file.into(),
        }
    }

    /// Paths of its files in the cache.
    ///
    /// # Errors
    /// When no folder is known for the cache.
    pub fn kept(&self) -> Result<Vec<String>, HubError> {
        let (cache, repo) = (cache()?, self.repo());
        let folder = cache.path().join(repo.folder_name());
        let commit = std::fs::read_to_string(folder.join("refs").join(repo.revision()));
        let commit = commit.unwrap_or_else(|_| repo.revision().into());
        Ok(files_below(&folder.join("snapshots").join(commit.trim())))
    }

    /// Paths of its files, as the server lists them.
    ///
    /// # Errors
    /// When the server cannot be asked, or has no such repository.
    pub fn listed(&self) -> Result<Vec<String>, HubError> {
        let address = self.address();
        let client = connect(&address)?;
        let listed = patiently(|| list(&client, &self.repo())).map_err(|e| failed(address, e))?;
        Ok(listed.siblings.into_iter().map(|s| s.rfilename).collect())
    }

    /// The file with the weights: the preferred one of those that there are.
    ///
    /// # Errors
    /// When the files cannot be listed, or none has one of the usual names.
    pub fn weights(&self) -> Result<HubFile, HubError> {
        let kept = self.kept()?;
        let first = |files: &[String]| {
            let mut names = WEIGHTS.into_iter();
            names.find(|name| files.iter().any(|file| file == name))
        };
        // Another one that is kept may not be the preferred one of those that the server has.
        let found = first(&kept).filter(|name| *name == WEIGHTS[0] || offline());
        if let Some(name) = found {
            return Ok(self.file(name));
        }
        let files = self.listed()?;
        match first(&files) {
            Some(name) => Ok(self.file(name)),
            None => Err(HubError::NoWeights {
                address: self.address(),
                files: files.into_iter().filter(|f| is_checkpoint(f)).collect(),
            }),
        }
    }

    pub fn address(&self) -> String {
        let revision = self.revision.iter().map(|revision| format!("@{revision}"));
        format!(
            "{SCHEME}{}{}",
            self.repository,
            revision.collect::<String>()
        )
    }

    fn repo(&self) -> Repo {
        let id = self.repository.clone();
        match self.revision.clone() {
            Some(revision) => Repo::with_revision(id, RepoType::Model, revision),
            None => Repo::new(id, RepoType::Model),
        }
    }
}

/// Whether a file's name ends as those of checkpoints do.
pub fn is_checkpoint(file: &str) -> bool {
    let file = file.to_lowercase();
    let mut endings = [".safetensors", ".pt", ".pth", ".bin"].into_iter();
    endings.any(|ending| file.ends_with(ending))
}

/// What the server says about a repository.
fn list(client: &Client, repo: &Repo) -> Result<RepoInfo, Fault> {
    let url = format!("{}/api/{}", client.endpoint, repo.api_url());
    let mut answer = client.get(&url, None)?.last;
    let text = answer.body_mut().read_to_string().map_err(Box::new)?;
    serde_json::from_str(&text).map_err(|e| Fault::NoList(e.into()))
}

/// Paths of the files below a folder; none if it cannot be read.
fn files_below(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if path.is_dir() {
            files.extend(files_below(&path).iter().map(|f| format!("{name}/{f}")));
        } else {
            files.push(name.into_owned());
        }
    }
    files
}
