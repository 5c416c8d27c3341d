//! `uta-eval convert`: any checkpoint as a flat safetensors file.

use crate::app::console::Console;
use crate::app::error::Error;
use crate::app::exit_code::ExitCode;
use crate::app::settings::Convert;
use crate::app::stdout::show;
use crate::checkpoint::{convert, write};
use crate::inference::loading::{self, Location};
use crate::inference::relayout::relayout;
use crate::util::brief;
use crate::util::count::count;
use crate::util::escape::Shown;

/// Converts and prints what was written.
///
/// # Errors
/// When the input cannot be used or the output exists or cannot be written.
pub fn run(settings: &Convert) -> Result<ExitCode, Error> {
    let mut console = Console::default();
    let location = Location {
        path: &settings.input,
        weights: settings.weights.as_deref(),
    };
    let checkpoint = loading::open(location, &mut console)?;
    if let Some(remark) = loading::remark(&checkpoint, location) {
        console.warn(&remark);
    }
    let (out, dtype) = (&settings.output, settings.dtype);
    let summary = match &settings.layout {
        None => convert(&checkpoint, out, dtype)?,
        Some(name) => {
            let relayout = relayout(&checkpoint, name)?;
            if !relayout.left_out.is_empty() {
                console.say(&format!(
                    "left out, since the layout {name} does not store them: {}",
                    brief::list(&relayout.left_out)
                ));
            }
            write(&checkpoint, &relayout.outputs, out, dtype)?
        }
    };
    show(&format!(
        "{}: {}, {} bytes{}\n",
        settings.output.shown(),
        count(summary.tensors, "tensor"),
        summary.bytes,
        checkpoint
            .nested_under()
            .map_or(String::new(), |key| format!(", the weights under {key}"))
    ))?;
    Ok(ExitCode::Success)
}
