//! Which configuration a run has, and what decided it: a flag, a description beside the weights, or the
//! shapes of the tensors.

use std::path::{Path, PathBuf};

use super::loading::Location;
use super::published::PublishedModel;
use super::{Progress, identity, loading, weights};
use crate::checkpoint::hub::{HubError, HubFile, SCHEME};
use crate::checkpoint::{Checkpoint, CheckpointError, within};
use crate::model::ModelConfig;
use crate::model::config::{
    ConfigError, Mlp, OPEN_CLIP_CONFIG, TRANSFORMERS_CONFIG, TRANSFORMERS_PREPROCESSOR,
};
use crate::model::published::{Pretrained, Told, gelu_told_by};
use crate::util::brief;
use crate::util::count::count;
use crate::util::escape::Shown;
use crate::util::usage::UsageError;
use crate::util::warning::Warning;

/// Why no model is chosen.
#[derive(Debug, thiserror::Error)]
pub enum ChoiceError {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error(transparent)]
    Model(#[from] ConfigError),
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl From<HubError> for ChoiceError {
    fn from(error: HubError) -> Self {
        Self::Checkpoint(error.into())
    }
}

/// What the flags say.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// `--model`
    pub model: Option<&'a str>,
    /// `--pretrained`
    pub pretrained: Option<&'a str>,
    /// `--ckpt-path`
    pub checkpoint: Option<&'a Path>,
    /// `--weights`
    pub weights: Option<&'a str>,
}

/// A configuration, and where its weights are.
#[derive(Debug, Clone)]
pub struct Chosen {
    pub config: ModelConfig,
    /// A path, or the address of a file on the hub.
    pub checkpoint: PathBuf,
    /// The key of the weights that are meant, if it is said.
    pub weights: Option<String>,
    /// What decided the configuration, in words.
    pub decided_by: String,
    /// Which published weights these are, where the flags or the checkpoint's place tell.
    pub pretrained: Option<&'static Pretrained>,
    pub warnings: Vec<Warning>,
}

impl Chosen {
    /// Where the weights are.
    pub fn location(&self) -> Location<'_> {
        Location {
            path: &self.checkpoint,
            weights: self.weights.as_deref(),
        }
    }
}

/// Chooses.
///
/// # Errors
/// As [`Named::by`] and [`Named::choose`].
pub fn choose(asked: Asked<'_>, progress: &mut dyn Progress) -> Result<Chosen, ChoiceError> {
    Named::by(asked)?.choose(progress)
}

/// What the flags name, before anything of the checkpoint is looked at.
#[derive(Debug)]
pub struct Named<'a> {
    asked: Asked<'a>,
    model: Option<ModelConfig>,
    pretrained: Option<&'static Pretrained>,
    /// A path, or the address of a file or a repository on the hub.
    pub checkpoint: PathBuf,
}

impl<'a> Named<'a> {
    /// What these flags name.
    ///
    /// # Errors
    /// When they name no model or weights. The flags are wrong then, whatever the checkpoint is.
    pub fn by(asked: Asked<'a>) -> Result<Self, ChoiceError> {
        let mut model = asked
            .model
            .map(ModelConfig::from_name_or_file)
            .transpose()?;
        let pretrained = asked
            .pretrained
            .map(|tag| published(model.as_ref(), tag))
            .transpose()?;
        let checkpoint = match (pretrained, asked.checkpoint) {
            (_, Some(path)) => within(path),
            (Some(known), None) => PathBuf::from(format!("{SCHEME}{}", known.repository)),
            (None, None) => {
                return Err(
                    UsageError::new("--ckpt-path is missing", "see uta-eval --help").into(),
                );
            }
        };
        // open_clip gives OpenAI's weights QuickGELU under every name.
        if let (Some(known), Some(config)) = (pretrained, &model)
            && known.tag == "openai"
            && config.text.transformer.mlp != known.gelu
            && let Some(other) = config.other_gelu()
        {
            model = Some(other.clone());
        }
        Ok(Self {
            asked,
            model,
            pretrained,
            checkpoint,
        })
    }

    /// The name of the model, if the flags say which it is.
    pub fn model(&self) -> Option<&str> {
        self.model.as_ref().map(|config| config.name.as_str())
    }

    /// Chooses.
    ///
    /// # Errors
    /// When the checkpoint cannot be opened, a description beside it cannot be used, or its shapes fit no
    /// model or several. The checkpoint is at fault then, and others may be evaluated with the same flags.
    pub fn choose(&self, progress: &mut dyn Progress) -> Result<Chosen, ChoiceError> {
        let (asked, path) = (self.asked, &self.checkpoint);
        // A published model that is only named is looked for when it is opened.
        let of_paper = PublishedModel::parse(path);
        let hub = match of_paper {
            Some(_) => None,
            None => loading::hub_file(path)?,
        };
        let checkpoint = hub
            .as_ref()
            .map_or_else(|| path.clone(), |file| file.address().into());
        let (mut config, mut decided_by) = match (&self.model, of_paper) {
            (Some(config), _) => (config.clone(), "--model".to_string()),
            (None, Some(model)) => {
                let config = ModelConfig::from_name_or_file(model.name())?;
                (config, "the checkpoint's name".to_string())
            }
            (None, None) => match beside(hub.as_ref(), &checkpoint)? {
                Some(found) => found,
                None => {
                    let location = Location {
                        path: &checkpoint,
                        weights: asked.weights,
                    };
                    by_shapes(location, progress)?
                }
            },
        };
        let by_description = decided_by.ends_with(".json");
        let described = asked
            .model
            .is_some_and(|m| ModelConfig::by_name(m).is_none());
        let pretrained = self.pretrained.or_else(|| match &hub {
            Some(file) => Pretrained::by_repository(&file.repository),
            None => of_repository(&checkpoint),
        });
        if let Some(known) = pretrained
            && !by_description
            && !described
        {
            let prepared = known.prepare(config.clone());
            if prepared.preprocessing != config.preprocessing {
                config = prepared;
                decided_by += &format!("; pictures are prepared as {} wants it", known.repository);
            }
        }
        let model = asked.model.map(|model| names(Path::new(model)));
        let names = format!("{} {}", names(&checkpoint), model.unwrap_or_default());
        let told = gelu_told_by(&names, &config).or_else(|| by_openais_keys(&checkpoint, &config));
        let warning = told.and_then(|told| gelu_warning(told, &config));
        Ok(Chosen {
            warnings: warning.into_iter().collect(),
            config,
            checkpoint,
            weights: asked.weights.map(Into::into),
            decided_by,
            pretrained,
        })
    }
}

/// The weights that a tag means.
fn published(config: Option<&ModelConfig>, tag: &str) -> Result<&'static Pretrained, ChoiceError> {
    let Some(config) = config else {
        return Err(UsageError::new(
            "--pretrained is about the weights of a model that --model names",
            "for instance --model ViT-B-32 --pretrained openai",
        )
        .into());
    };
    Pretrained::by_tag(&config.name, tag).ok_or_else(|| {
        let all = Pretrained::all().iter();
        let of_model = all.filter(|known| known.model == config.name);
        ChoiceError::from(ConfigError::UnknownTag {
            model: config.name.clone(),
            tag: tag.into(),
            known: of_model.map(|known| known.tag.to_string()).collect(),
        })
    })
}

/// The description in the folder of a file with weights, and its name.
///
/// # Errors
/// When there is one that cannot be used.
pub fn description_beside(path: &Path) -> Result<Option<(ModelConfig, String)>, ChoiceError> {
    match PublishedModel::parse(path) {
        Some(_) => Ok(None),
        None => beside(loading::hub_file(path)?.as_ref(), path),
    }
}

fn beside(
    hub: Option<&HubFile>,
    checkpoint: &Path,
) -> Result<Option<(ModelConfig, String)>, ChoiceError> {
    let find = |name: &str| match hub {
        Some(file) => fetch(&file.beside(name)),
        None => {
            let path = checkpoint.with_file_name(name);
            Ok(path.is_file().then_some(path))
        }
    };
    let said = |name: &str| format!("the checkpoint's {name}");
    if let Some(path) = find(OPEN_CLIP_CONFIG)? {
        return Ok(Some((
            ModelConfig::from_file(&path)?,
            said(OPEN_CLIP_CONFIG),
        )));
    }
    // Alone, a file of so common a name may be anything's.
    let (Some(path), Some(preprocessor)) =
        (find(TRANSFORMERS_CONFIG)?, find(TRANSFORMERS_PREPROCESSOR)?)
    else {
        return Ok(None);
    };
    let config = ModelConfig::from_file(&path)?.with_preprocessor(&preprocessor)?;
    Ok(Some((config, said(TRANSFORMERS_CONFIG))))
}

/// A file that a repository may have.
fn fetch(file: &HubFile) -> Result<Option<PathBuf>, ChoiceError> {
    match file.fetch(&mut |_, _| ()) {
        Ok(path) => Ok(Some(path)),
        Err(HubError::NotFound { .. } | HubError::Offline { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The one built-in model whose file has these tensors, or nearly.
fn by_shapes(
    location: Location<'_>,
    progress: &mut dyn Progress,
) -> Result<(ModelConfig, String), ChoiceError> {
    let path = location.path;
    let said = "the shapes of the tensors".to_string();
    let checkpoint = loading::open(location, progress)?;
    let fitting = identity::fitting(&checkpoint);
    if let [config] = fitting[..] {
        return Ok((config.clone(), said));
    }
    if let Some(first) = fitting.first() {
        let told = gelu_told_by(&names(path), first).or_else(|| openai(&checkpoint));
        let of_kind = |told: &Mlp| {
            let mut all = fitting.iter();
            all.find(|config| config.text.transformer.mlp == *told)
        };
        if let Some(told) = told
            && let Some(config) = of_kind(&told.gelu)
        {
            let config = (*config).clone();
            return Ok((config, format!("{said}, and the name \"{}\"", told.by)));
        }
        return Err(ConfigError::Ambiguous {
            path: path.shown().to_string(),
            names: fitting.iter().map(|config| config.name.clone()).collect(),
        }
        .into());
    }
    // What is missing or too much is told when it is opened for this model.
    if let Some(near) = identity::looks_like(&checkpoint) {
        return Ok((near, said));
    }
    Err(CheckpointError::Unrecognised {
        path: path.into(),
        found: described(&checkpoint),
        prefix: extra_prefix(&checkpoint),
    }
    .into())
}

/// What tells a checkpoint from others: its dimensions or, where they cannot be read, its keys.
fn described(checkpoint: &Checkpoint) -> String {
    if let Some(dimensions) = identity::Dimensions::of(checkpoint) {
        return dimensions.to_string();
    }
    let keys: Vec<&str> = checkpoint.entries().map(|entry| entry.name).collect();
    format!("{}: {}", count(keys.len(), "tensor"), brief::few(&keys))
}

/// What stands in front of the names of a built-in model's tensors.
fn extra_prefix(checkpoint: &Checkpoint) -> Option<String> {
    ModelConfig::built_in().iter().find_map(|config| {
        let mismatch = weights::fit(checkpoint, config).err()?;
        mismatch.extra_prefix().map(Into::into)
    })
}

/// What the keys of a file tell of a model that may have either kind of GELU. A file that cannot be opened
/// tells nothing here: what opens it for the computation says why.
fn by_openais_keys(path: &Path, config: &ModelConfig) -> Option<Told> {
    let either = config.other_gelu().is_some() && path.is_file();
    openai(&either.then(|| Checkpoint::open(path).ok()).flatten()?)
}

/// OpenAI's own files have keys that no others have, and QuickGELU.
fn openai(checkpoint: &Checkpoint) -> Option<Told> {
    let mut keys = ["input_resolution", "context_length", "vocab_size"].into_iter();
    keys.all(|key| checkpoint.get(key).is_some()).then(|| Told {
        gelu: Mlp::QuickGelu,
        by: "input_resolution".into(),
    })
}

/// The published weights whose repository a folder is named after, as the hub's cache and copies of a
/// repository are.
fn of_repository(checkpoint: &Path) -> Option<&'static Pretrained> {
    let folders = checkpoint.parent()?.iter().filter_map(|part| part.to_str());
    let mut folders: Vec<&str> = folders.collect();
    folders.reverse();
    folders.into_iter().find_map(|folder| {
        let cached = folder.strip_prefix("models--");
        let cached = cached.map(|cached| cached.replacen("--", "/", 1));
        match cached {
            Some(repository) => Pretrained::by_repository(&repository),
            None => Pretrained::all().iter().find(|known| {
                let (_, name) = known.repository.split_once('/').unwrap_or_default();
                name.eq_ignore_ascii_case(folder)
            }),
        }
    })
}

/// What may tell how the weights were trained: an address; of a path, the file's and its folder's names
/// and, in the hub's cache, the repository's.
fn names(checkpoint: &Path) -> String {
    if let Some(address) = checkpoint.to_str().filter(|path| path.starts_with(SCHEME)) {
        return address.into();
    }
    let parts: Vec<_> = checkpoint
        .iter()
        .map(|part| part.to_string_lossy())
        .collect();
    let last = parts.len().saturating_sub(2);
    let telling = parts
        .iter()
        .enumerate()
        .filter(|(i, part)| *i >= last || part.starts_with("models--"));
    telling
        .map(|(_, part)| part.as_ref())
        .collect::<Vec<_>>()
        .join("/")
}

/// Warns where the model has another kind of GELU than is told.
fn gelu_warning(told: Told, config: &ModelConfig) -> Option<Warning> {
    let has = config.text.transformer.mlp;
    (told.gelu != has).then(|| Warning::OtherGelu {
        model: config.name.clone(),
        has: match has {
            Mlp::QuickGelu => "QuickGELU",
            _ => "GELU in its erf form",
        },
        by: told.by,
        meant: match config.other_gelu() {
            Some(other) => format!("--model {}", other.name),
            None => "a description with the other kind".into(),
        },
    })
}
