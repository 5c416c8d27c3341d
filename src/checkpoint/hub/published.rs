//! The weights of the published models, by the models' names.
//!
//! The authors publish them in a folder of a repository, and nowhere say what the files are called.
//! So the one is taken whose name has the model's size as a word: `uta_b.pt`, `eva_base_p16.pth`.
//! That its tensors are the model's is checked when it is opened, as for any checkpoint.

use std::path::Path;

use hf_hub::api::RepoInfo;
use hf_hub::{Cache, Repo, RepoType};

use super::client::{Client, Fault, patiently};
use super::{HubError, HubFile, SCHEME, cache, connect, failed};
use crate::model::ModelConfig;
use crate::model::config::Published;

/// Where the paper's authors publish the weights.
const REPOSITORY: &str = "jjjjh/UTA";
/// The folder that the README of `jihaonew/UTA` links.
const FOLDER: &str = "checkpoints";
/// Endings of checkpoints.
const ENDINGS: [&str; 4] = [".safetensors", ".pt", ".pth", ".bin"];

/// A published model, whose weights are looked for among the files of its authors' repository.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedModel {
    name: String,
    published: Published,
}

impl PublishedModel {
    /// Reads a model's name, the reference's or the published one; an existing path is none.
    pub fn parse(path: &Path) -> Option<Self> {
        let config = ModelConfig::by_name(path.to_str()?)?;
        (!path.exists()).then_some(Self {
            published: config.published?,
            name: config.name,
        })
    }

    /// The file with the weights: one in the cache or, where none of them fits, one that the server
    /// lists.
    ///
    /// # Errors
    /// When the files cannot be listed, or not exactly one of them fits.
    pub fn find(&self) -> Result<HubFile, HubError> {
        let (cache, repo) = (cache(), Repo::new(REPOSITORY.into(), RepoType::Model));
        if let Some(file) = self.fitting(&kept(&cache, &repo)) {
            return Ok(file);
        }
        let address = format!("{SCHEME}{REPOSITORY}");
        let client = connect(&cache, &address)?;
        let listed = patiently(|| list(&client, &repo));
        let files = listed.map_err(|fault| failed(address.clone(), fault))?;
        self.fitting(&files).ok_or_else(|| HubError::Unclear {
            address,
            model: self.name.clone(),
            files: files.into_iter().filter(|f| is_checkpoint(f)).collect(),
        })
    }

    /// The file whose name has the model's size as a word, if there is one and no other.
    fn fitting(&self, files: &[String]) -> Option<HubFile> {
        let mut fitting = files.iter().filter(|file| {
            let name = file.rsplit('/').next().unwrap_or(file).to_lowercase();
            let mut words = name.split(|c: char| !c.is_alphanumeric());
            is_checkpoint(file) && words.any(|word| self.published.size_words.contains(&word))
        });
        let (file, None) = (fitting.next()?, fitting.next()) else {
            return None;
        };
        Some(HubFile {
            repository: REPOSITORY.into(),
            revision: None,
            file: file.clone(),
        })
    }
}

fn is_checkpoint(file: &str) -> bool {
    let file = file.to_lowercase();
    ENDINGS.iter().any(|ending| file.ends_with(ending))
}

/// The files of the folder that are in the cache; none if it cannot be read.
fn kept(cache: &Cache, repo: &Repo) -> Vec<String> {
    let kept = cache.path().join(repo.folder_name());
    let commit = std::fs::read_to_string(kept.join("refs").join(repo.revision()));
    let snapshot = kept
        .join("snapshots")
        .join(commit.unwrap_or_default().trim());
    let entries = std::fs::read_dir(snapshot.join(FOLDER))
        .into_iter()
        .flatten();
    let names = entries.flatten().map(|entry| entry.file_name());
    names
        .map(|name| format!("{FOLDER}/{}", name.to_string_lossy()))
        .collect()
}

/// All files of a repository, as the server says.
fn list(client: &Client, repo: &Repo) -> Result<Vec<String>, Fault> {
    let url = format!("{}/api/{}", client.endpoint, repo.api_url());
    let mut answer = client.get(&url, None)?.last;
    let text = answer.body_mut().read_to_string().map_err(Box::new)?;
    let info: RepoInfo = serde_json::from_str(&text).map_err(|e| Fault::NoList(e.into()))?;
    Ok(info.siblings.into_iter().map(|s| s.rfilename).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitting(model: &str, files: &[&str]) -> Option<String> {
        let model = PublishedModel::parse(Path::new(model)).unwrap();
        let files: Vec<String> = files.iter().map(ToString::to_string).collect();
        model.fitting(&files).map(|file| file.file)
    }

    #[test]
    fn a_models_file_is_known_by_its_size_as_a_word() {
        for files in [
            [
                "checkpoints/uta_b.pt",
                "checkpoints/uta_l_pix336.pt",
                "checkpoints/uta_g_pix336.pt",
            ],
            [
                "UTA-base.safetensors",
                "UTA-large-336.safetensors",
                "UTA-giant-336.safetensors",
            ],
            [
                "eva_base_p16.pth",
                "eva_large_p14_336.pth",
                "eva_giant_p14_336.pth",
            ],
        ] {
            let others = [
                "README.md",
                "images/b.png",
                "base/config.json",
                "b_notes.txt",
            ];
            let all = [&files[..], &others].concat();
            for (model, file) in ["UTA-B", "eva_large_p14_336", "uta-g-pix336"]
                .iter()
                .zip(files)
            {
                assert_eq!(fitting(model, &all).as_deref(), Some(file));
            }
        }
    }

    #[test]
    fn no_file_or_several_are_not_chosen_among() {
        assert_eq!(fitting("UTA-B", &["uta_l.pt", "absolute.pt"]), None);
        assert_eq!(fitting("UTA-B", &["uta_b.pt", "uta_b_ema.pt"]), None);
    }

    #[test]
    fn other_names_and_existing_paths_are_no_published_models() {
        for path in [
            "uta_demo",
            "uta_b.pt",
            "/etc/UTA-B",
            "hf://jjjjh/UTA/uta_b.pt",
        ] {
            assert_eq!(PublishedModel::parse(Path::new(path)), None);
        }
    }
}
