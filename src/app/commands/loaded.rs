//! A checkpoint whose vision towers are loaded, for as many data sets as are evaluated on it.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Instant;

use tracing::info_span;

use crate::app::console::Console;
use crate::app::error::Error;
use crate::app::settings::Evaluate;
use crate::checkpoint::CheckpointError;
use crate::inference::loading;
use crate::inference::weights::Weights;
use crate::inference::zero_shot::ImageEncoder;
use crate::util::warning::Warning;

/// A loaded checkpoint.
pub struct LoadedModel {
    pub weights: Arc<Weights>,
    /// [`Weights::text_fingerprint`].
    pub fingerprint: String,
    /// One for each replica.
    pub encoders: Vec<Arc<ImageEncoder>>,
    /// What loading warned of.
    pub warnings: Vec<Warning>,
    sha256: RefCell<Hash>,
    seconds: Cell<f64>,
}

impl LoadedModel {
    /// Loads the vision towers of the settings' model. `start` is when that began.
    ///
    /// # Errors
    /// Whatever is wrong with the checkpoint.
    pub fn load(
        settings: &Evaluate,
        start: Instant,
        weights: Arc<Weights>,
        console: &mut Console,
    ) -> Result<Self, Error> {
        let config = &settings.model.config;
        let devices = &settings.run.devices;
        let mut warnings = Vec::new();
        console.detail(&format!(
            "the model is {}, by {}; the checkpoint has the layout {}",
            config.display_name(),
            settings.model.decided_by,
            weights.layout.name()
        ));
        if let Some(prefix) = weights.checkpoint.stripped_prefix() {
            console.detail(&format!("every key of the checkpoint begins with {prefix}"));
        }
        let remark = loading::remark(&weights.checkpoint, settings.model.location());
        for warning in settings.model.warnings.iter().chain(&remark) {
            console.warn(warning);
            warnings.push(warning.clone());
        }
        let sha256 = Hash::start(&weights)?;
        console.wait_for("loading the checkpoint");
        // Reading the text tower for its fingerprint takes the time that loading the vision tower
        // takes anyway; and a vision weight that is not a number is found before the long part.
        let (fingerprint, vision) = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("fingerprint".into());
            let fingerprint = thread.spawn_scoped(scope, || {
                let _span = info_span!("fingerprint of the text tower").entered();
                weights.text_fingerprint()
            });
            let warn = &mut |warning| {
                console.warn(&warning);
                warnings.push(warning);
            };
            let vision = loading::vision_towers(&weights, config, devices.replicas(), warn);
            // Where there is no thread for it, it takes its turn.
            let fingerprint = match fingerprint.map(|thread| thread.join()) {
                Ok(Ok(fingerprint)) => fingerprint,
                _ => weights.text_fingerprint(),
            };
            (fingerprint, vision)
        });
        let (fingerprint, vision) = (fingerprint?, vision?);
        let encoders =
            ImageEncoder::for_replicas(vision, &config.preprocessing, devices.replicas())?;
        Ok(Self {
            weights,
            fingerprint,
            encoders: encoders.into_iter().map(Arc::new).collect(),
            warnings,
            sha256: RefCell::new(sha256),
            seconds: Cell::new(start.elapsed().as_secs_f64()),
        })
    }

    /// Waits for the SHA-256 of the checkpoint's file.
    ///
    /// # Errors
    /// When it cannot be read any more.
    pub fn sha256(&self) -> Result<String, CheckpointError> {
        self.sha256.borrow_mut().get().map(ToString::to_string)
    }

    /// The time that loading took, for the first evaluation that asks; the others found it loaded.
    pub fn take_seconds(&self) -> f64 {
        self.seconds.take()
    }
}

/// A file's SHA-256, which a thread computes meanwhile.
struct Hash {
    weights: Arc<Weights>,
    thread: Option<std::thread::JoinHandle<Result<String, CheckpointError>>>,
    value: String,
}

impl Hash {
    fn start(weights: &Arc<Weights>) -> Result<Self, Error> {
        let weights = Arc::clone(weights);
        let file = Arc::clone(&weights);
        let thread = std::thread::Builder::new()
            .name("sha256".into())
            .spawn(move || {
                let _span = info_span!("SHA-256 of the checkpoint").entered();
                file.checkpoint.sha256()
            })
            .map_err(|source| Error::Threads {
                what: "a thread",
                source,
            })?;
        Ok(Self {
            weights,
            thread: Some(thread),
            value: String::new(),
        })
    }

    /// Waits for it.
    fn get(&mut self) -> Result<&str, CheckpointError> {
        if let Some(thread) = self.thread.take() {
            let hash = thread.join();
            self.value = hash.unwrap_or_else(|_| self.weights.checkpoint.sha256())?;
        }
        Ok(&self.value)
    }
}
