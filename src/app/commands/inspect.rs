//! `uta-eval inspect`: what a checkpoint holds.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::app::console::Console;
use crate::app::error::Error;
use crate::app::exit_code::ExitCode;
use crate::app::settings::Inspect;
use crate::app::stdout::show;
use crate::checkpoint::{Checkpoint, dtype_name};
use crate::inference::choice::{ChoiceError, description_beside};
use crate::inference::identity::{Dimensions, fitting, looks_like};
use crate::inference::loading::{self, Location};
use crate::inference::weights::{fit, layout_of};
use crate::model::ModelConfig;
use crate::util::brief;
use crate::util::count::count;
use crate::util::escape::{self, Shown};

/// Prints what the checkpoint holds. The exit code says whether it fits the model that was named.
///
/// # Errors
/// When the checkpoint cannot be opened.
pub fn run(settings: &Inspect) -> Result<ExitCode, Error> {
    let location = Location {
        path: &settings.checkpoint,
        weights: settings.weights.as_deref(),
    };
    let checkpoint = loading::open(location, &mut Console::default())?;
    let mut out = heading(&checkpoint)?;
    let config = match &settings.config {
        Some(config) => Some(config.clone()),
        None => match description_beside(&settings.checkpoint) {
            Ok(Some((config, name))) => {
                let _ = writeln!(out, "described by {name}");
                Some(config)
            }
            Ok(None) => looks_like(&checkpoint),
            // What the checkpoint holds is told all the same.
            Err(ChoiceError::Model(error)) => {
                let _ = writeln!(out, "described by nothing that can be used: {error}");
                looks_like(&checkpoint)
            }
            Err(error) => return Err(error.into()),
        },
    };
    let fits = describe_fit(&mut out, &checkpoint, config.as_ref());
    if fits {
        for twin in fitting(&checkpoint) {
            if config
                .as_ref()
                .is_some_and(|config| config.name != twin.name)
            {
                let _ = writeln!(
                    out,
                    "fits, too    {}: it differs in what no tensor shows, the kind of GELU",
                    twin.name.shown()
                );
            }
        }
    }
    out += "tensors\n";
    for line in checkpoint.abridged_entries() {
        out += &format!("  {}\n", line.shown());
    }
    show(&out)?;
    Ok(if settings.config.is_some() && !fits {
        ExitCode::Checkpoint
    } else {
        ExitCode::Success
    })
}

/// The lines that do not depend on a model.
fn heading(checkpoint: &Checkpoint) -> Result<String, Error> {
    let mut dtypes: BTreeMap<String, usize> = BTreeMap::new();
    let mut parameters = 0;
    for entry in checkpoint.entries() {
        *dtypes.entry(dtype_name(entry.dtype)).or_default() += 1;
        parameters += entry.shape.iter().product::<usize>();
    }
    let tensors: usize = dtypes.values().sum();
    let dtypes: Vec<String> = dtypes
        .iter()
        .map(|(dtype, count)| format!("{count} {dtype}"))
        .collect();
    let mut lines = vec![
        (
            "file",
            escape::name(checkpoint.path().as_os_str()).into_owned(),
        ),
        (
            "format",
            format!(
                "{}, {} bytes",
                checkpoint.described_format(),
                checkpoint.bytes()
            ),
        ),
        ("sha256", checkpoint.sha256()?),
        (
            "holds",
            format!(
                "{} ({}), {}",
                count(tensors, "tensor"),
                dtypes.join(", "),
                count(parameters, "value")
            ),
        ),
    ];
    if let Some(keys) = checkpoint.nested_under() {
        lines.push(("weights", format!("those under {keys}")));
    }
    if !checkpoint.others().is_empty() {
        let others = checkpoint.others().iter();
        let others: Vec<_> = others.map(|key| format!("--weights {key}")).collect();
        lines.push(("others", brief::list(&others)));
    }
    if let Some(prefix) = checkpoint.stripped_prefix() {
        lines.push(("prefix", format!("every key begins with {prefix}")));
    }
    if !checkpoint.stripped_within().is_empty() {
        let parts = checkpoint.stripped_within().join(" and ");
        lines.push(("wrappers", format!("keys have {parts} within")));
    }
    if let Some(layout) = layout_of(checkpoint) {
        lines.push(("layout", layout.name().into()));
    }
    if let Some(dimensions) = Dimensions::of(checkpoint) {
        lines.push(("dimensions", dimensions.to_string()));
    }
    Ok(lines
        .iter()
        .map(|(name, value)| format!("{name:<12} {}\n", value.shown()))
        .collect())
}

/// How the checkpoint fits a model; whether it does.
fn describe_fit(out: &mut String, checkpoint: &Checkpoint, config: Option<&ModelConfig>) -> bool {
    let Some(config) = config else {
        *out += "model        none of the built-in ones; compare with a description by --model FILE.json\n";
        return false;
    };
    let name = config.display_name();
    let name = name.shown();
    match fit(checkpoint, config) {
        Ok(layout) => {
            let depth = config.vision.transformer.depth;
            let tables = ["cos", "sin"]
                .into_iter()
                .flat_map(|part| layout.rope_keys(depth, part));
            let (mut stored, mut all) = (0, 0);
            for table in tables {
                all += 1;
                stored += usize::from(checkpoint.get(&table).is_some());
            }
            if !config.vision.rope {
                let _ = writeln!(
                    out,
                    "model        {name}: every key fits, none is missing or extra"
                );
                return true;
            }
            let rope = match stored {
                0 => "absent, will be computed".to_string(),
                stored => format!("{stored} of {all} stored, and used"),
            };
            let _ = writeln!(
                out,
                "model        {name}: every key fits, none is missing or extra"
            );
            let _ = writeln!(out, "RoPE tables  {rope}");
            true
        }
        Err(mismatch) => {
            let _ = writeln!(out, "model        {name}: does not fit\n{mismatch}");
            false
        }
    }
}
