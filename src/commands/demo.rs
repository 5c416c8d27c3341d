//! `uta-eval demo`: the whole job on an embedded model and pictures.

use include_dir::{Dir, include_dir};

use super::evaluate;
use crate::classifiers::Stock;
use crate::data::{Place, Protocol};
use crate::error::{Error, ExitCode};
use crate::expectation::Expectations;
use crate::metrics::Tally;
use crate::model::Variant;
use crate::model::variant::DEMO;
use crate::progress::Console;
use crate::settings::{Demo, Evaluate, Model, Prompts};
use crate::temporary::Unfinished;

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
    let unpacking = |source| Error::System {
        what: "the demo cannot be unpacked into the folder for temporary files",
        source,
    };
    let folder = tempfile::Builder::new()
        .prefix("uta-eval-demo-")
        .tempdir()
        .map_err(unpacking)?;
    let _unfinished = Unfinished::new(folder.path());
    FILES.extract(folder.path()).map_err(unpacking)?;
    let evaluation = Evaluate {
        pictures: Place::new(folder.path().join(PICTURES)),
        protocol: Protocol::default(),
        model: Model {
            variant: Variant::from_name_or_file(DEMO)?,
            checkpoint: folder.path().join(CHECKPOINT),
        },
        prompts: Prompts::imagenet().into(),
        limit: None,
        name: DEMO.into(),
        journal: None,
        shard: None,
        expectations: Expectations::default(),
        classifier: Stock::None,
        run: settings.run,
        outputs: settings.outputs,
    };
    let (tally, exit_code) = evaluate::evaluate_and_report(&evaluation)?;
    if exit_code == ExitCode::Interrupted {
        return Ok(exit_code);
    }
    if tally != EXPECTED {
        return Err(Error::DemoDiffers {
            expected: EXPECTED,
            found: tally,
        });
    }
    let console = Console::default();
    console.say("The demo's result is the expected one. To evaluate a real checkpoint:");
    console.say("  uta-eval --imagenet-path PATH --model eva_base_p16 --ckpt-path FILE");
    Ok(exit_code)
}
