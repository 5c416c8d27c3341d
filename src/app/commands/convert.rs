//! `uta-eval convert`: any checkpoint as a flat safetensors file.

use crate::app::console::Console;
use crate::app::error::Error;
use crate::app::exit_code::ExitCode;
use crate::app::settings::Convert;
use crate::app::stdout::show;
use crate::checkpoint::convert;
use crate::inference::loading;

/// Converts and prints what was written.
///
/// # Errors
/// When the input cannot be used or the output exists or cannot be written.
pub fn run(settings: &Convert) -> Result<ExitCode, Error> {
    let checkpoint = loading::open(&settings.input, &mut Console::default())?;
    let summary = convert(&checkpoint, &settings.output, settings.dtype)?;
    show(&format!(
        "{}: {} tensors, {} bytes\n",
        settings.output.display(),
        summary.tensors,
        summary.bytes
    ))?;
    Ok(ExitCode::Success)
}
