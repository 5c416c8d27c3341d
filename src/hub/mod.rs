//! Checkpoints of the Hugging Face Hub: `hf://owner/repo[@revision]/path`, or the name of a published
//! model, in the cache that the Python tools use. The only module that uses the network, and only
//! for such an address.

mod published;

use std::path::{Path, PathBuf};
use std::time::Duration;

use hf_hub::api::Progress;
use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};
use sha2::{Digest, Sha256};

pub use published::PublishedModel;

/// What addresses begin with.
pub const SCHEME: &str = "hf://";
/// Waits between attempts after a fault that may pass. Each attempt goes on where the last ended.
const WAITS: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(8),
];

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
    #[error("which file of {address} has the weights of {model} is not clear; its checkpoints are: {}", files.join(", "))]
    Unclear {
        address: String,
        model: String,
        files: Vec<String>,
    },
    #[error("{address} does not exist at {endpoint}")]
    NotFound { address: String, endpoint: String },
    #[error("{address} may not be read without a token that has access")]
    Forbidden { address: String },
    #[error("the server refuses {address} for now: too many requests")]
    TooManyRequests { address: String },
    #[error("{address} cannot be downloaded")]
    Failed {
        address: String,
        source: Box<ApiError>,
    },
    #[error("the download of {address} is damaged: {detail}")]
    Damaged { address: String, detail: String },
    #[error("the download of {address} cannot be removed from {}", path.display())]
    Unremovable {
        address: String,
        path: PathBuf,
        source: std::io::Error,
    },
}

impl HubError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Address { .. } => {
                "for instance hf://jjjjh/UTA/checkpoints/FILE; the repository's page lists its files"
            }
            Self::Unclear { .. } => "give the file's address: hf://OWNER/REPOSITORY/FILE",
            Self::Offline { .. } => "run once without HF_HUB_OFFLINE, or name a local file",
            Self::NotFound { .. } => "check the names; a private repository needs HF_TOKEN",
            Self::Forbidden { .. } => "set HF_TOKEN, and accept the repository's terms on its page",
            Self::TooManyRequests { .. } => {
                "wait a few minutes; a token in HF_TOKEN raises the limit"
            }
            Self::Failed { .. } => "run it again: the download goes on where it ended",
            Self::Damaged { .. } => "it was removed; run it again, or check HF_ENDPOINT",
            Self::Unremovable { .. } => "remove it by hand before the next run",
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

    fn address(&self) -> String {
        let revision = self.revision.iter().map(|revision| format!("@{revision}"));
        format!(
            "{SCHEME}{}{}/{}",
            self.repository,
            revision.collect::<String>(),
            self.file
        )
    }

    /// The file in the cache, downloaded if it is not there.
    ///
    /// # Errors
    /// When it cannot be downloaded, or what came is not what the server announced.
    pub fn fetch(&self, progress: &mut dyn FnMut(usize, usize)) -> Result<PathBuf, HubError> {
        let cache = cache();
        let id = self.repository.clone();
        let repo = match self.revision.clone() {
            Some(revision) => Repo::with_revision(id, RepoType::Model, revision),
            None => Repo::new(id, RepoType::Model),
        };
        if let Some(path) = cache.repo(repo.clone()).get(&self.file) {
            return Ok(path);
        }
        let address = self.address();
        let api = connect(cache, repo, &address)?;
        patiently(|| self.attempt(&api, progress))
    }

    fn attempt(
        &self,
        api: &ApiRepo,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<PathBuf, HubError> {
        let mut announced = 0;
        let counter = Counter {
            total: &mut announced,
            done: 0,
            tell: progress,
        };
        let path = api
            .download_with_progress(&self.file, counter)
            .map_err(|e| failed(self.address(), e))?;
        // The library does not compare what came with what was announced.
        match damage(&path, announced) {
            None => Ok(path),
            Some(detail) => {
                let blob = path.canonicalize().unwrap_or_else(|_| path.clone());
                for file in [&path, &blob] {
                    match std::fs::remove_file(file) {
                        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                            return Err(HubError::Unremovable {
                                address: self.address(),
                                path: file.clone(),
                                source,
                            });
                        }
                        _ => {}
                    }
                }
                Err(HubError::Damaged {
                    address: self.address(),
                    detail,
                })
            }
        }
    }
}

/// The cache that the Python tools use.
fn cache() -> Cache {
    match std::env::var_os("HF_HUB_CACHE") {
        Some(folder) => Cache::new(folder.into()),
        None => Cache::from_env(),
    }
}

/// The repository at the server, for what is not in the cache.
fn connect(cache: Cache, repo: Repo, address: &str) -> Result<ApiRepo, HubError> {
    if is_set("HF_HUB_OFFLINE") {
        return Err(HubError::Offline {
            address: address.into(),
        });
    }
    let token = std::env::var("HF_TOKEN").ok().or_else(|| cache.token());
    let mut builder = ApiBuilder::from_cache(cache).with_token(token);
    if let Ok(endpoint) = std::env::var("HF_ENDPOINT") {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/').into());
    }
    let api = builder.build().map_err(|e| failed(address.into(), e))?;
    Ok(api.repo(repo))
}

/// Tries again, after a while, what failed and may pass.
fn patiently<T>(mut attempt: impl FnMut() -> Result<T, HubError>) -> Result<T, HubError> {
    let mut waits = WAITS.iter();
    loop {
        match (attempt(), waits.next()) {
            (Err(HubError::Failed { source, .. }), Some(wait)) if may_pass(&source) => {
                std::thread::sleep(*wait);
            }
            (done, _) => return done,
        }
    }
}

fn failed(address: String, error: ApiError) -> HubError {
    match status(&error) {
        Some(404) => HubError::NotFound {
            address,
            endpoint: std::env::var("HF_ENDPOINT")
                .unwrap_or_else(|_| "https://huggingface.co".into()),
        },
        Some(401 | 403) => HubError::Forbidden { address },
        Some(429) => HubError::TooManyRequests { address },
        _ => HubError::Failed {
            address,
            source: Box::new(error),
        },
    }
}

/// As the Python tools read such a variable.
fn is_set(variable: &str) -> bool {
    std::env::var(variable)
        .is_ok_and(|value| matches!(value.to_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE"))
}

fn status(error: &ApiError) -> Option<u16> {
    match error {
        ApiError::RequestError(e) => match e.as_ref() {
            ureq::Error::StatusCode(code) => Some(*code),
            _ => None,
        },
        _ => None,
    }
}

fn may_pass(error: &ApiError) -> bool {
    match error {
        ApiError::RequestError(_) => status(error).is_none_or(|code| code >= 500),
        ApiError::IoError(_) => true,
        _ => false,
    }
}

/// How a file differs from what was announced. Large files' blobs are named by their SHA-256.
fn damage(path: &Path, announced: usize) -> Option<String> {
    let blob = match path.canonicalize() {
        Ok(blob) => blob,
        Err(e) => return Some(e.to_string()),
    };
    let found = blob.metadata().map_or(0, |m| m.len());
    if found != announced as u64 {
        return Some(format!(
            "it has {found} bytes, and {announced} were announced"
        ));
    }
    let name = blob.file_name()?.to_str()?;
    if name.len() != 64 || !name.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut hasher = Sha256::new();
    let copied =
        std::fs::File::open(&blob).and_then(|mut file| std::io::copy(&mut file, &mut hasher));
    if let Err(e) = copied {
        return Some(e.to_string());
    }
    let digest: String = hasher
        .finalize()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    (digest != name.to_lowercase())
        .then(|| format!("its SHA-256 is {digest}, and {name} was announced"))
}

/// Counts bytes for the caller, and remembers the announced length.
struct Counter<'a> {
    total: &'a mut usize,
    done: usize,
    tell: &'a mut dyn FnMut(usize, usize),
}

impl Progress for Counter<'_> {
    fn init(&mut self, size: usize, _: &str) {
        *self.total = size;
        self.done = 0;
    }
    fn update(&mut self, bytes: usize) {
        self.done += bytes;
        (self.tell)(self.done, *self.total);
    }
    fn finish(&mut self) {}
}
