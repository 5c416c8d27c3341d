//! `uta-eval convert`: any checkpoint as a flat safetensors file.

use crate::app::console::Console;
use crate::app::error::Error;
use crate::app::exit_code::ExitCode;
use crate::app::settings::Convert;
use crate::app::stdout::show;
use crate::checkpoint::{convert, write};
use crate::inference::loading;
use crate::inference::relayout::relayout;
use crate::util::count::count;

/// Converts and prints what was written.
///
/// # Errors
/// When the input cannot be used or the output exists or cannot be written.
pub fn run(settings: &Convert) -> Result<ExitCode, Error> {
    let checkpoint = loading::open(&settings.input, &mut Console::default())?;
    let (out, dtype) = (&settings.output, settings.dtype);
    let summary = match &settings.layout {
        None => convert(&checkpoint, out, dtype)?,
        Some(name) => {
            let relayout = relayout(&checkpoint, name)?;
            if !relayout.left_out.is_empty() {
                Console::default().say(&format!(
                    "left out, since the layout {name} does not store them: {}",
                    relayout.left_out.join(", ")
                ));
            }
            write(&checkpoint, &relayout.outputs, out, dtype)?
        }
    };
    show(&format!(
        "{}: {}, {} bytes\n",
        settings.output.display(),
        count(summary.tensors, "tensor"),
        summary.bytes
    ))?;
    Ok(ExitCode::Success)
}
