//! `uta-eval demo`: the whole job on an embedded model and pictures.

use include_dir::{Dir, include_dir};

use super::evaluate;
use crate::app::console::Console;
use crate::app::error::Error;
use crate::app::exit_code::ExitCode;
use crate::app::settings::{Demo, Evaluate, Model, Prompts};
use crate::data::{DataLocation, Protocol};
use crate::inference::classifiers::ClassifierSource;
use crate::metrics::Tally;
use crate::metrics::expectation::Expectations;
use crate::model::ModelConfig;
use crate::model::config::DEMO;
use crate::util::temporary_file::TemporaryFolder;

static FILES: Dir = include_dir!("$CARGO_MANIFEST_DIR/assets/demo");

const CHECKPOINT: &str = "uta_demo.safetensors";
const PICTURES: &str = "imagenet";

/// What the reference counts on the same model and pictures.
const EXPECTED: Tally = Tally {
    pictures: 220,
    top1: 215,
    top5: 220,
};

/// Evaluates the demo like any other checkpoint and checks the result.
///
/// # Errors
/// When the temporary folder cannot be written, or the result is not the expected one.
pub fn run(settings: Demo) -> Result<ExitCode, Error> {
    let unpacking = |source| Error::Unpacking {
        folder: std::env::temp_dir(),
        source,
    };
    let folder = TemporaryFolder::new("uta-eval-demo-").map_err(unpacking)?;
    folder.fill(|path| FILES.extract(path)).map_err(unpacking)?;
    let evaluation = Evaluate {
        pictures: DataLocation::new(folder.path().join(PICTURES)),
        protocol: Protocol::default(),
        model: Model {
            config: ModelConfig::from_name_or_file(DEMO)?,
            checkpoint: folder.path().join(CHECKPOINT),
            weights: None,
            decided_by: "uta-eval demo".into(),
            pretrained: None,
            warnings: Vec::new(),
        },
        prompts: Prompts::imagenet().into(),
        limit: None,
        name: DEMO.into(),
        journal: None,
        shard: None,
        expectations: Expectations::default(),
        published: None,
        classifier: ClassifierSource::None,
        run: settings.run,
        outputs: settings.outputs,
    };
    let precision = evaluation.run.devices.first().precision();
    let (tally, exit_code) = evaluate::evaluate_and_report(&evaluation)?;
    if exit_code == ExitCode::Interrupted {
        return Ok(exit_code);
    }
    if !is_expected(tally, precision) {
        return Err(Error::DemoDiffers {
            expected: EXPECTED,
            found: tally,
        });
    }
    let console = Console::default();
    let exactly = if tally == EXPECTED {
        ""
    } else {
        " up to a picture, as reduced precision may be"
    };
    console.say(&format!(
        "The demo's result is the expected one{exactly}. To evaluate a real checkpoint:"
    ));
    console.say("  uta-eval --imagenet-path PATH --model eva_base_p16 --ckpt-path FILE");
    Ok(exit_code)
}

/// In reduced precision, a picture at the border between two classes may fall to either side.
fn is_expected(tally: Tally, precision: &str) -> bool {
    let tolerance = match precision {
        "f32" => 0,
        _ => 1,
    };
    tally.pictures == EXPECTED.pictures
        && tally.top1.abs_diff(EXPECTED.top1) <= tolerance
        && tally.top5.abs_diff(EXPECTED.top5) <= tolerance
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reduced_precision_may_miss_by_one() {
        let found = |top1| Tally { top1, ..EXPECTED };
        assert!(is_expected(EXPECTED, "f32"));
        assert!(!is_expected(found(EXPECTED.top1 - 1), "f32"));
        assert!(is_expected(found(EXPECTED.top1 - 1), "bf16"));
        assert!(!is_expected(found(EXPECTED.top1 - 2), "bf16"));
        let short = Tally {
            pictures: 219,
            ..EXPECTED
        };
        assert!(!is_expected(short, "f16"));
    }
}
