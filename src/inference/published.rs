//! The weights of the published models, by the models' names.

use std::path::Path;

use crate::checkpoint::hub::{HubError, HubFile, HubRepository, is_checkpoint};
use crate::model::ModelConfig;
use crate::model::config::Published;

/// Where the paper's authors publish the weights.
const REPOSITORY: &str = "jjjjh/UTA";
/// A published model, whose weights are looked for among the files of its authors' repository.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedModel {
    name: String,
    published: Published,
}

impl PublishedModel {
    /// The model's configuration name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads a model's name, the reference's or the published one; an existing path is none.
    pub fn parse(path: &Path) -> Option<Self> {
        let config = ModelConfig::by_name(path.to_str()?)?;
        (!path.exists()).then_some(Self {
            published: config.published?,
            name: config.name,
        })
    }

    /// The file with the weights: one of those in the cache or, where none of them fits, of those
    /// that the server lists.
    ///
    /// The files' names are known to the server alone, so the one is taken whose name has the
    /// model's size as a word: `uta_b.pt`, `eva_base_p16.safetensors`. That its tensors are the
    /// model's is checked when it is opened, as for any checkpoint.
    ///
    /// # Errors
    /// When the files cannot be listed, or not exactly one of them fits.
    pub fn find(&self) -> Result<HubFile, HubError> {
        let repository = HubRepository {
            repository: REPOSITORY.into(),
            revision: None,
        };
        if let [file] = self.fitting(&repository.kept()?)[..] {
            return Ok(repository.file(file));
        }
        let files = repository.listed()?;
        match self.fitting(&files)[..] {
            [file] => Ok(repository.file(file)),
            _ => Err(HubError::Unclear {
                address: repository.address(),
                model: self.name.clone(),
                files: files.into_iter().filter(|f| is_checkpoint(f)).collect(),
            }),
        }
    }

    fn fitting<'a>(&self, files: &'a [String]) -> Vec<&'a str> {
        let fits = |file: &&str| {
            let name = file.rsplit('/').next().unwrap_or(file).to_lowercase();
            let mut words = name.split(|c: char| !c.is_alphanumeric());
            is_checkpoint(file) && words.any(|word| self.published.size_words.contains(&word))
        };
        files.iter().map(String::as_str).filter(fits).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitting(model: &str, files: &[&str]) -> Vec<String> {
        let model = PublishedModel::parse(Path::new(model)).unwrap();
        let files: Vec<String> = files.iter().map(ToString::to_string).collect();
        model.fitting(&files).into_iter().map(Into::into).collect()
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
                assert_eq!(fitting(model, &all), [file]);
            }
        }
    }

    #[test]
    fn no_file_or_several_are_not_chosen_among() {
        assert!(fitting("UTA-B", &["uta_l.pt", "absolute.pt"]).is_empty());
        assert_eq!(fitting("UTA-B", &["uta_b.pt", "uta_b_ema.pt"]).len(), 2);
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
