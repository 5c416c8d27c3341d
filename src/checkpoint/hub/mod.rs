//! Files of the Hugging Face Hub: `hf://owner/repo[@revision]/path`, in the cache that the Python tools
//! use. The only module that uses the network, and only for such an address.

mod certificates;
mod client;
mod environment;
mod repository;
mod transfer;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use hf_hub::{Cache, Repo, RepoType};

use crate::checkpoint::folder::INDEX;
use crate::checkpoint::shards;
use crate::util::brief;

use client::{Client, Fault, patiently};
use environment::{endpoint, offline};

use crate::util::warning::Warning;

pub use repository::{HubRepository, is_checkpoint};

/// What the user should know of a download and was not told yet.
static UNTOLD: Mutex<Option<Warning>> = Mutex::new(None);

fn tell(warning: Warning) {
    if let Ok(mut untold) = UNTOLD.lock() {
        *untold = Some(warning);
    }
}

/// What the user should know of the downloads so far. Each is given once.
pub fn warning() -> Option<Warning> {
    UNTOLD.lock().ok()?.take()
}

/// What addresses begin with.
pub const SCHEME: &str = "hf://";

/// A file of a model repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubFile {
    pub repository: String,
    /// A branch, tag or commit.
    pub revision: Option<String>,
    pub file: String,
}

/// Why a checkpoint cannot be downloaded.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    #[error("{address} is no address of a file: it must be hf://OWNER/REPOSITORY[@REVISION]/FILE")]
    Address { address: String },
    #[error("{address} is not in the cache, and HF_HUB_OFFLINE forbids downloading it")]
    Offline { address: String },
    #[error(
        "which file of {address} has the weights of {model} is not clear; its checkpoints are: {}",
        brief::list(files)
    )]
    Unclear {
        address: String,
        model: String,
        files: Vec<String>,
    },
    #[error(
        "{address} has no file of weights with one of the usual names; its checkpoints are: {}",
        brief::list(files)
    )]
    NoWeights { address: String, files: Vec<String> },
    #[error("{address} does not exist at {endpoint}")]
    NotFound { address: String, endpoint: String },
    #[error("{address} may not be read without a token that has access")]
    Forbidden { address: String },
    #[error("the server refuses {address} for now: too many requests{}", waiting(*retry_after))]
    TooManyRequests {
        address: String,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    #[error("{address} cannot be downloaded")]
    Failed { address: String, source: Fault },
    #[error("the download of {address} is damaged: {detail}")]
    Damaged { address: String, detail: String },
    #[error("{address} cannot be downloaded")]
    NoHub { address: String, source: Fault },
    #[error("{address} cannot be downloaded")]
    Untrusted { address: String, source: Fault },
    #[error("no folder is known for downloads: neither a home folder nor a variable says it")]
    NoFolder,
    #[error("{address} cannot be kept")]
    Disk { address: String, source: Fault },
}

fn waiting(retry_after: Option<Duration>) -> String {
    retry_after.map_or(String::new(), |wait| {
        format!("; it asks to wait {} s", wait.as_secs())
    })
}

impl HubError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Address { .. } => {
                "for instance hf://jjjjh/UTA/checkpoints/FILE; the repository's page lists its files"
            }
            Self::Unclear { .. } | Self::NoWeights { .. } => {
                "give the file's address: hf://OWNER/REPOSITORY/FILE"
            }
            Self::Offline { .. } => "run once without HF_HUB_OFFLINE, or name a local file",
            Self::NotFound { .. } => "check the names; a private repository needs HF_TOKEN",
            Self::Forbidden { .. } => "set HF_TOKEN, and accept the repository's terms on its page",
            Self::TooManyRequests { .. } => {
                "wait a few minutes; a token in HF_TOKEN raises the limit"
            }
            Self::Failed { .. } => "run it again: the download goes on where it ended",
            Self::Damaged { .. } => "it was removed; run it again, or check HF_ENDPOINT",
            Self::NoHub { .. } => {
                "no Hugging Face Hub answers so; check HF_ENDPOINT, and whether a proxy or a login page answers in its place"
            }
            Self::Untrusted {
                source: Fault::Bundle { .. },
                ..
            } => "name a PEM file of certificates or a folder of such files, or unset the variable",
            Self::Untrusted { .. } => {
                "behind a proxy that reads along, name its certificate: SSL_CERT_FILE=FILE.pem; otherwise somebody may pose as the server"
            }
            Self::NoFolder => "set HF_HOME to a folder that may be written to",
            Self::Disk { .. } => {
                "check that the cache folder may be written to and the disk has space; HF_HOME names another one"
            }
        }
    }
}

impl HubFile {
    /// Reads an address; a path without `hf://` is none.
    ///
    /// # Errors
    /// When it begins with `hf://` and names no file.
    pub fn parse(path: &Path) -> Result<Option<Self>, HubError> {
        let Some((address, rest)) = path
            .to_str()
            .and_then(|address| Some((address, address.strip_prefix(SCHEME)?)))
        else {
            return Ok(None);
        };
        let mut parts = rest.splitn(3, '/');
        let (owner, repository, file) = (parts.next(), parts.next(), parts.next());
        let sound = |part: &&str| {
            !part.is_empty() && part.split('/').all(|name| !matches!(name, "" | "." | ".."))
        };
        match (
            owner.filter(sound),
            repository.filter(sound),
            file.filter(sound),
        ) {
            (Some(owner), Some(repository), Some(file)) => {
                let (repository, revision) = match repository.split_once('@') {
                    Some((repository, revision)) => (repository, Some(revision)),
                    None => (repository, None),
                };
                if repository.is_empty() || revision.is_some_and(str::is_empty) {
                    return Err(HubError::Address {
                        address: address.into(),
                    });
                }
                Ok(Some(Self {
                    repository: format!("{owner}/{repository}"),
                    revision: revision.map(Into::into),
                    file: file.into(),
                }))
            }
            _ => Err(HubError::Address {
                address: address.into(),
            }),
        }
    }

    /// A file of the same folder.
    pub fn beside(&self, name: &str) -> Self {
        let folder = self.file.rsplit_once('/').map(|(folder, _)| folder);
        Self {
            file: folder.map_or(name.into(), |folder| format!("{folder}/{name}")),
            ..self.clone()
        }
    }

    /// The address.
    pub fn address(&self) -> String {
        let revision = self.revision.iter().map(|revision| format!("@{revision}"));
        format!(
            "{SCHEME}{}{}/{}",
            self.repository,
            revision.collect::<String>(),
            self.file
        )
    }

    /// The file in the cache, downloaded if it is not there; of a checkpoint in several files, all of them.
    ///
    /// # Errors
    /// When one cannot be downloaded, or what came is not what the server announced.
    pub fn fetch_all(&self, progress: &mut dyn FnMut(usize, usize)) -> Result<PathBuf, HubError> {
        let path = self.fetch(progress)?;
        if !self.file.ends_with(INDEX) {
            return Ok(path);
        }
        // All of the commit that the list is of.
        let commit = path.ancestors().nth(self.file.split('/').count());
        let commit = commit.and_then(|folder| Some(folder.file_name()?.to_str()?.to_string()));
        for file in shards::listed(&path) {
            let file = self.beside(&file);
            let revision = commit.clone().or(file.revision.clone());
            HubFile { revision, ..file }.fetch(progress)?;
        }
        Ok(path)
    }

    /// The file in the cache, downloaded if it is not there.
    ///
    /// # Errors
    /// When it cannot be downloaded, or what came is not what the server announced.
    pub fn fetch(&self, progress: &mut dyn FnMut(usize, usize)) -> Result<PathBuf, HubError> {
        let cache = cache()?;
        let id = self.repository.clone();
        let repo = match self.revision.clone() {
            Some(revision) => Repo::with_revision(id, RepoType::Model, revision),
            None => Repo::new(id, RepoType::Model),
        };
        let kept = cache.repo(repo.clone());
        let of_commit = kept.pointer_path(repo.revision()).join(&self.file);
        if of_commit.exists() {
            return Ok(of_commit);
        }
        if let Some(path) = kept.get(&self.file) {
            return Ok(path);
        }
        let address = self.address();
        let client = connect(&address)?;
        patiently(|| transfer::fetch(&client, &cache, &repo, &self.file, progress))
            .map_err(|fault| failed(address, fault))
    }
}

/// The cache that the Python tools use.
fn cache() -> Result<Cache, HubError> {
    environment::cache_folder()
        .map(Cache::new)
        .ok_or(HubError::NoFolder)
}

/// The server, for what is not in the cache.
fn connect(address: &str) -> Result<Client, HubError> {
    if offline() {
        return Err(HubError::Offline {
            address: address.into(),
        });
    }
    Client::new().map_err(|fault| failed(address.into(), fault))
}

fn failed(address: String, fault: Fault) -> HubError {
    match fault {
        Fault::Status { code: 404, .. } => HubError::NotFound {
            address,
            endpoint: endpoint(),
        },
        Fault::Status {
            code: 401 | 403, ..
        } => HubError::Forbidden { address },
        Fault::Status {
            code: 429,
            retry_after,
        } => HubError::TooManyRequests {
            address,
            retry_after,
        },
        Fault::Damaged(detail) => HubError::Damaged { address, detail },
        source @ Fault::Disk { .. } => HubError::Disk { address, source },
        source @ (Fault::Certificate { .. } | Fault::Bundle { .. }) => {
            HubError::Untrusted { address, source }
        }
        source @ (Fault::Status { .. } | Fault::Request(_) | Fault::Broken(_)) => {
            HubError::Failed { address, source }
        }
        source => HubError::NoHub { address, source },
    }
}
