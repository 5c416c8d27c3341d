//! The main job: a checkpoint's accuracy on a folder of pictures.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::checkpoint::{Checkpoint, CheckpointError, dtype_name};
use crate::classifiers::{self, Wanted};
use crate::data::{DataSet, Loader, Sample, Unreadable};
use crate::error::{Error, ExitCode, Warning};
use crate::evaluation::{self, Observer, Predictor};
use crate::loading;
use crate::memory;
use crate::metrics::{Prediction, Tally};
use crate::model::Variant;
use crate::picture::Preprocessor;
use crate::progress::Console;
use crate::report::json::{self, JsonOutput};
use crate::report::predictions::PredictionsFile;
use crate::report::{self, Report};
use crate::settings::{Evaluate, Outputs, Run};
use crate::zero_shot::{ImageEncoder, ZeroShot};

/// Evaluates and reports.
///
/// # Errors
/// Whatever stops the evaluation.
pub fn run(settings: &Evaluate) -> Result<ExitCode, Error> {
    evaluate_and_report(settings).map(|(_, exit_code)| exit_code)
}

/// As [`run`], and returns the counts.
///
/// # Errors
/// As [`run`].
pub fn evaluate_and_report(settings: &Evaluate) -> Result<(Tally, ExitCode), Error> {
    let start = Instant::now();
    let mut console = Console::default();
    let variant = &settings.model.variant;

    if let Some(remark) = &settings.run.devices.remark {
        console.warn(remark.clone());
    }
    // Everything that can be wrong with the inputs and outputs is found here, in seconds.
    let data = find_pictures(settings, &mut console)?;
    let checkpoint = loading::open_for(&settings.model.checkpoint, variant)?;
    let mut sinks = Sinks::open(&settings.outputs)?;

    let hash = hash_in_background(&checkpoint)?;
    let mut seconds = report::Seconds::default();
    let devices = &settings.run.devices;
    console.wait_for("loading the checkpoint");
    // Reading the text tower for its fingerprint takes the time that loading the vision tower
    // takes anyway; and a vision weight that is not a number is found before the long part.
    let (fingerprint, vision) = std::thread::scope(|scope| {
        let fingerprint = scope.spawn(|| checkpoint.fingerprint(loading::TEXT_TOWER));
        let warn = &mut |warning| console.warn(warning);
        let vision = loading::vision_towers(&checkpoint, variant, devices.lanes(), warn);
        let fingerprint = fingerprint
            .join()
            .unwrap_or_else(|_| checkpoint.fingerprint(loading::TEXT_TOWER));
        (fingerprint, vision)
    });
    let vision = vision?;
    seconds.load = start.elapsed().as_secs_f64();

    let clock = Instant::now();
    let wanted = Wanted {
        checkpoint: &checkpoint,
        fingerprint: &fingerprint,
        variant,
        compute: devices.first(),
        classes: &settings.prompts.classes,
        templates: &settings.prompts.templates,
    };
    let obtained = classifiers::obtain(&wanted, &settings.classifier, &mut console)?;
    let classifier_facts = report::ClassifierFacts::of(&obtained);
    seconds.classifier = clock.elapsed().as_secs_f64();

    let clock = Instant::now();
    let preprocessor = preprocessor(variant);
    let samples: Vec<Sample> = data
        .samples
        .iter()
        .take(settings.limit.unwrap_or(usize::MAX))
        .cloned()
        .collect();
    console.start_pictures(samples.len());
    let loader = Loader::start(samples, preprocessor, settings.run.loader).map_err(|source| {
        Error::System {
            what: "the loader's threads cannot be started",
            source,
        }
    })?;
    let zero_shots = vision
        .into_iter()
        .zip(devices.lanes())
        .map(|(vision, compute)| {
            let encoder = ImageEncoder::new(vision, &variant.preprocessing, compute)?;
            ZeroShot::new(encoder, obtained.classifier.clone())
        })
        .collect::<candle_core::Result<Vec<_>>>()?;
    let predictors: Vec<&dyn Predictor> = zero_shots.iter().map(|z| z as _).collect();
    let mut watcher = Watcher {
        console: &mut console,
        predictions: sinks.predictions.as_mut(),
        strict: settings.run.strict,
        start,
        first_batch: None,
    };
    let outcome = evaluation::evaluate(loader, &predictors, &mut watcher)?;
    seconds.first_batch = watcher.first_batch.map(|time| time.as_secs_f64());
    seconds.evaluation = clock.elapsed().as_secs_f64();
    console.clear();
    if !outcome.unreadable.is_empty() {
        console.warn(Warning::UnreadablePictures {
            count: outcome.unreadable.len(),
        });
    }

    let sha256 = hash.join().unwrap_or_else(|_| checkpoint.sha256())?;
    seconds.total = start.elapsed().as_secs_f64();
    let tally = outcome.tally;
    let exit_code = match outcome.unreadable.is_empty() {
        true => ExitCode::Success,
        false => ExitCode::SkippedPictures,
    };
    let report = Report {
        schema_version: report::SCHEMA_VERSION,
        program: report::Program::default(),
        model: report::Model::of(variant),
        checkpoint: checkpoint_facts(&checkpoint, sha256),
        data: report::Data {
            path: data.root,
            pictures: data.samples.len(),
            classes_present: data.classes_present,
            classes: data.classes,
            ignored: data.ignored,
        },
        prompts: report::Prompts {
            templates: obtained.recipe.templates,
            templates_file: settings.prompts.templates_file.clone(),
            classnames_file: settings.prompts.classnames_file.clone(),
        },
        classifier: classifier_facts,
        settings: run_facts(&settings.run, settings.limit),
        top1: tally.top1_accuracy(),
        top5: tally.top5_accuracy(),
        unreadable: outcome.unreadable,
        tied_classes: obtained.classifier.tied_classes(),
        pictures_per_second: tally.pictures as f64 / seconds.evaluation.max(f64::MIN_POSITIVE),
        seconds,
        peak_memory_bytes: memory::peak(),
        warnings: console.warnings().iter().map(ToString::to_string).collect(),
    };
    sinks.finish(&report)?;
    Ok((tally, exit_code))
}

/// Finds the pictures, and says what is odd about them.
fn find_pictures(settings: &Evaluate, console: &mut Console) -> Result<DataSet, Error> {
    let data = DataSet::scan(&settings.pictures, &settings.prompts.folders)?;
    if data.classes_present < data.classes {
        let (present, classes) = (data.classes_present, data.classes);
        console.warn(Warning::PartialDataSet { present, classes });
    }
    if data.ignored != Default::default() {
        let (hidden, not_pictures) = (data.ignored.hidden, data.ignored.not_pictures);
        console.warn(Warning::IgnoredFiles {
            hidden,
            not_pictures,
        });
    }
    Ok(data)
}

/// The preparation of pictures that a variant asks for.
pub fn preprocessor(variant: &Variant) -> Preprocessor {
    Preprocessor::new(
        variant.preprocessing.size,
        variant.preprocessing.interpolation,
    )
}

type Hash = std::thread::JoinHandle<Result<String, CheckpointError>>;

fn hash_in_background(checkpoint: &Arc<Checkpoint>) -> Result<Hash, Error> {
    let checkpoint = Arc::clone(checkpoint);
    std::thread::Builder::new()
        .name("sha256".into())
        .spawn(move || checkpoint.sha256())
        .map_err(|source| Error::System {
            what: "a thread cannot be started",
            source,
        })
}

fn checkpoint_facts(checkpoint: &Checkpoint, sha256: String) -> report::CheckpointFacts {
    let mut dtypes: Vec<String> = checkpoint.entries().map(|e| dtype_name(e.dtype)).collect();
    dtypes.sort_unstable();
    dtypes.dedup();
    let path = checkpoint.path();
    report::CheckpointFacts {
        path: path.into(),
        name: path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy()
            .into_owned(),
        format: checkpoint.format().to_string(),
        bytes: checkpoint.bytes(),
        sha256,
        dtypes,
    }
}

fn run_facts(run: &Run, limit: Option<usize>) -> report::Run {
    report::Run {
        precision: run.devices.first().precision(),
        device: run.devices.name(),
        batch_size: run.loader.batch_size,
        workers: run.loader.workers,
        threads: rayon::current_num_threads(),
        limit,
    }
}

/// Where the results go, opened before the expensive part.
struct Sinks {
    json: Option<JsonOutput>,
    predictions: Option<PredictionsFile>,
}

impl Sinks {
    fn open(outputs: &Outputs) -> Result<Self, Error> {
        let json = outputs.json.as_ref().map(JsonOutput::open).transpose()?;
        let predictions = outputs
            .predictions
            .as_deref()
            .map(PredictionsFile::create)
            .transpose()?;
        Ok(Self { json, predictions })
    }

    /// Completes the files and prints the report.
    fn finish(self, report: &Report) -> Result<(), Error> {
        if let Some(predictions) = self.predictions {
            predictions.finish()?;
        }
        json::write(self.json, report)
    }
}

/// Shows progress, records predictions, and decides what an unreadable picture means.
struct Watcher<'a> {
    console: &'a mut Console,
    predictions: Option<&'a mut PredictionsFile>,
    strict: bool,
    /// When the program started.
    start: Instant,
    /// From then to the end of the first batch.
    first_batch: Option<Duration>,
}

impl Observer for Watcher<'_> {
    fn predicted(&mut self, sample: &Sample, prediction: &Prediction) -> Result<(), Error> {
        match &mut self.predictions {
            Some(file) => file.add(sample, prediction),
            None => Ok(()),
        }
    }

    fn unreadable(&mut self, picture: &Unreadable) -> Result<(), Error> {
        if self.strict {
            return Err(Error::Picture(picture.clone()));
        }
        self.console.say(&format!(
            "unreadable: {}: {}",
            picture.path.display(),
            picture.reason
        ));
        Ok(())
    }

    fn warned(&mut self, warning: Warning) {
        self.console.warn(warning);
    }

    fn batch_done(&mut self, tally: &Tally, unreadable: usize) {
        self.first_batch.get_or_insert_with(|| self.start.elapsed());
        self.console.pictures_done(tally, unreadable);
    }
}
